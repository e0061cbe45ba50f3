"""Whether a network still answers as it did, and for the same reasons: a regression test.

`keep_evidence` writes down what a `Network` answers to some photographs, where it looks (the
*evidence*, a small map of each), and what its layers say of them. `check_against` compares the
network as it is now, retrained, converted or loaded by other code, and gives a `Check`: answers
that flipped, evidence that moved, layers that drifted (by `linear_cka`), the worst first.

>>> import tempfile
>>> net, photographs = cw.load_network(), cw.gallery()
>>> some = {name: photographs[name] for name in ("cat", "espresso", "rocket")}
>>> with tempfile.TemporaryDirectory() as folder:
...     kept = keep_evidence(net, some, folder)
...     mirrored = cw.Network(net.model, preprocess=lambda pixels: pixels[..., ::-1] / 255)
...     check_against(mirrored, some, folder).changed[0]
'input'
"""

from cnn_widgets.regression.checking import check_against
from cnn_widgets.regression.evidence import Evidence, keep_evidence, load_evidence
from cnn_widgets.regression.result import Case, Check, Tolerances, tolerances_from
from cnn_widgets.regression.similarity import linear_cka

__all__ = [
    "Case", "Check", "Evidence", "Tolerances", "check_against", "keep_evidence", "linear_cka",
    "load_evidence", "tolerances_from",
]  # fmt: skip
