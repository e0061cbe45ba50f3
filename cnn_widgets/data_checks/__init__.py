"""What is wrong with the photographs themselves, whatever the network.

`Duplicates` are photographs that are there twice, within a set or across two: the very same
pixels, or the same picture saved otherwise. A picture in the training set and in the test set
makes a network look better than it is.

>>> cat = cw.gallery()["cat"]
>>> duplicates([cat, cw.gallery()["rocket"], cat]).exact
(('cat', 'cat 2'),)
"""

from cnn_widgets.data_checks.duplicates import Duplicates, duplicates

__all__ = ["Duplicates", "duplicates"]
