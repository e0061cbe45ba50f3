"""How the site is built: `python -m sphinx -W -n notebooks out/site`, without a network.

The pages are the Markdown files and notebooks of this folder. `site/` holds two directives: one
fills the reference from the docstrings, one the page on the methods from the table of methods.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "site")]

import cnn_widgets  # noqa: E402  (only now it is found in a checkout)

project = "cnn_widgets"
author = "The cnn_widgets authors"
release = version = cnn_widgets.__version__
html_title = f"cnn_widgets {release}"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "reference_pages",
    "method_pages",
]
exclude_patterns = ["site", "**.ipynb_checkpoints"]
html_theme = "furo"
pygments_dark_style = "github-dark"  # the theme's own underlines the names of modules
html_static_path = ["site/static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}
templates_path: list[str] = []

# Notebooks are shown as a student gets them. tests/house/test_notebooks.py executes them.
nb_execution_mode = "off"
myst_heading_anchors = 3
myst_enable_extensions = ["attrs_block", "colon_fence", "deflist"]
# A dollar is a dollar here: no page needs MathJax, which would be fetched from the internet.

smartquotes_action = "D"  # dashes only: quotation marks and primes stay as they are written
default_role = "code"  # docstrings write `names` so
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_type_aliases = {"Floats": "ndarray", "Pixels": "ndarray"}
napoleon_google_docstring = False
napoleon_use_param = napoleon_use_rtype = False
napoleon_custom_sections = [("Attributes", "params_style")]  # "score, probability : float"
python_maximum_signature_line_length = 88
add_module_names = False
# Types in signatures that are not ours have no page on this site, which is built offline.
nitpick_ignore_regex = [("py:(class|exc)", r"(?!cnn_widgets\.).*")]
