import contextlib
import importlib.metadata
import os
import shutil
import signal
import socket
import threading
import time
from dataclasses import replace

import dask
import pytest
from dask.utils import key_split
from distributed import LocalCluster

from ntkd_lib.lab import execute
from ntkd_lib.lab.cells import CellError, cell_key
from ntkd_lib.lab.cluster import Cluster, connected, probe, run_apart
from ntkd_lib.lab.execute import run_cells

pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
)


@pytest.fixture
def cluster(toy):
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
    monkeypatch.setattr(Cluster, "longest_absence", 1.0)
    threading.Timer(1.0, single.scale, [0]).start()
    with pytest.raises(CellError) as caught:
        run_cells([toy.cell("long", "work:square", x=1, sleep=60)], store, scheduler=single.scheduler_address)
    assert str(caught.value) == "scheduler: it, or its last worker, is gone; run again to go on"


@pytest.mark.parametrize(
    "address", ["localhost", "localhost:8786", "tcp://localhost", "http://a:1", "", "tcp://a:b"]
)
def test_an_address_of_another_form_is_refused(address):
    with pytest.raises(CellError) as caught, connected(address):
        pass
    assert str(caught.value) == f"scheduler {address!r}: give it as tcp://host:port"


def test_nobody_there_is_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(CellError) as caught, connected(address):
            pass
    assert str(caught.value) == f"scheduler {address}: no Dask scheduler answers there"


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-OpenSSH_9.6\r\n", b"220 mail\r\n", bytes(8)])
def test_somebody_else_there_is_one_line_within_seconds(greeting):
    def greet():
        with contextlib.suppress(OSError):
            taken.accept()[0].sendall(greeting)

    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        threading.Thread(target=greet, daemon=True).start()
        start = time.monotonic()
        with pytest.raises(CellError, match="no Dask scheduler answers there"):
            probe(address)
    assert time.monotonic() - start < 20  # a Dask client would wait for 30


def test_a_cluster_without_workers_is_one_line():
    with (
        LocalCluster(n_workers=0, dashboard_address=":0") as made,
        pytest.raises(CellError) as caught,
        connected(made.scheduler_address, timeout=0.5),
    ):
        pass
    assert str(caught.value) == f"scheduler {made.scheduler_address}: no worker within 0.5 s"


def test_workers_need_no_folder_of_the_process_that_plans(toy, store, tmp_path):
    teacher = toy.cell("teacher", "work:square", x=50)
    cell = toy.cell("s", "work:square", {"t": teacher}, x=2)
    run_cells([cell], store, workers=1, progress="none")
    plan = execute._plan([cell], type(store)(tmp_path / "empty"))
    job = replace(plan.missing[cell_key(cell)], store="/nowhere")
    error, files, trace = run_apart(job, {cell_key(teacher): store.files(cell_key(teacher))})
    assert (error, trace) == ("", "")
    copied = type(store)(tmp_path / "copied")
    assert copied.adopt(job.key, files).values == store.load(job.key).values
    assert copied.contents().items() <= store.contents().items()


def test_a_failure_comes_home_with_its_traceback(toy, store):
    bad = toy.cell("bad", "work:fail")
    error, files, trace = run_apart(execute._plan([bad], store).missing[cell_key(bad)], {})
    assert (error, files) == ("ValueError: shapes (3, 4) and (5,) do not fit", {})
    assert trace.startswith("cell bad\nTraceback (most recent call last):")


def test_workers_of_another_version_are_refused_by_name(toy, store, single, monkeypatch):
    monkeypatch.setattr("ntkd_lib.lab.cells._versions", lambda: (("numpy", "9.9"),))
    with pytest.raises(CellError) as caught:
        run_cells(cells_of(toy), store, scheduler=single.scheduler_address, progress="none")
    (worker,) = single.scheduler.workers
    version = importlib.metadata.version("numpy")
    assert str(caught.value) == (
        f"scheduler {single.scheduler_address}: worker {worker} has numpy {version} (here 9.9)"
    )


def test_workers_of_other_code_are_refused_before_any_work(toy, store, monkeypatch, tmp_path):
    other = shutil.copytree(toy.root, tmp_path / "other")
    (other / toy.name / "work.py").write_text("square = 3\n")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(other))
        patch.setenv("PYTHONPATH", str(other))
        made = LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0")
    with made, pytest.raises(CellError, match=r"worker tcp://\S+ has digest of the code \w{12} \(here "):
        run_cells(cells_of(toy), store, scheduler=made.scheduler_address, progress="none")
    assert not store.root.exists()


def test_a_cell_is_shown_by_its_name(toy, store, single):
    run_cells([toy.cell("mnist/kd/seed=3", "work:square", x=3)], store, scheduler=single.scheduler_address)
    assert {key_split(entry[0]) for entry in single.scheduler.transition_log} == {"mnist/kd/seed=3"}
