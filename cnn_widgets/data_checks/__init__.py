"""What is wrong with the photographs and labels themselves, before the network is blamed.

`Duplicates` are photographs that are there twice, within a set or across two. `DoubtedLabels` are
labels that a network, which has not learnt them, has reason to doubt, each with the label that is
likely; `OddOnes` tell which photographs are unlike the rest of their label. Each is a suggestion
what to look at, and has a section for an audit's page.

>>> cat = cw.gallery()["cat"]
>>> duplicates([cat, cw.gallery()["rocket"], cat]).exact
(('cat', 'cat 2'),)
"""

from cnn_widgets.data_checks.confident import ConfidentJoint, confident_joint
from cnn_widgets.data_checks.doubts import Doubt, DoubtedLabels, doubted_labels
from cnn_widgets.data_checks.duplicates import Duplicates, duplicates
from cnn_widgets.data_checks.odd import OddOnes, odd_ones_out
from cnn_widgets.data_checks.pages import doubted_section, duplicates_section, odd_section

__all__ = [
    "ConfidentJoint", "Doubt", "DoubtedLabels", "Duplicates", "OddOnes", "confident_joint",
    "doubted_labels", "doubted_section", "duplicates", "duplicates_section", "odd_ones_out",
    "odd_section",
]  # fmt: skip
