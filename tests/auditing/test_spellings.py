"""Which labels are one: the rule of an audit, also where a label stands for no class."""

from types import SimpleNamespace

import pytest

from cnn_widgets.auditing.labels import Spellings, match_labels, names_of_classes
from cnn_widgets.spelling import plain

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


def test_accents_apart_are_the_letters_they_make(net):
    net.class_names = ["cr\u00e8me br\u00fbl\u00e9e", "o\u0308l"]
    apart, whole = "Cre\u0300me_bru\u0302le\u0301e", "\u00d6l"
    table = match_labels([apart, whole], net)
    assert [table.classes[table.place(label)] for label in (apart, whole)] == [(0,), (1,)]


def test_a_hyphen_before_a_number_is_its_sign():
    assert plain("-1") != plain("1")
    assert plain("T-Shirt") == plain(" t_shirt ") == "t shirt"


@pytest.mark.parametrize("entry", ["MY_DOG", "my-dog", "My  dog"])
def test_an_entry_of_classes_may_be_spelled_as_freely_as_a_name(net, entry):
    table = match_labels(["my dog", "Egyptian cat"], net, {entry: 0})
    assert table.classes[table.place("my dog")] == (0,)
    assert table.notes == ()
    assert match_labels(["my dog", 1], net, {entry: None}).names == ("Egyptian cat",)


def test_of_entries_spelled_alike_the_label_s_own_counts_or_it_is_asked(net):
    both = {"My_dog": 0, "MY DOG": 1}
    table = match_labels(["My_dog", "MY DOG"], net, both)
    assert [table.classes[table.place(label)] for label in both] == [(0,), (1,)]
    with pytest.raises(ValueError, match=r"Label 'my dog' may be that of several .* 'MY DOG'"):
        match_labels(["my dog"], net, both)
    assert match_labels(["my dog"], net, {"My_dog": 0, "MY DOG": 0}).classes == ((0,),)


def test_a_number_is_no_spelling_of_another(net):
    with pytest.raises(ValueError, match="'-1'"):
        match_labels(["-1"], net, {"1": 0})


@pytest.mark.parametrize(
    ("own", "classes", "names"),
    [
        (["class 0", "class 1", "class 2"], {"cat": 0, "dog": [2]}, ["cat", "class 1", "dog"]),
        (["class 0", "class 1"], None, ["class 0", "class 1"]),
        (["class 0", "class 1"], {"cat": [0, 1]}, ["class 0", "class 1"]),  # a label of two
        (["class 0", "class 1"], {"cat": 0, "Cats": 0}, ["class 0", "class 1"]),  # two of a class
        (["class 0", "class 1"], {"class 1": 0}, ["class 0", "class 1"]),
        (["class 0", "class 1"], {"cat": 0, "junk": None}, ["cat", "class 1"]),
        (["class 0", "class 1"], {"cat": "class 1"}, ["class 0", "class 1"]),  # it has that name
        (["ape", "bee"], {"cat": 0, "dog": 1}, ["ape", "bee"]),
    ],
)
def test_labels_name_the_classes_of_a_network_that_has_no_names(own, classes, names):
    net = SimpleNamespace(class_names=tuple(own), name="net", class_index=int)
    assert list(names_of_classes(net, classes)) == names
