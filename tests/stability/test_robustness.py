"""How long an answer holds while photographs change: on networks where it is known beforehand."""

from concurrent.futures import CancelledError

import numpy as np
import pytest
from helpers.colors import COLORS, color_net, picture

import cnn_widgets as cw
from cnn_widgets.stability import CHANGES, robustness
from cnn_widgets.stability.changes import _shift, _turn

net = color_net  # the fixture


@pytest.fixture(scope="module")
def bright(keras):
    """The score of "bright" is the mean brightness, that of "dark" is one half."""
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((16, 16, 3)), layers.Conv2D(2, 1, name="mean"),
        layers.GlobalAveragePooling2D(), layers.Dense(2, activation="softmax"),
    ])  # fmt: skip
    kernel = np.zeros((1, 1, 3, 2))
    kernel[..., 0] = 1 / 3
    model.layers[0].set_weights([kernel, np.zeros(2)])
    model.layers[2].set_weights([np.array([[9.0, 0], [0, 0]]), np.array([0, 4.5])])
    return cw.Network(model, preprocess=lambda x: x / 255, class_names=["bright", "dark"])


def grey(level):
    return np.full((16, 16, 3), level, np.uint8)


def test_the_level_at_which_the_answer_turns_is_the_one_worked_out(bright):
    """Of 204, 150 and 140 in 255, what is left at 0.8, 0.6, 0.4 and 0.2 falls below one half."""
    (curve,) = robustness(bright, [grey(204), grey(150), grey(140), grey(20)], changes=["darker"])
    assert curve.turns[:3] == (0.6, 0.8, 0.8)
    assert np.isnan(curve.turns[3])
    assert [share.right for share in curve.same] == [2, 1, 1, 1]
    assert curve.first == 1
    assert [share.count for share in curve.right] == [0, 0, 0, 0]


def test_with_labels_the_right_ones_are_counted(bright):
    (curve,) = robustness(bright, [(grey(204), "bright"), (grey(20), "bright"), (grey(30), "dark")],
                          changes=["brighter"])  # fmt: skip
    assert [share.right for share in curve.right] == [2, 2, 2, 2]
    assert [share.count for share in curve.right] == [3, 3, 3, 3]
    assert all(np.isnan(curve.turns))
    assert curve.first is None


def test_a_network_of_mean_colours_does_not_mind_most_changes(net):
    curves = robustness(net, [picture(color) for color in COLORS])
    assert [curve.name for curve in curves] == list(CHANGES)
    for curve in curves:
        if curve.name != "brighter":
            assert [share.right for share in curve.same] == [3, 3, 3, 3], curve.name


def test_evidence_that_moves_with_the_photograph_agrees(net):
    """The maps of this network are its red channel: they are moved exactly as the picture is."""
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[8:20, 8:16, 0] = 250
    for curve in robustness(net, [pixels], changes=["shift", "rotation", "scale"]):
        assert min(curve.agreement[:3]) > 0.9, curve
    mark = CHANGES["occlusion"]
    assert mark.moves is None


def test_changes_do_what_their_titles_say():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (30, 40, 3), np.uint8)
    assert np.array_equal(_shift(pixels, 0.1)[3:, 4:], pixels[:-3, :-4])
    square = pixels[:, :30]
    assert np.array_equal(_turn(square, 90), np.rot90(square))
    covered = CHANGES["occlusion"].apply(pixels, 0.2, np.random.default_rng(1))
    changed = (covered != pixels).any(axis=2).mean()
    assert changed == pytest.approx(0.2, abs=0.03)
    noisy = CHANGES["noise"].apply(np.full((90, 90, 3), 128, np.uint8), 10, rng)
    assert (noisy - 128.0).std() == pytest.approx(10, rel=0.05)
    for name, change in CHANGES.items():
        steps = [np.abs(change.apply(pixels, level, np.random.default_rng(0)).astype(float)
                        - pixels).mean() for level in change.levels]  # fmt: skip
        assert steps[0] < steps[-1], name


def test_the_same_seed_gives_the_same_curves(bright):
    some = [grey(128)] * 8  # just bright: which noise turns it depends on the noise alone
    first, again, other = (
        robustness(bright, some, changes=["noise"], seed=seed)[0] for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first.turns, again.turns)
    assert first.same == again.same
    assert len(set(first.turns)) > 1  # each photograph has noise of its own
    assert not np.array_equal(first.turns, other.turns, equal_nan=True)


def test_an_unreadable_photograph_is_left_out(bright, tmp_path):
    from PIL import Image

    Image.fromarray(grey(204)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"broken")
    (curve,) = robustness(bright, tmp_path, changes=["darker"])
    assert [share.count for share in curve.same] == [1, 1, 1, 1]
    assert np.isnan(curve.turns[1])


def test_bad_questions_are_refused_and_it_can_be_stopped(bright):
    one = robustness(bright, [grey(200)], changes="darker")
    assert [each.name for each in one] == ["darker"]
    with pytest.raises(ValueError, match="Unknown change 'nope'"):
        robustness(bright, [grey(1)], changes="nope")
    with pytest.raises(ValueError, match="Unknown change 'nope'"):
        robustness(bright, [grey(1)], changes=["nope"])
    with pytest.raises(ValueError, match=r"Expected fit to be one of .* Received: 'foo'"):
        robustness(bright, [grey(1)], changes=["darker"], fit="foo")
    with pytest.raises(ValueError, match="goes over the photographs again"):
        robustness(bright, iter([grey(1)]))
    with pytest.raises(CancelledError, match="after 2 of 5 passes"):
        robustness(bright, [grey(200)], changes=["darker"],
                   progress=lambda done, total: done < 2)  # fmt: skip


def test_a_photograph_that_is_cut_stays_cut_when_it_is_changed(net):
    """Its left half is red, its middle blue: stretched, it would be another picture."""
    pixels = np.zeros((8, 32, 3), np.uint8)
    pixels[:, :12, 0] = pixels[:, 12:20, 2] = pixels[:, 20:, 0] = 220
    (curve,) = robustness(net, [cw.load_image(pixels, fit="crop")], changes=["darker"])
    assert curve.same[0].right == 1
    assert curve.agreement[0] > 0.99
    (curve,) = robustness(net, [pixels], changes=["darker"], fit="crop")
    assert curve.same[0].right == 1
