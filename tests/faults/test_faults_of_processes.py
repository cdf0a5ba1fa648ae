"""Faults 11 to 15 and 22: runs that are killed, stopped or fail, and a file cut short."""

import contextlib
import json
import os
import resource
import signal
import time

import psutil
import pytest

from tests.pipeline.toy import NAME

SECONDS = 60


def results(toy):
    """Take a picture of what earlier runs left; the cell store may grow."""
    return {path: data for path, data in toy.files().items() if not path.startswith("build/cells")}


def wait_for(what):
    """Wait until something is true."""
    end = time.monotonic() + SECONDS
    while not (found := what()):
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)
    return found


def kernel_of(process):
    """Find the kernel process of a run, once it has started its work."""

    def look():
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.ZombieProcess, psutil.NoSuchProcess):  # it has just ended
                if "ipykernel" in " ".join(child.cmdline()):
                    return child
        return None

    return wait_for(look)


@pytest.fixture
def slow(own):
    """Give a run project whose notebook now says when it is in the middle, and waits there."""
    waiting = "import time, pathlib; pathlib.Path('middle').touch(); time.sleep(60)"
    own.edit(own.notebook, "evidence.notebook\n", f"{waiting}\n")
    own.edit(own.notebook, "show(run)", "show(run), 1")
    return own


@pytest.fixture
def stopped(slow):
    """Give the project after its runner was killed in the middle of the notebook."""
    before = results(slow)
    process = slow.start("run", "90", "--tier", "smoke", "--workers", "1")
    kernel = kernel_of(process)
    wait_for((slow.root / "middle").exists)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    psutil.wait_procs([kernel], timeout=SECONDS)
    (slow.root / "middle").unlink()
    return slow, before, kernel


def test_11_and_12_a_killed_run_leaves_the_earlier_result_and_no_book(stopped):
    toy, before, kernel = stopped
    assert not kernel.is_running()
    assert results(toy) == before
    refused = toy.ntkd("book", "--tier", "smoke")
    assert refused.returncode == 1
    assert (
        f"notebook {NAME} has no valid seal (notebooks/{NAME}.py has changed since it ran)" in refused.stderr
    )
    toy.edit(toy.notebook, "time.sleep(60)", "evidence.notebook")
    assert toy.run().returncode == 0


def test_12_a_half_run_notebook_put_in_place_is_refused(own):
    def cut(content):
        content["cells"][-1].update(execution_count=None, outputs=[])

    own.edit_json(own.executed, cut)
    refused = own.ntkd("book", "--tier", "smoke")
    assert refused.returncode == 1
    assert f"(executed/{NAME}.ipynb has changed after the run)" in refused.stderr


def test_13_and_14_a_killed_kernel_fails_the_run_and_leaves_the_earlier_result(slow):
    before = results(slow)
    process = slow.start("run", "90", "--tier", "smoke", "--workers", "1")
    kernel = kernel_of(process)
    wait_for((slow.root / "middle").exists)
    kernel.kill()
    _, said = process.communicate(timeout=SECONDS)
    (slow.root / "middle").unlink()
    assert process.returncode == 1
    assert said.endswith(f"ntkd: {NAME}: the kernel died (killed from outside, or out of memory)\n")
    assert results(slow) == before
    assert slow.ntkd("book", "--tier", "smoke").returncode == 1


def test_15_a_file_cut_short_as_on_a_full_disk_leaves_the_earlier_result(own):
    def small_disk():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))

    own.edit(own.notebook, "evidence.notebook", "print('x' * 4_000_000)")
    before = results(own)
    done = own.ntkd("run", "90", "--tier", "smoke", "--workers", "1", preexec_fn=small_disk)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ntkd: [Errno 27] File too large"
    assert results(own) == before
    assert json.loads(own.seal.read_text())["notebook"] == NAME


@pytest.mark.parametrize("factor, status", [("1 / 0", 1), ("2.0", 130)])
def test_22_a_run_of_changed_code_that_fails_or_is_stopped_loses_nothing(slow, factor, status):
    """Page, seal, evidence and records of the earlier code stay, byte for byte; the seal is called old."""
    work, before = slow.root / "src/toy_lab/work.py", slow.files()
    slow.edit(work, "FACTOR = 1.0", f"FACTOR = {factor}")
    process = slow.start("run", "90", "--tier", "smoke", "--workers", "1")
    if status == 130:
        wait_for((slow.root / "middle").exists)
        os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=SECONDS)
    assert process.returncode == status
    after = slow.files()
    assert {path for path in before if after.get(path) != before[path]} == {"src/toy_lab/work.py"}
    book = slow.ntkd("book", "--tier", "smoke")
    assert f"(notebooks/{NAME}.py has changed since it ran)" in book.stderr
