"""A model in place of a network, a list in place of a photograph, words in place of numbers."""

import re

import numpy as np
import pytest
from helpers.networks import used_twice

import cnn_widgets as cw
from cnn_widgets import excitation
from cnn_widgets.arguments import finite, one_sample, seed_of, whole

#: Every experiment on a network and one photograph.
ON_ONE = {
    "ablate": lambda net, s: cw.ablate(net, s, "conv1", [0]),
    "patch_activations": lambda net, s: cw.patch_activations(net, s, "conv1", s),
    "votes": lambda net, s: cw.votes(net, s, "conv1"),
    "shared_evidence": lambda net, s: cw.shared_evidence(net, s, "conv1"),
    "smallest_change": lambda net, s: cw.smallest_change(net, s, layer="conv1"),
    "smallest region": lambda net, s: cw.smallest_change(net, s, "region", cells=(2, 2)),
    "occlude": lambda net, s: cw.occlude(net, s, (0, 0, 5, 5)),
    "trace_cell": lambda net, s: cw.trace_cell(net, s, "conv1", 0, 0, 0),
    "dream": lambda net, s: cw.dream(net, s, "conv1", octaves=1, steps=1),
    "response": lambda net, s: excitation.response(net, s, "conv1", 0),
}
#: And those on a network and many.
ON_MANY = {
    "excite": lambda net, s: cw.excite(net, "conv1", 0, steps=1),
    "exciting_patches": lambda net, s: excitation.exciting_patches(net, [s], "conv1", 0),
    "concept": lambda net, s: cw.concept(net, [s] * 3, [s] * 3, [s] * 2, 0, "conv1", runs=20),
    "parts": lambda net, s: cw.parts(net, [s] * 2, 0, "conv1", count=2, crops=1, samples=2),
    "compare_networks": lambda net, s: cw.compare_networks(net, net, [s]),
}


@pytest.mark.parametrize("name", [*ON_ONE, *ON_MANY])
def test_a_keras_model_is_no_network(tiny_model, photo, name):
    with pytest.raises(TypeError, match=r"Expected a Network: net = cw\.load_network"):
        (ON_ONE | ON_MANY)[name](tiny_model, photo)


@pytest.mark.parametrize("given", [[], "cat", np.zeros((9, 9, 3), np.uint8), None], ids=repr)
@pytest.mark.parametrize("name", ON_ONE)
def test_one_photograph_is_an_image_sample(tiny_net, name, given):
    with pytest.raises(TypeError, match=r"Expected an ImageSample; load_image\(\) makes one"):
        ON_ONE[name](tiny_net, given)


@pytest.mark.parametrize("name", ON_ONE)
def test_a_list_of_one_photograph_is_a_list(tiny_net, photo, name):
    with pytest.raises(TypeError, match="Received: list"):
        ON_ONE[name](tiny_net, [photo])


@pytest.mark.parametrize("given", [1.5, "2", True, None, [1], float("nan")], ids=repr)
def test_whole_numbers_are_whole_numbers(tiny_net, photo, given):
    """Nothing is rounded, cut off or taken for a number in silence; the argument is named."""
    from cnn_widgets.experiments import Answers

    answers = cw.ablate(tiny_net, photo, "conv1", 0, method=None).answers
    found = cw.votes(tiny_net, photo, "conv1")
    assert isinstance(answers, Answers)
    asked = {
        "each filter": lambda: cw.ablate(tiny_net, photo, "conv1", [given]),
        "top": lambda: answers.records(given),
        "count": lambda: found.top(given),
        "among": lambda: cw.shared_evidence(tiny_net, photo, "conv1", among=given),
        "most": lambda: cw.smallest_change(tiny_net, photo, most=given),
        "row": lambda: cw.trace_cell(tiny_net, photo, "conv1", given, 0, 0),
        "filter": lambda: excitation.exciting_patches(tiny_net, [photo], "conv1", given),
        "steps": lambda: cw.excite(tiny_net, "conv1", 0, steps=given),
        "octaves": lambda: cw.dream(tiny_net, photo, "conv1", octaves=given),
        "seed": lambda: cw.excite(tiny_net, "conv1", 0, steps=1, seed=given),
        "samples": lambda: cw.parts(tiny_net, [photo] * 2, 0, "conv1", samples=given),
        "runs": lambda: cw.concept(tiny_net, [photo] * 3, [photo] * 3, [photo] * 2, 0, runs=given),
        "every": lambda: cw.training_film([photo], every=given),
    }
    if given is not None:  # which stands for those known already
        asked["controls"] = lambda: cw.occlude(tiny_net, photo, (0, 0, 5, 5), controls=given)
    for name, call in asked.items():
        with pytest.raises(TypeError, match=f"Expected {name} to be a whole number. Received: "):
            call()


@pytest.mark.parametrize("count", [-1, -5])
def test_a_number_of_rows_is_not_counted_from_the_end(tiny_net, photo, count):
    answers = cw.ablate(tiny_net, photo, "conv1", 0, method=None).answers
    for ask in (answers.records, answers.top_after, answers.top_before, answers.most_lowered):
        with pytest.raises(ValueError, match="to be at least 0"):
            ask(count)


@pytest.mark.parametrize("filters", [-1, 99, [], True, 1.5, [0, [1]], "1"], ids=repr)
def test_the_response_of_filters_that_are_not_there_is_refused(tiny_net, photo, filters):
    with pytest.raises(ValueError, match="Expected filters of layer 'conv1', 0 to "):
        excitation.response(tiny_net, photo, "conv1", filters)
    with pytest.raises((ValueError, TypeError), match=r"class"):
        excitation.response(tiny_net, photo, None, filters if filters != "1" else "no such class")


@pytest.mark.parametrize("scale", ["a", [1], None, True])
def test_a_scale_is_a_number(tiny_net, photo, scale):
    with pytest.raises(TypeError, match=r"Expected scale to be a number\. Received: "):
        cw.ablate(tiny_net, photo, "conv1", 0, scale=scale)


@pytest.mark.parametrize("scale", [1e39, -1e39, 10**400, float("nan"), float("inf")])
def test_a_scale_is_finite_in_32_bits(tiny_net, photo, scale):
    with pytest.raises(ValueError, match="Expected a finite scale"):
        cw.ablate(tiny_net, photo, "conv1", 0, scale=scale)


def test_methods_fills_maps_and_controls_of_another_type_are_named(tiny_net, photo):
    with pytest.raises(ValueError, match=re.escape("Unknown method ['grad-cam']")):
        cw.ablate(tiny_net, photo, "conv1", 0, method=["grad-cam"])
    with pytest.raises(ValueError, match="Expected fill to be one of"):
        cw.occlude(tiny_net, photo, (0, 0, 5, 5), fill=photo.pixels)
    with pytest.raises(TypeError, match="Expected evidence to be of type Attribution"):
        cw.occlude(tiny_net, photo, "hottest", evidence=np.ones(photo.size))
    with pytest.raises(TypeError, match="Expected known to be of type Controls"):
        cw.occlude(tiny_net, photo, (0, 0, 5, 5), known=5)


def test_the_checks_themselves(photo):
    assert (whole("n", np.int64(3)), whole("n", np.array(4)), whole("n", -2, None)) == (3, 4, -2)
    assert (seed_of(0), finite("x", np.float32(2)), one_sample(photo)) == (0, 2.0, photo)
    with pytest.raises(ValueError, match=r"Expected n to be at least 2\. Received: 1"):
        whole("n", 1, 2)
    with pytest.raises(ValueError, match="Expected seed to be at least 0"):
        seed_of(-1)


def test_none_is_no_set_of_pictures(tiny_net, photo):
    for place in range(3):
        sets = [[photo] * 3, [photo] * 3, [photo] * 2]
        sets[place] = None
        with pytest.raises((ValueError, TypeError), match="None"):
            cw.concept(tiny_net, *sets, 0, "conv1", runs=20)


def test_the_filter_of_a_shared_layer_is_silenced_in_the_call_that_is_named(keras, photo):
    """As the docstring says: the other call of the layer stays."""
    net = cw.Network(used_twice(keras), preprocess="none")
    first, second = (cw.ablate(net, photo, each, 0, method=None).answers.scores_after
                     for each in ("shared", "shared:1"))  # fmt: skip
    assert not np.array_equal(first, second)
