"""For teaching: links to a view, guessing first, hand-ins that can be checked.

In comes the state of an explorer, or a `Scene`; out goes a share string that opens the same view
elsewhere, a `Pin` (a view with a note and what was claimed about it), a hand-in of several pins as
a page, Markdown and a JSON file, and what became of it when it was computed again.

>>> explorer = cw.CNNExplorer()
>>> explorer.show(image="espresso", class_index="espresso")
>>> state_of(link_of(explorer.state.to_dict()))["image"]
'espresso'
"""

from cnn_widgets.classroom.checking import check_hand_ins
from cnn_widgets.classroom.collecting import left_out
from cnn_widgets.classroom.handing_in import write_hand_in
from cnn_widgets.classroom.pins import Pin, pin
from cnn_widgets.classroom.quantities import QUANTITIES, agrees, assert_view, measure
from cnn_widgets.classroom.results import CheckedPin, CheckedWork, listed
from cnn_widgets.classroom.sharing import link_of, state_of

__all__ = [
    "QUANTITIES",
    "CheckedPin",
    "CheckedWork",
    "Pin",
    "agrees",
    "assert_view",
    "check_hand_ins",
    "left_out",
    "link_of",
    "listed",
    "measure",
    "pin",
    "state_of",
    "write_hand_in",
]
