"""What several tests share: tiny networks, a real JupyterLab, a seeded person."""

import pytest

# Their assertions tell what they compared, as those of a test do
pytest.register_assert_rewrite("helpers.gates", "helpers.model_files", "helpers.pictures")
