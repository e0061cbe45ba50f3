"""Many pictures as people have them, each read when it is asked for.

In comes a folder, a pattern of paths, a list, an array, a `tf.data.Dataset`, a Keras `PyDataset`,
a zip or a CSV; out goes an `ImageSet`: names, labels where there are any, and a way to read each
picture as an `ImageSample`. A file that cannot be read costs nothing but itself.

>>> digits = open_images(np.zeros((5, 28, 28), np.uint8), labels=[3, 1, 4, 1, 5])
>>> len(digits), digits.labels[2], digits.read(2).size
(5, 4, (28, 28))
"""

from cnn_widgets.datasets.image_set import ImageSet, Label
from cnn_widgets.datasets.opening import open_images

__all__ = ["ImageSet", "Label", "open_images"]
