"""Shards and executors in one process: order, bounds, deaths, stops, and what is refused."""

import io
import multiprocessing
import threading
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)

import numpy as np
import pytest
from helpers.deadly import DEADLY, deadly_set
from PIL import Image

import cnn_widgets as cw
from cnn_widgets import storage
from cnn_widgets.attribution import streaming
from cnn_widgets.auditing.answers import SHARDS, WORK, Answer
from cnn_widgets.executing import (
    Job,
    checked_executor,
    from_parquet,
    pack,
    shard_results,
    shard_size,
    to_parquet,
    unpack,
    workers,
)

pytest.importorskip("pyarrow")


def names(net, images):
    return images.names


def table(found):
    """Return the whole table of an audit as bytes."""
    buffer = []
    write, storage.write_file = storage.write_file, lambda _, data: buffer.append(data)
    try:
        found.to_parquet("unused")
    finally:
        storage.write_file = write
    return buffer[0]


class Here(Executor):
    """Runs tasks when they are handed in; the first ones are lost with the error given."""

    def __init__(self, lost=0, error=None):
        self.lost, self.error, self.done = lost, error, 0

    def submit(self, function, *given):
        future = Future()
        if self.done < self.lost:
            future.set_exception(self.error)
        else:
            future.set_result(function(*given))
        self.done += 1
        return future


# --- results -------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3])
def test_threads_give_the_same_bytes_as_no_executor(colors, photos, tmp_path, count):
    alone = cw.audit(colors, photos, shard=7)
    with ThreadPoolExecutor(count) as pool:
        found = cw.audit(colors, photos, shard=7, executor=pool, out=tmp_path / "out")
    assert (tmp_path / "out" / "answers.parquet").read_bytes() == table(alone)
    assert found.records() == alone.records()
    assert found.errors.keys() == {"green/broken.png"}
    np.testing.assert_array_equal(found.mean_evidence("red"), alone.mean_evidence("red"))
    assert cw.load_audit(tmp_path / "out").records() == alone.records()
    assert len(list((tmp_path / "out" / SHARDS).iterdir())) == 7
    assert not (tmp_path / "out" / WORK).exists()


def test_the_table_says_what_the_records_say(colors, photos, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    found = cw.audit(colors, photos)
    found.to_parquet(tmp_path / "answers.parquet")
    rows = parquet.read_table(tmp_path / "answers.parquet").to_pylist()
    evidence = [np.frombuffer(row.pop("evidence"), np.uint8) for row in rows]
    for row, record in zip(rows, found.records(), strict=True):
        assert row == record
    assert {len(each) for each in evidence} == {0, 14 * 14}


def test_a_stream_comes_in_order_and_with_its_network(colors, photos):
    alone = list(cw.stream(colors, photos, top=2))
    with ThreadPoolExecutor(3) as pool:
        found = list(cw.stream(colors, photos, top=2, executor=pool))
    assert [each.name for each in found] == [each.name for each in alone]
    assert [type(each.error) for each in found] == [type(each.error) for each in alone]
    for each, other in zip(found, alone, strict=True):
        if each.error is None:
            np.testing.assert_allclose(
                each.attribution.raw, other.attribution.raw, atol=1e-5, rtol=0
            )
            np.testing.assert_array_equal(each.sample.pixels, other.sample.pixels)
            assert len(each.predictions) == 2
            assert each.attribution.origin.network is colors
    assert found[0].attribution.definition()["network"]["name"] == "colors"


def test_shards_are_under_way_by_the_number_of_workers_and_not_all(colors):
    drawn = []

    def numbers():
        for number in range(50):
            drawn.append(number)
            yield number

    images = cw.open_images(np.zeros((50, 8, 8, 3), np.uint8))
    with ThreadPoolExecutor(2) as pool:
        results = shard_results(Job(colors, images, names, 1), pool, numbers(), ordered=True)
        found = [next(results) for _ in range(5)]
        assert len(drawn) <= 5 + 4
        results.close()
    assert found == [(n, (f"image {n}",)) for n in range(5)]


def test_the_size_of_a_shard_depends_on_the_number_of_photographs_alone():
    sizes = [shard_size(count) for count in (1, 1000, 5000, 20_000, 10**8)]
    assert sizes == [64, 64, 80, 256, 256]
    assert all(size % streaming.BATCH_SIZE == 0 for size in sizes)


def test_rows_keep_all_they_hold():
    rows = [
        Answer("a", 3, 1, 0.5, 2, 0.25, float("nan"), 0.5, bytes(range(196))),
        Answer("b", "3", error="unreadable"),
        Answer("c\ud800".encode("utf-8", "backslashreplace").decode(), None),
    ]
    data = to_parquet(Answer, rows)
    assert to_parquet(Answer, rows) == data
    assert repr(list(from_parquet(Answer, data))) == repr(rows)
    with pytest.raises(ValueError, match="no table of Answer"):
        list(from_parquet(Answer, data[:-9]))


# --- stopped and gone on with --------------------------------------------------------------------


def test_a_run_that_was_stopped_does_only_the_rest(colors, photos, tmp_path):
    whole = cw.audit(colors, photos, shard=5)
    seen = []

    def stop(done, total):
        seen.append((done, total))
        return len(seen) < 3

    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(CancelledError, match="after 15 of 44"):
            cw.audit(colors, photos, shard=5, executor=pool, out=tmp_path / "out", progress=stop)
        assert pool._work_queue.empty()
        assert len(cw.load_audit(tmp_path / "out")) == 15
        asked = []
        cw.audit(colors, photos, shard=5, executor=pool, out=tmp_path / "out",
                 progress=lambda done, _: asked.append(done))  # fmt: skip
    assert asked == [20, 25, 30, 35, 40, 44]
    assert (tmp_path / "out" / "answers.parquet").read_bytes() == table(whole)


def test_one_may_begin_alone_and_go_on_with_workers_or_the_other_way(colors, photos, tmp_path):
    whole = table(cw.audit(colors, photos, shard=5))
    with pytest.raises(CancelledError):
        cw.audit(colors, photos, shard=5, out=tmp_path / "a", progress=lambda done, _: done < 12)
    asked = []
    with ThreadPoolExecutor(2) as pool:
        cw.audit(colors, photos, shard=5, out=tmp_path / "a", executor=pool,
                 progress=lambda done, _: asked.append(done))  # fmt: skip
        with pytest.raises(CancelledError):
            cw.audit(colors, photos, shard=5, out=tmp_path / "b", executor=pool,
                     progress=lambda *_: False)  # fmt: skip
    assert asked[0] == 15  # ten were there in whole shards
    assert (tmp_path / "a" / "answers.parquet").read_bytes() == whole
    cw.audit(colors, photos, shard=5, out=tmp_path / "b")
    assert (tmp_path / "b" / "answers.parquet").read_bytes() == whole
    with pytest.raises(ValueError, match="audit of another shard"):
        cw.audit(colors, photos, shard=6, out=tmp_path / "b")


@pytest.mark.parametrize("damage", [lambda data: b"no table", lambda data: data[: len(data) // 2],
                                    lambda data: data[:100] + bytes(400) + data[500:]])  # fmt: skip
def test_a_damaged_shard_is_named_and_done_again(colors, photos, tmp_path, damage):
    with ThreadPoolExecutor(2) as pool:
        whole = cw.audit(colors, photos, shard=5, executor=pool, out=tmp_path)
        path = tmp_path / SHARDS / "00000002.parquet"
        path.write_bytes(damage(path.read_bytes()))
        with pytest.raises(ValueError, match=r"00000002\.parquet' is damaged: it is no Parquet"):
            cw.load_audit(tmp_path)
        asked = []
        found = cw.audit(colors, photos, shard=5, executor=pool, out=tmp_path,
                         progress=lambda done, _: asked.append(done))  # fmt: skip
    assert asked == [44]
    assert table(found) == table(whole)
    assert cw.load_audit(tmp_path).records() == whole.records()


def test_a_shard_of_other_photographs_is_done_again(colors, photos, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        whole = cw.audit(colors, photos, shard=5, executor=pool, out=tmp_path)
        one, other = (tmp_path / SHARDS / f"0000000{n}.parquet" for n in (1, 3))
        other.write_bytes(one.read_bytes())
        with pytest.raises(ValueError, match="is damaged: 44 answers, to 39 of 44 photographs"):
            cw.load_audit(tmp_path)
        found = cw.audit(colors, photos, shard=5, executor=pool, out=tmp_path)
    assert table(found) == table(whole)


def test_a_run_gone_on_with_in_the_middle_of_a_shard_gives_the_same_bytes(colors, photos, tmp_path):
    whole = cw.audit(colors, photos)
    with pytest.raises(CancelledError):
        cw.audit(colors, photos, out=tmp_path / "out", progress=lambda done, _: done < 13)
    found = cw.audit(colors, photos, out=tmp_path / "out")
    assert table(found) == table(whole)


def test_a_stop_cancels_what_has_not_begun(colors, monkeypatch):
    monkeypatch.setattr(workers, "AHEAD", 4)
    gate, begun = threading.Event(), []

    class Slow(ThreadPoolExecutor):
        futures = []  # noqa: RUF012

        def submit(self, function, *given):
            def later():
                begun.append(1)
                gate.wait(30) if len(begun) > 1 else None
                return function(*given)

            self.futures.append(super().submit(later))
            return self.futures[-1]

    images = cw.open_images(np.zeros((6, 8, 8, 3), np.uint8))
    with Slow(1) as pool:
        results = shard_results(Job(colors, images, names, 1), pool, range(6))
        next(results)
        opened = threading.Timer(0.2, gate.set)
        opened.start()
        results.close()
        opened.join()
        assert all(each.done() for each in pool.futures)
        assert any(each.cancelled() for each in pool.futures)


# --- workers that die ----------------------------------------------------------------------------


class KilledWorker(Exception):
    """As Dask calls it."""


@pytest.mark.parametrize("error", [KilledWorker("worker 1"), TimeoutError(), CancelledError()])
def test_a_shard_that_was_lost_is_done_again(colors, photos, error):
    alone, lossy = cw.audit(colors, photos, shard=9), Here(3, error)
    assert table(cw.audit(colors, photos, shard=9, executor=lossy)) == table(alone)
    assert lossy.done == 5 + 3


def test_a_shard_that_is_lost_every_time_is_told(colors, photos):
    with pytest.raises(RuntimeError, match=r"handed out 6 times.*KilledWorker: worker 1"):
        cw.audit(colors, photos, executor=Here(99, KilledWorker("worker 1")))


def test_a_broken_pool_is_replaced_where_it_is_known_how(colors, photos):
    made = []

    def make():
        made.append(Here(1 if not made else 0, BrokenExecutor("a process died")))
        return made[-1]

    alone = cw.audit(colors, photos, shard=20)
    assert table(cw.audit(colors, photos, shard=20, executor=make)) == table(alone)
    assert len(made) == 2
    with pytest.raises(RuntimeError, match="call again with a new executor"):
        cw.audit(colors, photos, executor=Here(1, BrokenExecutor("a process died")))


def test_an_error_of_the_work_is_raised_at_once(colors, photos, tmp_path):
    def fails(net, images):
        raise KeyError("no such thing")

    pool = Here()
    images = cw.open_images(photos)
    with pytest.raises(KeyError, match="no such thing"):
        list(shard_results(Job(colors, images, fails, 4), pool, range(3), str(tmp_path)))
    assert not list(tmp_path.glob("begun-*"))


# --- what can be sent ----------------------------------------------------------------------------


def test_a_network_is_the_same_after_it_was_sent(colors, tmp_path, photo):
    packed = pack(colors, str(tmp_path))
    again = unpack(packed)
    assert again is unpack(packed)
    np.testing.assert_array_equal(again.scores(photo)[0], colors.scores(photo)[0])
    assert (again.name, again.class_names, again.notes) == (
        colors.name, colors.class_names, colors.notes)  # fmt: skip
    (tmp_path / packed.file).unlink()
    unpack.cache_clear()
    with pytest.raises(FileNotFoundError, match="a place that they share"):
        unpack(packed)


@pytest.mark.parametrize("kind", ["sigmoid", "dense"])
def test_options_of_a_network_are_sent_with_it(keras, tmp_path, photo, kind):
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((None, None, 3)), layers.Conv2D(4, 3, activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(1 if kind == "sigmoid" else 4, activation="sigmoid"),
    ])  # fmt: skip
    net = cw.Network(model, "none", input_size=(12, 10), fit="letterbox",
                     class_names=("off", "on") if kind == "sigmoid" else None)  # fmt: skip
    again = unpack(pack(net, str(tmp_path)))
    assert (again.input_size, again.fit, again.class_names) == (
        (12, 10), "letterbox", net.class_names)  # fmt: skip
    np.testing.assert_array_equal(again.scores(photo)[1], net.scores(photo)[1])


def test_a_private_copy_and_a_changed_file_are_not_taken_for_the_network(colors, tmp_path):
    with pytest.raises(ValueError, match="private copy"):
        pack(colors.private_copy(), str(tmp_path))
    packed = pack(colors, str(tmp_path))
    other = type(packed)(packed.file, "0" * 64, packed.options)
    with pytest.raises(ValueError, match="other weights after it was saved and loaded"):
        unpack(other)


def test_what_cannot_be_sent_is_told(colors, tmp_path):
    image = Image.new("RGB", (8, 8))
    image.info["lock"] = threading.Lock()
    with pytest.raises(TypeError, match="These photographs cannot be sent"):
        cw.audit(colors, [image], executor=Here())
    file = io.BytesIO()
    image.save(file, "png")
    file.seek(0)
    assert len(cw.audit(colors, [file], executor=Here())) == 1  # a file that is open: its content
    lock = threading.Lock()
    net = cw.Network(colors.model, lambda x: x / 255 if lock else x)
    with pytest.raises(TypeError, match=r"The network 'sequential.* cannot be sent"):
        pack(net, str(tmp_path))


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["dask", 4, object()])
def test_what_is_no_executor_is_refused(colors, photos, given):
    with pytest.raises(TypeError, match="Expected executor to be one of concurrent"):
        cw.audit(colors, photos, executor=given)
    with pytest.raises(TypeError, match="Expected executor to be one of concurrent"):
        cw.stream(colors, photos, executor=given)


def test_a_client_of_dask_is_told_where_its_executor_is():
    class Client:
        submit = shutdown = get_executor = None

    with pytest.raises(TypeError, match=r"client\.get_executor"):
        checked_executor(Client())


def test_a_future_of_another_kind_is_refused(colors, photos):
    class Other(Here):
        def submit(self, function, *given):
            return "a future"

    with pytest.raises(TypeError, match=r"returns a future of concurrent\.futures\. Received: str"):
        cw.audit(colors, photos, executor=Other())


def test_a_closed_executor_and_forked_processes_are_refused(colors, photos, tmp_path):
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(RuntimeError, match="is it closed"):
        cw.audit(colors, photos, executor=pool, out=tmp_path / "out")
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as forked,
        pytest.raises(ValueError, match="hangs in forked processes"),
    ):
        cw.audit(colors, photos, executor=forked)


def test_a_stream_of_photographs_is_not_cut_up(colors):
    frames = (np.zeros((8, 8, 3), np.uint8) for _ in range(3))
    with pytest.raises(ValueError, match="read by number"):
        cw.audit(colors, frames, executor=Here())
    with pytest.raises(ValueError, match="read by number"):
        cw.stream(colors, frames, executor=Here())
    with pytest.raises(ValueError, match="shard to be at least 1"):
        cw.audit(colors, np.zeros((3, 8, 8, 3), np.uint8), shard=0)


# --- photographs that kill -----------------------------------------------------------------------


def test_a_deadly_photograph_is_found_in_a_process_of_its_own(colors, photos, tmp_path):
    """As if a worker had died over the second shard: its note is there."""
    whole = cw.audit(colors, photos, shard=8).records()
    (photos / "blue" / "29.png").write_bytes(DEADLY)
    images = deadly_set(photos, tmp_path / "log")
    storage.write(str(tmp_path / "out" / WORK), {"begun-00000001": b"1"})
    found = cw.audit(colors, images, shard=8, out=tmp_path / "out", executor=Here())
    assert found.errors.keys() == {"blue/29.png", "green/broken.png"}
    assert "over this photograph (SIGKILL)" in found.errors["blue/29.png"]
    pairs = [(a, b) for a, b in zip(found.records(), whole, strict=True) if a["error"] is None]
    assert len(pairs) == 42
    assert all(a["answer"] == b["answer"] for a, b in pairs)
    assert len((tmp_path / "log").read_text().splitlines()) == 1
