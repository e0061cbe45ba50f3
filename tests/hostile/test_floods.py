"""Floods of events, in any order and from any thread: what is drawn is what the state says."""

from __future__ import annotations

import faulthandler
import gc
import sys
import threading
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import comm
import matplotlib.pyplot as plt
import pytest
from helpers.networks import tiny
from helpers.person import Person, brief, differences, idle, other, pictures, resident
from ipywidgets.widgets.widget import _instances as alive
from traitlets import TraitError

import cnn_widgets as cw


@pytest.fixture(autouse=True)
def _time_limit():
    """End a deadlock with the stacks of all threads, instead of waiting for ever."""
    faulthandler.dump_traceback_later(240, exit=True, file=sys.__stderr__)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="module")
def models(keras):
    return tiny(keras), other(keras)


@pytest.fixture(scope="module")
def networks(models):
    return [cw.Network(model, preprocess="none") for model in models]


@pytest.fixture
def explorer(networks):
    photos = dict(zip(("one", "two"), pictures(2), strict=True))
    made = cw.CNNExplorer(networks[0], photos, models={"other": networks[1]})
    yield made
    made.close()


def at_rest(explorer):
    """Look at the page once all is calm: nothing runs, and whoever trained has moved something."""
    idle(explorer)
    explorer.state.alpha = 0.31 if explorer.state.alpha != 0.31 else 0.32
    return differences(explorer)


@pytest.mark.parametrize(
    ("seed", "count"), [(1, 90), pytest.param(2, 1000, marks=pytest.mark.slow)]
)
def test_whatever_a_person_does_the_page_shows_what_the_state_says(
    explorer, models, tmp_path, seed, count
):
    person = Person(explorer, tmp_path, seed, models)
    for number in range(1, count + 1):
        explorer.last_error = None
        good = person.act()
        error = explorer.last_error
        told = f"{number}: {error!r}\n" + "\n".join(person.log)
        if good:
            assert error is None or "Pointing asks" in str(error), told
        elif good is False:
            assert error is not None, told
        if number % 15 == 0 or number == count:
            found = at_rest(explorer)
            assert not found, brief(found, person.log)


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_six_people_at_once_end_in_the_picture_of_the_last_state(explorer, models, tmp_path, seed):
    people = [Person(explorer, tmp_path, 10 * seed + i, models[1:], False) for i in range(6)]
    failed = []

    def busy(person):
        try:
            for _ in range(25):
                try:
                    person.act()
                except TraitError:  # an entry of a list that is another list by now
                    continue
                except ValueError:  # a script's wish for a network that is another one by now
                    if not person.log[-1].startswith(("state", "show")):
                        raise
        except BaseException as error:
            failed.append(f"{error!r}\n" + "\n".join(person.log))
            raise

    threads = [threading.Thread(target=busy, args=(person,), daemon=True) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not [thread for thread in threads if thread.is_alive()]
    assert not failed, "\n\n".join(failed)
    found = at_rest(explorer)
    assert not found, brief(found, [event for person in people for event in list(person.log)[-4:]])


# --- growth -------------------------------------------------------------------------------------


def living():
    """Return how many there are of what an explorer makes."""
    gc.collect()
    kinds = Counter(type(each).__name__ for each in gc.get_objects())
    names = ("CNNExplorer", "State", "Scene", "Controls", "Catalogue", "Network", "Trace", "Figure")
    return {name: kinds[name] for name in names} | {
        "widgets": len(alive),
        "comms": len(comm.get_comm_manager().comms),
        "threads": threading.active_count(),
        "pyplot figures": len(plt.get_fignums()),
    }


def turn(network, photos):
    """Create, use and close one explorer; return what must die with it."""
    made = cw.CNNExplorer(network, photos)
    made.show(layer="conv2", filter=2, method="saliency", trust=True)
    made.controls.widgets["filter"].set_state({"value": 1})
    made.close()
    return weakref.ref(made)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "warm", "count", "limit"),
    [
        ("Network", 10, 200, 15.0),
        ("model", 3, 8, 40.0),
    ],
)
def test_explorers_created_and_closed_leave_nothing_behind(keras, kind, warm, count, limit):
    model = tiny(keras)
    given = cw.Network(model, preprocess="none") if kind == "Network" else model
    photos = dict(zip(("one", "two"), pictures(2), strict=True))
    for _ in range(warm):  # what is compiled and cached once for all
        turn(given, photos)
    before, memory = living(), resident()
    dead = [turn(given, photos) for _ in range(count)]
    after, grown = living(), resident() - memory
    assert not [ref for ref in dead if ref() is not None]
    assert after == before
    assert grown < limit


@pytest.mark.slow
def test_two_explorers_moved_from_two_threads_each_draw_their_own_state(networks, models, tmp_path):
    for second in (networks[0], cw.Network(models[0], preprocess="none")):
        photos = dict(zip(("one", "two"), pictures(2), strict=True))
        both = [cw.CNNExplorer(net, photos) for net in (networks[0], second)]
        people = [Person(each, tmp_path, 40 + i) for i, each in enumerate(both)]
        with ThreadPoolExecutor(2) as pool:
            moving = [pool.submit(lambda p=person: [p.act() for _ in range(25)])
                      for person in people]  # fmt: skip
            for each in moving:
                each.result(120)
        for each, person in zip(both, people, strict=True):
            found = at_rest(each)
            assert not found, brief(found, person.log)
        for each in both:
            each.close()
