"""Concepts and parts on a network that is known: the score of a class is ten times one colour."""

from concurrent.futures import CancelledError

import numpy as np
import pytest
from PIL import Image

import cnn_widgets as cw
from cnn_widgets.concepts.factors import coefficients, factorised, total_indices


@pytest.fixture(scope="module")
def net(keras):
    layers = keras.layers
    model = keras.Sequential([keras.Input((8, 8, 3)),
                              layers.Conv2D(3, 1, activation="relu", name="colors"),
                              layers.GlobalAveragePooling2D(),
                              layers.Dense(3, use_bias=False, activation="softmax")])  # fmt: skip
    model.layers[0].set_weights([np.eye(3)[None, None], np.zeros(3)])
    model.layers[2].set_weights([10 * np.eye(3)])
    return cw.Network(model, preprocess=lambda x: x / 255, class_names=["red", "green", "blue"])


def noise(count, seed):
    return np.random.default_rng(seed).integers(0, 200, (count, 8, 8, 3)).astype(np.uint8)


def more(channel, count, seed):
    """Return noise in which one channel is brighter by 50."""
    found = noise(count, seed)
    found[..., channel] += 50
    return found


def test_a_planted_concept_is_found(net):
    found = cw.concept(net, more(0, 8, 1), noise(12, 2), noise(5, 3), "red")
    assert (found.layer, found.class_index, found.counts) == ("colors", 0, (8, 12, 5))
    assert found.accuracy == 1
    assert found.score == 1
    assert found.effect == pytest.approx(10 * 50 / 255, rel=0.15)
    assert found.p_value == pytest.approx(1 / 501)
    np.testing.assert_allclose(found.vector, [1, 0, 0], atol=0.3)
    assert found.runs == 500


def test_a_concept_that_speaks_against_a_class_is_found_too(net):
    found = cw.concept(net, noise(12, 2), more(0, 8, 1), noise(5, 3), "red")
    assert found.score == 0
    assert found.effect < 0
    assert found.p_value < 0.01


def test_a_concept_that_the_class_does_not_use_is_in_the_layer_but_not_significant(net):
    found = cw.concept(net, more(2, 8, 1), noise(12, 2), noise(5, 3), "red")
    assert found.accuracy == 1
    assert found.p_value > 0.05


@pytest.mark.slow
def test_random_pictures_are_no_concept(net):
    """Of 30 random sets about one in twenty is below 0.05, whatever the score itself says."""
    found = [cw.concept(net, noise(8, seed), noise(12, 2), noise(3, 3), "red", runs=99)
             for seed in range(100, 130)]  # fmt: skip
    values = np.array([each.p_value for each in found])
    assert (values < 0.05).sum() <= 4
    assert 0.3 < values.mean() < 0.7
    assert np.mean([each.accuracy for each in found]) < 0.65
    assert {each.score for each in found} == {0.0, 1.0}  # which is why the score alone says nothing


def test_random_sets_may_come_from_pictures_of_their_own(net):
    found = cw.concept(net, more(0, 6, 1), more(1, 6, 2), noise(3, 3), "red",
                       randoms=noise(20, 4), runs=99)  # fmt: skip
    assert found.p_value < 0.05
    innocent = cw.concept(net, noise(6, 5), more(1, 6, 2), noise(3, 3), "red",
                          randoms=noise(20, 4), runs=99)  # fmt: skip
    assert innocent.p_value > 0.05


@pytest.mark.parametrize(("own", "rest", "pool", "least"), [
    (3, 3, None, 2 / 20), (4, 4, None, 2 / 70), (3, 5, None, 1 / 56), (3, 3, 6, 1 / 84),
    (9, 9, None, 1 / 100),
])  # fmt: skip
def test_the_smallest_p_value_is_that_of_all_sets_that_can_be_drawn(net, own, rest, pool, least):
    """A perfect concept: no random set but its own is as far from no effect."""
    randoms = None if pool is None else noise(pool, 4)
    found = cw.concept(net, more(0, own, 1), more(1, rest, 2), noise(3, 3), "red",
                       randoms=randoms, runs=99)  # fmt: skip
    assert found.least_p == pytest.approx(least)
    assert found.p_value >= 0.3 * least


def test_a_name_that_fails_in_two_sets_is_told_of_both(net, tmp_path):
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        for number, pixels in enumerate(noise(3, 5)):
            Image.fromarray(pixels).save(tmp_path / folder / f"{folder}{number}.png")
        (tmp_path / folder / "same.png").write_bytes(b"broken")
    found = cw.concept(net, tmp_path / "one", tmp_path / "other", noise(2, 3), 0, runs=20)
    assert set(found.errors) == {"same.png", "same.png (negatives)"}


def test_the_same_seed_gives_the_same_answer(net):
    given = more(0, 4, 1), noise(5, 2), noise(2, 3), "red"
    first, again = (cw.concept(net, *given, runs=30, seed=7) for _ in range(2))
    np.testing.assert_array_equal(first.random_effects, again.random_effects)


def test_too_few_pictures_are_refused_and_it_can_be_stopped(net, tmp_path):
    some = noise(4, 0)
    with pytest.raises(ValueError, match=r"at least 3 pictures of the concept .* Received: 1"):
        cw.concept(net, some[:1], some, some, 0)
    with pytest.raises(ValueError, match="at least 3 other pictures"):
        cw.concept(net, some, some[:2], some, 0)
    with pytest.raises(ValueError, match="at least 3 random pictures"):
        cw.concept(net, some, some, some, 0, randoms=some[:2])
    with pytest.raises(ValueError, match="at least 2 photographs of the class"):
        cw.concept(net, some, some, some[:1], 0)
    with pytest.raises(ValueError, match="runs to be at least 20"):
        cw.concept(net, some, some, some, 0, runs=5)
    (tmp_path / "a.png").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"Received: 0 \(a.png: "):
        cw.concept(net, tmp_path, some, some, 0)
    with pytest.raises(CancelledError, match="after 3 of 12"):
        cw.concept(net, some, some, some, 0, progress=lambda done, total: done < 3)


@pytest.fixture(scope="module")
def halves():
    """Black photographs of one colour in the left half and another in the right."""
    found = []
    for n in range(4):
        pixels = np.zeros((32, 32, 3), np.uint8)
        pixels[:, :16, 0] = 200 + 10 * n
        pixels[:, 16:, 1] = 230 - 10 * n
        found.append(pixels)
    return found


def test_the_parts_of_a_class_are_found_weighed_and_placed(net, halves):
    found = cw.parts(net, halves, "red", count=2, samples=64)
    red, green = found.parts
    np.testing.assert_allclose(red.vector, [1, 0, 0], atol=0.02)
    np.testing.assert_allclose(green.vector, [0, 1, 0], atol=0.02)
    assert red.importance == pytest.approx(1, abs=0.25)
    assert green.importance == pytest.approx(0, abs=0.01)
    assert red.effect == pytest.approx(10 * 215 / 255 / 2, rel=0.05)
    assert green.effect == pytest.approx(0, abs=0.1)
    assert found.explained > 0.999
    assert red.crops[0][2][..., 0].mean() > 180
    assert len({name for name, *_ in red.crops[:4]}) == 4
    where = found.maps(cw.load_image(halves[0]))
    assert where.shape == (2, 32, 32)
    assert where[0, :, :10].min() > 0.7
    assert where[0, :, 22:].max() < 0.05


def test_parts_are_seeded_count_their_steps_and_refuse_what_they_cannot_do(net, halves, keras):
    first, again = (cw.parts(net, halves, 0, count=2, samples=4, seed=3) for _ in range(2))
    assert [each.importance for each in first.parts] == [each.importance for each in again.parts]
    seen = []
    cw.parts(net, halves, 0, count=2, samples=4, progress=lambda *done: seen.append(done))
    assert seen == [(n, 8) for n in range(1, 9)]
    with pytest.raises(CancelledError):
        cw.parts(net, halves, 0, progress=lambda done, total: False)
    with pytest.raises(ValueError, match="at least 2 photographs"):
        cw.parts(net, halves[:1], 0)
    with pytest.raises(ValueError, match="come only once"):
        cw.parts(net, iter(halves), 0)
    with pytest.raises(ValueError, match=r"(count|samples) to be at least 2"):
        cw.parts(net, halves, 0, count=1)
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 1, name="linear"),
                              keras.layers.GlobalAveragePooling2D()])  # fmt: skip
    model.layers[0].set_weights([-np.eye(3)[None, None], np.zeros(3)])
    with pytest.raises(ValueError, match="never below 0"):
        cw.parts(cw.Network(model, preprocess="none", head="logits"), halves, 0, layer="linear")


def test_planted_factors_are_found():
    rng = np.random.default_rng(0)
    u, w = rng.random((60, 3)) * (rng.random((60, 3)) < 0.5), np.eye(8)[[1, 4, 6]]
    found_u, found_w = factorised(u @ w, 3)
    np.testing.assert_allclose(found_u @ found_w, u @ w, atol=1e-5)
    assert sorted(found_w.argmax(axis=1)) == [1, 4, 6]
    np.testing.assert_allclose(coefficients(u @ w, w), u, atol=1e-6)
    assert not factorised(np.zeros((4, 3)), 2)[0].any()


def test_total_indices_are_those_worked_out():
    """Of x + 2 y the shares are 1/5 and 4/5; of x y each takes part in 4/7 of the variance."""
    rng = np.random.default_rng(0)
    found = total_indices(lambda p: p[:, 0] + 2 * p[:, 1], 3, rng, 4000)
    np.testing.assert_allclose(found, [0.2, 0.8, 0], atol=0.03)
    found = total_indices(lambda p: p[:, 0] * p[:, 1], 2, rng, 4000)
    np.testing.assert_allclose(found, [4 / 7, 4 / 7], atol=0.04)
    assert np.isnan(total_indices(lambda p: np.ones(len(p)), 2, rng)).all()
