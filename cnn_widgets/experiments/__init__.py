"""Experiments on a network: filters are switched off, places covered, numbers followed back.

In come a `Network`, an `ImageSample` and what shall be changed; out goes what the network answers
then beside what it answers without: an `Ablation` of a layer, `Votes` of its filters, a `Turning`
to another class, an `Occlusion` beside random ones, a `CellTrace`. Nothing changes the model.

>>> net, cat = cw.load_network(), cw.gallery()["cat"]
>>> ablate(net, cat, None, [3]).told
'filter 3 of head_relu silenced'
"""

from cnn_widgets.experiments.ablation import Ablation, ablate, patch_activations
from cnn_widgets.experiments.cell_trace import CellTrace, trace_cell
from cnn_widgets.experiments.occlusion import Controls, Occlusion, occlude
from cnn_widgets.experiments.shared import SharedEvidence, shared_evidence
from cnn_widgets.experiments.tail import Answers
from cnn_widgets.experiments.turning import Turning, smallest_change
from cnn_widgets.experiments.voting import MEASURES, Votes, votes

__all__ = [
    "MEASURES",
    "Ablation",
    "Answers",
    "CellTrace",
    "Controls",
    "Occlusion",
    "SharedEvidence",
    "Turning",
    "Votes",
    "ablate",
    "occlude",
    "patch_activations",
    "shared_evidence",
    "smallest_change",
    "trace_cell",
    "votes",
]
