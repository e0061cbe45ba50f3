"""Which labels are one: the rule of an audit, also where a label stands for no class."""

from types import SimpleNamespace

import pytest

from cnn_widgets.auditing.labels import Spellings, match_labels

NAMES = ["crane", "Egyptian cat", "crane", "7"]


@pytest.fixture
def net():
    return SimpleNamespace(class_names=NAMES, name="birds", class_index=int)


@pytest.mark.parametrize(
    ("labels", "ones"),
    [
        (["egyptian_cat", "Egyptian-Cat", 1], ["egyptian_cat"] * 3),
        ([1, "EGYPTIAN CAT"], [1, 1]),
        ([0, 2, "crane"], [0, 2, "crane"]),  # two classes of one name; the name stands for both
        (["my dog", "My_Dog", "dog"], ["my dog", "my dog", "dog"]),
        ([3, "7", 7], [3, 3, 7]),  # 7 is no number of a class, and no name
        ([None, "a", None], [None, "a", None]),
    ],
)
def test_labels_that_are_one(net, labels, ones):
    spellings = Spellings(net)
    assert [spellings.one(label) for label in labels] == ones
    assert len(spellings.notes) == (1 if len(set(labels)) > len(set(ones)) else 0)


def test_the_rule_is_that_of_an_audit(net):
    labels = ["Egyptian cat", "egyptian_cat", 1, "crane", "CRANE"]
    table, spellings = match_labels(labels, net), Spellings(net)
    for one in labels:
        for other in labels:
            together = table.place(one) == table.place(other)
            assert (spellings.one(one) == spellings.one(other)) == together, (one, other)
