"""Workers that are processes, and that die: a local Dask cluster of two, and a pool of one."""

import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor

import distributed
import pytest
from helpers.deadly import DEADLY, deadly_set

import cnn_widgets as cw

pytestmark = [
    pytest.mark.slow,
    # Dask's own, while workers come and go
    pytest.mark.filterwarnings("default::ResourceWarning", "default::DeprecationWarning",
                               "default::pytest.PytestUnraisableExceptionWarning",
                               "default::pytest.PytestUnhandledThreadExceptionWarning"),
]  # fmt: skip


@pytest.fixture(scope="module")
def client():
    """Two workers on loopback, each a process of one thread; one that dies is replaced."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None,
            host="127.0.0.1", silence_logs=50,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):  # fmt: skip
        yield client


@pytest.fixture
def alone(colors, photos, tmp_path):
    """The table of a run without workers, as bytes, of photographs of which none is deadly."""
    found = cw.audit(colors, deadly_set(photos, tmp_path / "log"), shard=8)
    found.to_parquet(tmp_path / "alone.parquet")
    return (tmp_path / "alone.parquet").read_bytes()


def processes(client):
    return set(client.run(os.getpid).values())


def rows(found):
    return {row["name"]: row for row in found.records()}


def test_a_killed_worker_changes_no_byte(client, colors, photos, tmp_path, alone):
    before, killed = processes(client), []

    def progress(done, total):
        if not killed:
            killed.append(max(before))
            os.kill(killed[0], signal.SIGKILL)

    images = deadly_set(photos, tmp_path / "log", wait=0.05)
    cw.audit(colors, images, shard=8, out=tmp_path / "out", executor=client.get_executor(),
             progress=progress)  # fmt: skip
    assert killed
    assert (tmp_path / "out" / "answers.parquet").read_bytes() == alone
    client.wait_for_workers(2, timeout=120)
    assert killed[0] not in processes(client)


def test_a_deadly_photograph_kills_one_worker_and_costs_itself_alone(
    client, colors, photos, tmp_path
):
    whole = rows(cw.audit(colors, photos, shard=8))
    (photos / "blue" / "02.png").write_bytes(DEADLY)
    log = tmp_path / "log"
    found = cw.audit(colors, deadly_set(photos, log), shard=8, out=tmp_path / "out",
                     executor=client.get_executor())  # fmt: skip
    assert found.errors.keys() == {"blue/02.png", "green/broken.png"}
    assert "process died over this photograph (SIGKILL)" in found.errors["blue/02.png"]
    others = {name: row for name, row in rows(found).items() if name != "blue/02.png"}
    assert len(others) == 43
    assert all(row["answer"] == whole[name]["answer"] for name, row in others.items())
    deaths = log.read_text().splitlines()  # of a worker, and of the process that tried each alone
    assert len(deaths) == len(set(deaths)) == 2
    again = cw.audit(colors, deadly_set(photos, log), shard=8, out=tmp_path / "out",
                     executor=client.get_executor())  # fmt: skip
    assert again.records() == found.records()
    assert len(log.read_text().splitlines()) == 2


def test_maps_come_from_workers_in_order(client, colors, photos):
    with pytest.raises(TypeError, match=r"client\.get_executor"):
        cw.stream(colors, photos, executor=client)
    found = list(cw.stream(colors, photos, executor=client.get_executor()))
    names = [each.name for each in found]
    assert names == list(cw.open_images(photos).names)
    assert {each.attribution.raw.shape for each in found if each.error is None} == {(8, 8)}


def test_a_pool_that_breaks_is_replaced_and_gone_on_with(colors, photos, tmp_path, alone):
    """Without a function that makes pools the second call goes on; none dies again."""
    spawn = multiprocessing.get_context("spawn")
    (photos / "blue" / "02.png").write_bytes(DEADLY)
    log = tmp_path / "log"

    def ask(executor):
        return cw.audit(colors, deadly_set(photos, log), shard=8, out=tmp_path / "out",
                        executor=executor)  # fmt: skip

    with (
        ProcessPoolExecutor(1, mp_context=spawn) as pool,
        pytest.raises(RuntimeError, match="A worker died, and with it the whole pool"),
    ):
        ask(pool)
    assert len(log.read_text().splitlines()) == 1
    found = ask(lambda: ProcessPoolExecutor(1, mp_context=spawn))
    assert found.errors.keys() == {"blue/02.png", "green/broken.png"}
    assert len(log.read_text().splitlines()) == 2
