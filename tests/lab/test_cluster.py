import contextlib
import os
import signal
import socket
import threading
import time

import pytest

from ntkd_lib.lab.cells import CellError
from ntkd_lib.lab.cluster import SchedulerError, connected, probe, sees
from ntkd_lib.lab.execute import run_cells

pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
)


@pytest.fixture
def cluster(toy):
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as made:
        yield made


def cells_of(toy, **more):
    teacher = toy.cell("teacher", "work:square", x=50)
    return [toy.cell(f"s{x}", "work:square", {"t": teacher}, x=x, **more) for x in range(6)]


def test_a_cluster_leaves_the_same_bytes_though_a_worker_is_killed(toy, store, cluster):
    local = type(store)(store.root.with_name("local"))
    run_cells(cells_of(toy, sleep=0.2), local, workers=1, progress="none")

    def kill_one():
        while len(store.contents()) < 4:
            time.sleep(0.01)
        os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    records = run_cells(cells_of(toy, sleep=0.2), store, scheduler=cluster.scheduler_address, progress="none")
    killer.join()
    assert [record.values["y"] for record in records.values()] == [0, 1, 4, 9, 16, 25]
    assert store.contents() == local.contents()


@pytest.fixture
def single(toy):
    import dask
    from distributed import LocalCluster

    # a local cluster gives up on a worker that happens to be starting again after this time
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "300s"}),
        LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0") as made,
    ):
        yield made


def test_a_cell_that_kills_workers_fails_on_a_cluster_of_one_core_and_not_here(toy, store, single):
    cells = [toy.cell("dies", "work:die"), toy.cell("bad", "work:fail"), *cells_of(toy)]
    with pytest.raises(CellError) as caught:
        run_cells(cells, store, workers=1, scheduler=single.scheduler_address, progress="none")
    failed = {
        "dies": "its worker process died each time",
        "bad": "ValueError: shapes (3, 4) and (5,) do not fit",
    }
    assert any(str(caught.value).startswith(f"cell {name} failed: {text}") for name, text in failed.items())
    assert str(caught.value).endswith("; 1 more failed; 7 of 9 cells kept")


def test_a_cluster_that_loses_all_workers_is_one_line_and_not_an_endless_wait(
    toy, store, single, monkeypatch
):
    from ntkd_lib.lab.dask_backend import Backend

    monkeypatch.setattr(Backend, "patience", 1.0)
    threading.Timer(1.0, single.scale, [0]).start()
    with pytest.raises(SchedulerError) as caught:
        run_cells([toy.cell("long", "work:square", x=1, sleep=60)], store, scheduler=single.scheduler_address)
    assert str(caught.value) == "scheduler: it, or its last worker, is gone; run again to go on"


@pytest.mark.parametrize(
    "address", ["localhost", "localhost:8786", "tcp://localhost", "http://a:1", "", "tcp://a:b"]
)
def test_an_address_of_another_form_is_refused(store, address):
    with pytest.raises(SchedulerError) as caught, connected(address, store.root):
        pass
    assert str(caught.value) == f"scheduler {address!r}: give it as tcp://host:port"


def test_nobody_there_is_one_line(store):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SchedulerError) as caught, connected(address, store.root):
            pass
    assert str(caught.value) == f"scheduler {address}: no Dask scheduler answers there"


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-OpenSSH_9.6\r\n", b"220 mail\r\n", bytes(8)])
def test_somebody_else_there_is_one_line_within_seconds(store, greeting):
    def greet():
        with contextlib.suppress(OSError):
            taken.accept()[0].sendall(greeting)

    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        threading.Thread(target=greet, daemon=True).start()
        start = time.monotonic()
        with pytest.raises(SchedulerError, match="no Dask scheduler answers there"):
            probe(address)
    assert time.monotonic() - start < 6


def test_a_cluster_without_workers_is_one_line(store):
    from distributed import LocalCluster

    with (
        LocalCluster(n_workers=0, dashboard_address=":0") as made,
        pytest.raises(SchedulerError) as caught,
        connected(made.scheduler_address, store.root, timeout=0.5),
    ):
        pass
    assert str(caught.value) == f"scheduler {made.scheduler_address}: no worker within 0.5 s"


def test_workers_that_do_not_see_the_store_are_refused(store, cluster, monkeypatch):
    monkeypatch.setattr("ntkd_lib.lab.cluster.write_text", lambda path, token: path.write_text("another"))
    store.root.mkdir()
    with pytest.raises(SchedulerError) as caught, connected(cluster.scheduler_address, store.root):
        pass
    assert (
        "does not see the cell store 'cells'; put it on a folder that all machines share ($NTKD_BUILD)"
        in str(caught.value)
    )
    assert list(store.root.iterdir()) == []


def test_a_marker_is_seen_only_with_its_content(tmp_path):
    (tmp_path / "m").write_text("abc")
    assert sees(str(tmp_path / "m"), "abc")
    assert not sees(str(tmp_path / "m"), "abd")
    assert not sees(str(tmp_path / "n"), "abc")
