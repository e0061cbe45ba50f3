"""Where a network is wrong over a whole folder of photographs, and how often.

In come a `Network` and labelled photographs as `open_images` takes them; out goes an `Audit`: one
answer per photograph, accuracy with its interval, the confusion matrix, mistakes worst first,
calibration, and the mean evidence per label. It can be interrupted and goes on where it was.

>>> net, photographs = cw.load_network(), cw.gallery()
>>> labels = {"cat": ["Egyptian cat", "tabby", "tiger cat"], "espresso": "espresso"}
>>> some = [(photographs[name], name) for name in labels]
>>> found = audit(net, some, classes=labels)
>>> found.accuracy.right, found.accuracy.count
(2, 2)
"""

from cnn_widgets.auditing.calibration import Calibration
from cnn_widgets.auditing.identity import load_audit
from cnn_widgets.auditing.page import write_page
from cnn_widgets.auditing.result import Audit
from cnn_widgets.auditing.running import audit
from cnn_widgets.auditing.shares import LabelRow, Share

__all__ = [
    "Audit", "Calibration", "LabelRow", "Share", "audit", "load_audit", "write_page",
]  # fmt: skip
