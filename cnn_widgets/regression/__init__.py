"""Whether a network still answers as it did, and for the same reasons: a regression test.

`keep_evidence` writes down what a `Network` answers to some photographs, where it looks (the
*evidence*, a small map of each), and what its layers say of them. `check_against` compares the
network as it is now, retrained, converted or loaded by other code, and gives a `Check`: answers
that flipped, evidence that moved, layers that drifted (by `linear_cka`), the worst first.

>>> x = np.random.default_rng(0).normal(size=(50, 4))  # what a layer says of 50 photographs
>>> round(linear_cka(x, 2 * x[:, ::-1]), 6)  # its filters in another order, and scaled
1.0
>>> tolerances_from(["cka=0.9"]) == Tolerances(cka=0.9)
True
"""

from cnn_widgets.regression.checking import check_against
from cnn_widgets.regression.evidence import Evidence, keep_evidence, load_evidence
from cnn_widgets.regression.result import Case, Check, Tolerances, tolerances_from
from cnn_widgets.regression.similarity import linear_cka

__all__ = [
    "Case", "Check", "Evidence", "Tolerances", "check_against", "keep_evidence", "linear_cka",
    "load_evidence", "tolerances_from",
]  # fmt: skip
