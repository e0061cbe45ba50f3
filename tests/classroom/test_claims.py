"""What can be claimed about a view, and when a claim is right."""

import numpy as np
import pytest

import cnn_widgets as cw
from cnn_widgets.classroom import (
    QUANTITIES,
    assert_view,
    measure,
)
from cnn_widgets.classroom.quantities import agrees


@pytest.mark.parametrize(
    ("claimed", "measured", "right"),
    [
        ("Egyptian Cat", "Egyptian cat", True),
        (" egyptian  cat.", "Egyptian cat", True),
        ("tabby", "Egyptian cat", False),
        ("upper left", "the upper left", True),
        ("56x56", "56×56", True),
        ("56x28", "56×56", False),
        ("77 %", 0.7709, True),
        ("77%", 0.7709, True),
        ("78 %", 0.7709, False),
        ("< 0.1 %", 0.00002, True),  # what the page says of it
        ("<0.1%", 0.00002, True),
        ("< 0.1 %", 0.4, False),
        ("< 100 %", 0.4, False),
        (0.77, 0.7709, True),
        ("0.8", 0.7709, True),  # rounded to one decimal, as it is written
        (0.8, 0.7709, False),  # computed, so it is not a matter of rounding
        ("18", 18.4, True),
        ("1", 0.951, False),
        (1.0, 0.951, False),
        ("1,280", 1280, True),
        ("3200 %", 32, False),
        (7, "7", True),
        ("14 x 14", "14×14", True),
        (np.float32(0.77), 0.7709, True),
        (np.int64(144), 144, True),
        (2e-8, 3e-8, True),
        ("0.5", 0.7709, False),
        ("0,951", 0.951, True),  # three decimals behind a comma are no thousands
        ("-0,125", -0.125, True),
        ("1,280", 1.28, True),
        ("1,280", 12.8, False),
        ("12,345", 12.345, True),
        ("1,280,000", 1280000, True),
        ("1,280,000", 1.28, False),
        ("1,280.5", 1280.5, True),
        ("1.280,5", 1280.5, True),
        ("1.280", 1280, True),
        ("1 280", 1280, True),
        ("0,951", 951, False),
        ("01,280", 1280, False),
        ("1,28", 128, False),
        ("1,280,5", 1280.5, False),
        ("95,123 %", 0.95123, True),
        ("0,77", 0.7709, True),
        (77, 0.7709, False),
        (144, 144, True),
        ("144", 144, True),
        (143, 144, False),
        (145.4, 144, False),
        (-1.2, -1.204, True),
        ("−1.2", -1.204, True),
        (True, 1, False),
        ("a lot", 0.5, False),
        (None, None, True),
        (0.0, None, False),
        (float("nan"), 0.5, False),
    ],
)
def test_a_claim_is_right_as_a_person_would_say(claimed, measured, right):
    assert agrees(claimed, measured) is right


def test_every_quantity_is_measured_as_the_scene_has_it(explorer):
    explorer.show(layer="conv2", filter=1, class_index="dog")
    scene = explorer.scene
    found = {name: measure(scene, name) for name in QUANTITIES}
    assert found["top class"] == scene.predictions[0].name
    assert found["explained class"] == "dog"
    assert found["filters"] == 8
    assert found["filter maximum"] == float(scene.activations[..., 1].max())
    assert found["filter zeros"] == float((scene.activations[..., 1] == 0).mean())
    assert found["map size"] == "8×6"
    assert found["silent filters"] == float((net_peaks(scene) <= 0).mean())
    with pytest.raises(ValueError, match="Unknown quantity 'size'"):
        measure(scene, "size")


def net_peaks(scene):
    return scene.network.activations(scene.sample, "conv2").max(axis=(0, 1))


def test_a_notebook_grader_can_assert_on_a_view(explorer):
    explorer.show(image="two", layer="conv2", filter=1, class_index="dog", region=(1, 2, 9, 9))
    assert_view(explorer, image="two", layer="conv2", filter=1, class_index="dog", filters=8,
                region=[1, 2, 9, 9], explained_class="DOG")  # fmt: skip
    for wrong in ({"image": "one"}, {"class_index": "ape"}, {"filters": 9}, {"versus": "ape"}):
        with pytest.raises(AssertionError, match=f"Expected {next(iter(wrong)).split('_')[0]}"):
            assert_view(explorer, **wrong)
    assert_view(explorer, versus=None)
    explorer.show(center=(0.25, 0.5), zoom=2)
    assert_view(explorer, center=np.array([0.25, 0.5]), region=np.array([1, 2, 9, 9]),
                filters=np.array(8), zoom=np.float32(2))  # fmt: skip
    for wrong in ({"center": np.array([0.5, 0.5])}, {"image": np.array(["one", "two"])}):
        with pytest.raises(AssertionError, match="Expected"):
            assert_view(explorer, **wrong)
    for other in (None, explorer.state, explorer.scene):
        with pytest.raises(TypeError, match="Expected a CNNExplorer"):
            assert_view(other, image="two")
    with pytest.raises(ValueError, match="Unknown claim 'size_of_cat'"):
        assert_view(explorer, size_of_cat=3)


def test_letters_of_a_mac_are_the_same_answer(explorer, net, pictures):
    assert agrees("ka\u0308se", "K\u00e4se")
    assert not agrees("kase", "K\u00e4se")
    named = cw.Network(net.model, preprocess="none", class_names=["\u00e4", "b", "c", "d"])
    shown = cw.CNNExplorer(named, {"Ba\u0308r": pictures["one"]})
    shown.show(image="Ba\u0308r", class_index="a\u0308")
    assert_view(shown, image="Ba\u0308r", class_index="A\u0308", explained_class="a\u0308")
    shown.close()
