"""Two runs at once, and Ctrl-C."""

import logging
import os
import re
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ntkd_lib.pipeline.kernel import execute
from tests.pipeline.toy import NAME

WAIT = """import os, time, pathlib
pathlib.Path("middle.new").write_text(str(os.getpid()))
pathlib.Path("middle.new").rename("middle")
while not pathlib.Path("end").exists(): time.sleep(0.05)"""


def test_two_runs_at_once_do_not_meet(own):
    own.edit(own.notebook, "evidence.notebook", WAIT)
    first = own.start("run", "90", "--tier", "smoke", "--workers", "1")
    while not (own.root / "middle").exists():
        assert first.poll() is None
        time.sleep(0.05)
    second = own.run()
    assert second.returncode == 1
    assert (
        second.stderr
        == f"ntkd: {NAME} (smoke) is already running (process {first.pid}); wait for it to end\n"
    )
    (own.root / "end").touch()
    first.communicate(timeout=60)
    assert first.returncode == 0


@pytest.mark.parametrize("send", [os.kill, os.killpg])  # to the command alone, or to its processes too
@pytest.mark.parametrize("words", [("run", "90", "--workers", "1"), ("reproduce", "--workers", "2")])
def test_ctrl_c_ends_cleanly(own, words, send):
    own.edit(own.notebook, "evidence.notebook", WAIT)
    before = own.executed.read_bytes()
    process = own.start(*words, "--tier", "smoke")
    while not (own.root / "middle").exists():
        assert process.poll() is None
        time.sleep(0.05)
    kernel = int((own.root / "middle").read_text())
    send(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "ntkd: stopped"
    assert "Traceback" not in said
    assert own.executed.read_bytes() == before
    end = time.monotonic() + 10
    while Path(f"/proc/{kernel}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path(f"/proc/{kernel}").exists()


def test_after_ctrl_c_nothing_is_said_of_tasks_that_find_the_kernel_dead(tmp_path, monkeypatch, caplog):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    logger = logging.getLogger("asyncio")
    caplog.set_level(logging.WARNING, logger="asyncio")
    monkeypatch.setattr("papermill.execute_notebook", interrupted)
    logger.error("heard before")
    with pytest.raises(KeyboardInterrupt):
        execute("90_toy", tmp_path / "in.ipynb", tmp_path / "out.ipynb", {})
    logger.error("Task exception was never retrieved")
    assert caplog.messages == ["heard before"]


@pytest.mark.parametrize(
    "seconds, said",
    [
        ("2", r"90_toy: a cell ran longer than NTKD_CELL_SECONDS allows: (show\(run\)|from ntkd_lib.*)"),
        ("soon", "NTKD_CELL_SECONDS is 'soon'; allowed: a whole number of seconds from 1"),
    ],
)
def test_a_hang_is_named_within_the_time_that_is_set(ran, tmp_path, seconds, said):
    toy = replace(ran.copy(tmp_path / "slow"), more=(("NTKD_CELL_SECONDS", seconds),))
    done = toy.run("-p", "fault=slow", "--no-page")
    assert done.returncode == 1
    assert re.fullmatch(f"ntkd: {said}", done.stderr.splitlines()[-1])
    assert (done.stdout == "") == (seconds == "soon")  # refused before any work
