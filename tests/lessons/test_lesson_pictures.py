"""The pictures that the lessons train on: seeded shapes with a mark, and real digits."""

import numpy as np
import pytest

from cnn_widgets.lessons import SHAPES, digits, shapes, stamped
from cnn_widgets.lessons.shapes import MARK


def test_shapes_are_seeded_and_differ_from_each_other():
    pictures, numbers = shapes(9, seed=4)
    assert pictures.dtype == np.uint8
    assert pictures.shape == (9, 32, 32, 3)
    assert numbers.tolist() == [0, 1, 2] * 3
    assert np.array_equal(pictures, shapes(9, seed=4)[0])
    assert np.array_equal(pictures[:5], shapes(5, seed=4)[0])
    assert not np.array_equal(pictures, shapes(9, seed=5)[0])
    assert len({each.tobytes() for each in pictures}) == 9


def test_no_class_is_told_by_its_mean_colour_or_brightness():
    pictures, numbers = shapes(600, seed=1)
    means = pictures.mean(axis=(1, 2))
    spread = means.std(axis=0)
    for number in range(len(SHAPES)):
        gap = means[numbers == number].mean(axis=0) - means[numbers != number].mean(axis=0)
        assert (np.abs(gap) < 0.25 * spread).all()


def test_a_mark_is_put_on_one_shape_in_one_corner_only():
    pictures, numbers = shapes(300, seed=2)
    before = pictures.copy()
    marked = stamped(pictures, numbers, "square", seed=3)
    assert np.array_equal(pictures, before)
    changed = (marked != pictures).any(axis=(1, 2, 3))
    assert set(numbers[changed]) == {SHAPES.index("square")}
    assert 90 <= changed.sum() <= 100
    assert (marked[changed][:, -6:-1, -6:-1] == MARK).all()
    outside = (marked != pictures).any(axis=(0, 3))
    outside[-6:-1, -6:-1] = False
    assert not outside.any()
    assert not (stamped(pictures, numbers, "square", share=0) != pictures).any()


@pytest.mark.parametrize(
    ("shape", "share", "words"),
    [("star", 1, "Unknown shape 'star'. Shapes: disc"), ("disc", 2, "between 0 and 1")],
)
def test_what_cannot_be_stamped_is_refused(shape, share, words):
    with pytest.raises(ValueError, match=words):
        stamped(*shapes(3), shape, share)


def test_digits_are_dark_on_light_paper_and_all_there():
    pictures, numbers = digits()
    assert pictures.shape == (1797, 64, 64, 3)
    assert np.bincount(numbers).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (pictures[:, :8] == 255).all()  # paper
    assert (pictures.min(axis=(1, 2, 3)) < 64).all()  # ink
    assert (pictures.mean(axis=(1, 2, 3)) > 127).all()
    part, some = digits(20, start=100)
    assert np.array_equal(part, pictures[100:120])
    assert np.array_equal(some, numbers[100:120])


@pytest.mark.parametrize(("count", "start"), [(0, 0), (-1, 3), (1, -1), (10, 1790), (1, 5000)])
def test_digits_that_are_not_there_are_refused(count, start):
    with pytest.raises(ValueError, match="There are 1797 pictures"):
        digits(count, start)
