"""The store that forgets what was not asked for the longest."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

import numpy as np
import pytest

from cnn_widgets.engine.cache import ByteCache


def bytes_of(size: int) -> np.ndarray:
    return np.zeros(size, np.uint8)


def test_what_was_put_is_returned_and_got_again():
    cache = ByteCache(100)
    array = bytes_of(40)
    assert cache.put("a", array, [array]) is array
    assert cache.get("a") is array
    assert cache.get("b") is None
    assert cache.nbytes == 40


def test_the_one_longest_not_asked_for_goes_first():
    cache = ByteCache(100)
    for key in "abc":
        cache.put(key, key, [bytes_of(30)])
    cache.get("a")
    cache.put("d", "d", [bytes_of(30)])
    assert [cache.get(key) for key in "abcd"] == ["a", None, "c", "d"]


def test_the_limit_itself_is_allowed_and_a_byte_more_is_not():
    cache = ByteCache(100)
    cache.put("a", 1, [bytes_of(60)])
    cache.put("b", 2, [bytes_of(40)])
    assert cache.nbytes == 100
    cache.put("c", 3, [bytes_of(1)])
    assert cache.get("a") is None
    assert cache.nbytes == 41


def test_as_many_go_as_it_takes():
    cache = ByteCache(100)
    for key in range(10):
        cache.put(key, key, [bytes_of(10)])
    cache.put("large", 0, [bytes_of(50), bytes_of(45)])
    assert [cache.get(key) for key in range(10)] == [None] * 10
    assert cache.nbytes == 95


def test_the_newest_value_is_kept_even_where_it_alone_is_too_heavy():
    cache = ByteCache(100)
    cache.put("a", 1, [bytes_of(50)])
    assert cache.put("b", 2, [bytes_of(101)]) == 2
    assert cache.get("b") == 2
    assert cache.get("a") is None
    cache.put("c", 3, [bytes_of(10)])
    assert cache.get("b") is None
    assert cache.nbytes == 10


def test_one_too_heavy_stays_until_the_next_of_its_kind():
    cache = ByteCache(100)
    cache.put("maps", 1, [bytes_of(150)], kind="maps")
    cache.put("gradients", 2, [bytes_of(120)], kind="gradients")
    for key in range(4):
        cache.put(key, key, [bytes_of(40)])
    assert (cache.get("maps"), cache.get("gradients")) == (1, 2)
    assert [cache.get(key) for key in range(4)] == [None, None, 2, 3]  # these share the limit
    cache.put("other maps", 3, [bytes_of(110)], kind="maps")
    assert (cache.get("maps"), cache.get("gradients")) == (None, 2)
    cache.put("light", 4, [bytes_of(10)], kind="maps")
    assert cache.get("other maps") == 3
    cache.clear()
    assert cache.nbytes == 0


def test_a_value_put_again_counts_once():
    cache = ByteCache(100)
    cache.put("a", "old", [bytes_of(60)])
    cache.put("a", "new", [bytes_of(70)])
    assert cache.get("a") == "new"
    assert cache.nbytes == 70


def test_clear_forgets_everything():
    cache = ByteCache(100)
    cache.put("a", 1, [bytes_of(10)])
    cache.clear()
    assert cache.get("a") is None
    assert cache.nbytes == 0


def test_many_threads_never_push_it_over_its_limit():
    cache = ByteCache(1000)
    start, over = threading.Barrier(8), []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        start.wait()
        for key in rng.integers(0, 50, 300).tolist():
            if cache.get(key) is None:
                cache.put(key, key, [bytes_of(int(rng.integers(1, 200)))])
            over.append(cache.nbytes > 1000)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(over) == 8 * 300
    assert not any(over)


def test_the_number_of_bytes_is_that_of_what_can_still_be_got():
    rng, cache = np.random.default_rng(0), ByteCache(1000)
    sizes = {}
    for _ in range(2000):
        key, size = int(rng.integers(40)), int(rng.integers(1, 1200 if rng.random() < 0.1 else 90))
        kind = "large" if size > 1000 else None
        cache.put(key, key, [bytes_of(size)], kind=kind)
        sizes[key] = size
        kept = [each for each in sizes if cache.get(each) is not None]
        assert key in kept
        assert cache.nbytes == sum(sizes[each] for each in kept)


def test_to_put_a_small_value_takes_no_longer_in_a_cache_of_many():
    cache, value, took = ByteCache(10**9), bytes_of(8), []
    for turn in range(30):
        start = time.process_time()
        for key in range(1000):
            cache.put((turn, key), value, [value])
        took.append(time.process_time() - start)
    # going through all entries each time, the last thousand took 50 times as long as the first
    assert min(took[-3:]) < 10 * max(took[:3])


def by_definition(entries, oversized, limit, key, size, kind):
    """Put a size into an ordered dict as the class's docstring says, however long it takes."""
    entries.pop(key, None)
    if kind is not None and size > limit:
        entries.pop(oversized.get(kind), None)
        oversized[kind] = key
    entries[key] = size
    kept = {key, *oversized.values()}
    while sum(n for each, n in entries.items() if each == key or each not in kept) > limit:
        oldest = next((each for each in entries if each not in kept), None)
        if oldest is None:
            break
        del entries[oldest]


@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_put_it_keeps_what_its_definition_says(seed):
    rng, cache = np.random.default_rng(seed), ByteCache(100)
    entries, oversized = OrderedDict(), {}
    for _ in range(400):
        key, size = int(rng.integers(12)), int(rng.integers(1, 60))
        kind = [None, "observe", "gradients"][rng.integers(3)]
        if rng.random() < 0.15:
            size += 100
        if rng.random() < 0.3:
            assert (cache.get(key) is not None) == (key in entries)
            if key in entries:
                entries.move_to_end(key)
        cache.put(key, key, [bytes_of(size)], kind=kind)
        by_definition(entries, oversized, 100, key, size, kind)
        assert list(cache._entries) == list(entries)
        assert cache.nbytes == sum(entries.values())
        if rng.random() < 0.01:
            cache.clear()
            entries.clear()
            oversized.clear()
            assert cache.nbytes == 0
