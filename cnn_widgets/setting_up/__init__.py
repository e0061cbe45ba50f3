"""Setting up a class: `doctor` tells what is wrong with a computer, `bundle` fills a stick.

`doctor` looks at versions, memory, the front end, the widgets' modules and the network's weights,
draws a photograph for trial, and returns a `Diagnosis`: a page of plain text on which each
`Finding` has its remedy. `bundle` puts wheels, weights and notebooks into a folder with programs
that install them with no network, and `check_bundle` tells whether such a folder is whole.

>>> page = doctor(draw=False)
>>> {found.status for found in page.findings} <= {"ok", "warning", "fault"}
True
"""

from cnn_widgets.setting_up.examining import doctor
from cnn_widgets.setting_up.filling import Bundle, bundle, check_bundle
from cnn_widgets.setting_up.finding import Diagnosis, Finding

__all__ = ["Bundle", "Diagnosis", "Finding", "bundle", "check_bundle", "doctor"]
