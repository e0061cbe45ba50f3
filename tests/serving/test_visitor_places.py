"""Who has a place, and when it is free again: all with a clock that the test moves."""

import pytest

from cnn_widgets.serving.places import ARRIVAL, Places


@pytest.fixture
def now():
    return [1000.0]


@pytest.fixture
def places(now):
    return Places(2, lambda: now[0])


def test_no_more_come_in_than_there_are_places(places):
    assert [places.ask() for _ in range(4)] == [True, True, False, False]
    assert places.taken == 2


def test_a_visitor_takes_one_place_from_the_door_to_the_end(places):
    assert places.ask()
    places.answered()
    places.connected("a")
    assert places.taken == 1
    places.connected("a")  # a second connection of the same page
    places.disconnected("a")
    assert places.taken == 1
    assert places.gone(0) == []
    places.ended("a")
    assert places.taken == 0


def test_a_place_that_was_asked_for_and_never_taken_is_free_after_a_while(places, now):
    assert places.ask()
    assert places.ask()
    assert not places.ask()
    now[0] += 10 * ARRIVAL  # a busy computer takes long to make the pages: the places are held
    assert not places.ask()
    places.answered()
    places.answered()
    now[0] += ARRIVAL - 1
    assert not places.ask()
    now[0] += 2
    assert places.taken == 0
    assert places.ask()


def test_a_page_that_comes_back_in_time_keeps_its_place(places, now):
    places.ask()
    places.answered()
    places.connected("a")
    places.disconnected("a")
    now[0] += 20
    assert places.gone(30) == []
    assert places.gone(20) == ["a"]
    places.connected("a")
    now[0] += 1000
    assert places.gone(30) == []
    assert places.taken == 1


def test_a_kernel_whose_page_never_comes_has_left_once_the_time_to_arrive_is_over(places, now):
    places.handed_out("a")
    now[0] += ARRIVAL
    places.handed_out("a")  # told at each look; the first counts
    assert places.gone(30) == []
    now[0] += 30
    assert places.gone(30) == ["a"]
    places.ended("a")
    assert places.gone(0) == []


def test_a_kernel_whose_page_is_still_being_made_has_not_left(places, now):
    places.ask()
    places.handed_out("a")
    now[0] += 10 * ARRIVAL
    assert places.gone(0) == []
    places.answered()
    places.handed_out("a")
    now[0] += ARRIVAL + 30
    assert places.gone(30) == ["a"]


def test_a_connected_kernel_is_not_taken_for_one_without_a_page(places, now):
    places.connected("a")
    places.handed_out("a")
    now[0] += 10 * ARRIVAL
    assert places.gone(0) == []


def test_signs_of_an_unknown_kernel_change_nothing(places):
    places.disconnected("never seen")
    places.ended("never seen")
    assert places.taken == 0
    assert places.gone(0) == []
