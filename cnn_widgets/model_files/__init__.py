"""A Keras model from a file of unknown origin, without running code in it.

In comes a path: a `.keras` or `.h5` file of Keras 3 or 2, or an export of Teachable Machine. Out
goes a `ModelSource`: the model with the preprocessing, class names and fit that its source tells.
What is no such file is named for what it is, with what to do. Class names in all the forms that
people have them are read here too.

>>> read_class_names({"dog": 1, "cat": 0})
('cat', 'dog')
"""

from cnn_widgets.model_files.foreign_files import looks_like_path, what_object
from cnn_widgets.model_files.name_lists import read_class_names
from cnn_widgets.model_files.opening import model_file
from cnn_widgets.model_files.sources import ModelSource

__all__ = ["ModelSource", "looks_like_path", "model_file", "read_class_names", "what_object"]
