"""The ranking of methods beside chance."""

from concurrent.futures import CancelledError

import numpy as np
import pytest

import cnn_widgets as cw
from cnn_widgets.attribution import QUICK
from cnn_widgets.evaluation.randomization import sanity_check
from cnn_widgets.evaluation.ranking import EDGES, RANDOM, beside_chance, control_maps, rank


@pytest.mark.slow
def test_methods_are_ranked_by_their_areas_beside_chance(lite0, gallery):
    table = rank(lite0, gallery["espresso"], ["saliency", "grad-cam", "grad-cam"], steps=12)
    gains = [each.gain for each in table]
    assert gains == sorted(gains, reverse=True)
    assert sorted(each.title for each in table) == ["Grad-CAM", "Saliency", EDGES, RANDOM]
    assert table[0].method == "grad-cam"
    assert all((each.method is None) == (each.title in (EDGES, RANDOM)) for each in table)
    assert all(each.seconds > 0 for each in table if each.method)
    alone = beside_chance(lite0, cw.attribute(lite0, gallery["espresso"]), steps=12)
    assert [each.title for each in alone] == ["Grad-CAM", RANDOM, EDGES]
    by_title = {each.title: each for each in table}
    for each in alone:
        assert each.gain == pytest.approx(by_title[each.title].gain, abs=1e-6)


def test_the_meaningless_maps_know_the_picture_but_not_the_network(gallery):
    maps = control_maps(gallery["cat"], seed=1)
    again, other = control_maps(gallery["cat"], seed=1), control_maps(gallery["cat"], seed=2)
    for name, values in maps.items():
        assert values.shape == gallery["cat"].size
        np.testing.assert_array_equal(values, again[name])
    assert not np.array_equal(maps[RANDOM], other[RANDOM])
    np.testing.assert_array_equal(maps[EDGES], other[EDGES])
    step = np.zeros((6, 8, 3), np.uint8)
    step[:, 4:] = 255
    edges = control_maps(cw.load_image(step))[EDGES]
    assert edges[:, 3:5].min() > 0
    assert edges[:, [0, 1, 6, 7]].max() == 0


def test_progress_goes_up_to_the_end_and_cancels(tiny_net, photo):
    for run in (
        lambda progress: rank(tiny_net, photo, ["grad-cam", "rise"], steps=3, progress=progress),
        lambda progress: sanity_check(tiny_net, photo, "occlusion", steps=3, progress=progress),
        lambda progress: beside_chance(
            tiny_net, cw.attribute(tiny_net, photo), steps=3, progress=progress
        ),
    ):
        told = []
        run(lambda done, total, told=told: told.append((done, total)) or True)
        assert len({total for _, total in told}) == 1
        done = [done for done, _ in told]
        assert done == sorted(done)
        assert done[0] == 0
        assert 0 < done[-1] <= told[0][1]
        with pytest.raises(CancelledError):
            run(lambda done, total: done < total / 2)


def test_a_network_without_relus_is_ranked_without_guided_maps(keras, photo):
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((16, 12, 3)), layers.Conv2D(4, 3, activation="swish"),
        layers.GlobalAveragePooling2D(), layers.Dense(3),
    ])  # fmt: skip
    net = cw.Network(model, preprocess="none")
    found = {each.method for each in rank(net, photo, steps=2)}
    assert found == {None, *QUICK} - {"guided-backprop", "guided-grad-cam"}
    with pytest.raises(ValueError, match="none is found in this network"):
        rank(net, photo, ["guided-backprop"], steps=2)
    explorer = cw.CNNExplorer(net, {"photo": photo.pixels})
    assert explorer.judge("ranking") is not None
    explorer.close()
