"""What several tests share: tiny networks, a real JupyterLab, a seeded person."""
