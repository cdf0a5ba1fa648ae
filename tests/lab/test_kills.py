import contextlib
import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
import time

import psutil
import pytest

from ntkd_lib.lab.cells import cell_key

DRIVER = """
import sys

from ntkd_lib.lab.cells import Cell, CellError
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.store import CellStore

package, folder, workers = sys.argv[1:4]
work = f"{package}.work:square"
teacher = Cell("teacher", work, {"x": 100, "sleep": 0.05})
students = [Cell(f"s{x}", work, {"x": x, "sleep": 0.05}, needs={"teacher": teacher}) for x in range(12)]
try:
    run_cells([teacher, *students], CellStore(folder), workers=int(workers))
except CellError as error:
    sys.exit(f"one line: {error}")
"""


@pytest.fixture
def start(toy, tmp_path):
    """Start the driver on a store, as the head of a process group of its own."""
    script = tmp_path / "driver.py"
    script.write_text(textwrap.dedent(DRIVER))
    started = []

    def begin(store, workers=2, **options):
        command = [sys.executable, str(script), toy.name, str(store.root), str(workers)]
        process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, start_new_session=True, **options
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture
def expected(start, store):
    """What a run that nothing disturbs leaves."""
    assert start(store).wait(60) == 0
    assert len(store.contents()) == 26
    return store.contents()


def fresh(store, number):
    return type(store)(store.root.with_name(f"cells-{number}"))


def workers_of(process):
    """List the workers that live; one killed before may still wait to be reaped, and has no command line."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found += [child] if "popen_loky" in " ".join(child.cmdline()) else []
    return found


def wait_for(store, count, process):
    """Wait until some records are there, or the run has ended."""
    while len(store.contents()) < 2 * count and process.poll() is None:
        time.sleep(0.005)


def test_a_run_killed_at_any_moment_goes_on_to_the_same_bytes_and_leaves_no_process(start, store, expected):
    draw = random.Random(1)
    other = fresh(store, 1)
    for count in (0, 1, 4, 8):
        process = start(other)
        wait_for(other, count, process)
        time.sleep(draw.random() * (1.0 if count == 0 else 0.05))
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        _, alive = psutil.wait_procs(children, timeout=10)
        assert alive == []
        assert other.contents().items() <= expected.items()
    assert start(other).wait(60) == 0
    assert other.contents() == expected


def test_workers_killed_at_any_moment_are_replaced_and_leave_the_same_bytes(start, store, expected):
    draw = random.Random(2)
    other = fresh(store, 2)
    process = start(other)
    killed = 0
    for count in (1, 3, 6):
        wait_for(other, count, process)
        time.sleep(draw.random() * 0.05)
        for worker in workers_of(process)[:1]:
            worker.kill()
            killed += 1
    assert process.wait(60) == 0
    assert killed >= 1
    assert other.contents() == expected


def test_ctrl_c_stops_the_workers_keeps_what_is_done_and_the_next_run_goes_on(start, store, expected):
    other = fresh(store, 3)
    process = start(other)
    wait_for(other, 4, process)
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode != 0
    kept = len(other.contents()) // 2
    assert 4 <= kept < 13
    assert f"stopped; {kept} of 13 cells kept, run again to go on\n" in said
    assert "KeyboardInterrupt" in said.splitlines()
    assert said.count("Traceback") == 1  # that of the driver: workers are silent
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert start(other).wait(60) == 0
    assert other.contents() == expected


def test_two_runs_at_once_in_one_store_end_well_and_leave_one_of_each(start, store, expected):
    other = fresh(store, 4)
    runs = [start(other), start(other)]
    assert [run.wait(60) for run in runs] == [0, 0]
    assert other.contents() == expected
    assert list(other.root.rglob("*.bad")) == []
    assert list((other.root / "unfinished").iterdir()) == []


def test_a_disk_that_fills_up_is_one_line_and_destroys_nothing(start, toy, store, expected):
    teacher = toy.cell("teacher", "work:square", x=100, sleep=0.05)
    last = cell_key(toy.cell("s11", "work:square", {"teacher": teacher}, x=11, sleep=0.05))
    store.folder(last).rename(store.root / "away")
    before = store.contents()

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

    process = start(store, workers=1, preexec_fn=limit)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert "one line: cell s11 failed: OSError: [Errno 27] File too large" in said
    assert said.rstrip().endswith("12 of 13 cells kept")
    assert store.contents() == before
    assert start(store).wait(60) == 0
    assert store.contents() == expected


def test_a_leftover_of_a_killed_save_is_not_taken_for_a_record(start, store, expected):
    other = fresh(store, 5)
    for place in ("unfinished/abc", "ab/" + "ab" * 32):
        (other.root / place).mkdir(parents=True)
        (other.root / place / "arrays.npz").write_bytes(b"half")
    assert not other.find("ab" * 32)
    assert start(other).wait(60) == 0
    assert {
        key: data for key, data in other.contents().items() if ".bad" not in key[0] and key[0] != "abc"
    } == expected
