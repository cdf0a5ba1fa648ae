"""The Makefile: its list of targets, its virtual environment, and the folders it may lie in."""

import os
import re
import shutil
import subprocess
import time

import pytest

from tests.pipeline.toy import seconds_of_processes
from tests.setup.project import ROOT

TEXT = (ROOT / "Makefile").read_text()
WANTED = [
    "help",
    "setup",
    "reproduce",
    "smoke",
    "test",
    "lint",
    "book",
    "serve",
    "verify",
    "data",
    "bench",
    "clean",
]

# A Python that writes down what it is asked for. It "creates" .venv by copying itself there; its pip fails or
# is killed where the test says so.
FAKE_PYTHON = r"""#!/bin/sh
case "$1 $2" in
  "-c "*) exit 0 ;;
  "-m venv") echo "venv" >> calls.log; mkdir -p .venv/bin && cp "$0" .venv/bin/python && exit 0 ;;
  "-m pip")
    echo "pip $*" >> calls.log
    case "$PIP_FATE" in fail) exit 1 ;; killed) kill -9 $PPID; exit 1 ;; esac ;;
  "-m pytest") echo "pytest" >> calls.log ;;
esac
exit 0
"""

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make here")


@pytest.fixture
def clone(tmp_path):
    """Return a checkout of what make reads, in a folder with spaces and letters beyond ASCII."""
    folder = tmp_path / "Übung – neue Kopie"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder / name)
    python = folder / "falscher python3"
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    return folder


def make(folder, *goals, **environment):
    """Run make with the fake Python and return what came of it."""
    clean = {
        name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MAKELEVEL", "TIER"}
    }
    return subprocess.run(
        ["make", "PYTHON=./falscher python3", *goals],
        cwd=folder,
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def calls(folder):
    """Return what the fake Python was asked for, and forget it."""
    log = folder / "calls.log"
    found = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return [line.split()[0] for line in found]


def test_help_is_the_default_and_lists_every_target(clone):
    default, named = make(clone), make(clone, "help")
    assert default.stdout == named.stdout
    listed = re.findall(r"^  make (\w+) +(\S.*)$", default.stdout, re.MULTILINE)
    targets = re.findall(r"^([a-z]+):", TEXT, re.MULTILINE)
    assert [name for name, _ in listed] == targets
    assert set(WANTED) <= set(targets)
    assert len(targets) <= 14


def test_help_needs_no_environment(clone):
    make(clone, "help")
    assert not (clone / ".venv").exists()


@pytest.mark.parametrize("target", [name for name in WANTED if name not in {"help", "clean"}])
def test_each_target_alone_would_first_make_the_environment(clone, target):
    plan = make(clone, "-n", target)
    assert plan.returncode == 0, plan.stderr
    assert "pip install" in plan.stdout


def test_a_first_setup_creates_installs_and_stamps(clone):
    assert make(clone, "setup").returncode == 0
    line = (clone / "calls.log").read_text().splitlines()[1]
    assert line.endswith("-c constraints.txt -e .[book,dev]")
    assert calls(clone) == ["venv", "pip"]
    assert (clone / ".venv" / "setup-done").read_text().strip() == os.path.realpath(clone)


def test_a_second_setup_does_nothing(clone):
    make(clone, "setup")
    calls(clone)
    assert make(clone, "setup").returncode == 0
    assert calls(clone) == []


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_a_changed_lock_or_project_installs_again_into_the_same_environment(clone, name):
    make(clone, "setup")
    calls(clone)
    later = time.time() + 5
    os.utime(clone / name, (later, later))
    make(clone, "setup")
    assert calls(clone) == ["pip"]


@pytest.mark.parametrize("fate", ["fail", "killed"])
def test_an_interrupted_setup_is_not_taken_for_done(clone, fate):
    assert make(clone, "test", PIP_FATE=fate).returncode != 0
    assert calls(clone) == ["venv", "pip"], "no test may run in half an environment"
    (clone / ".venv" / "half-a-package").touch()
    assert make(clone, "test").returncode == 0
    assert calls(clone) == ["venv", "pip", "pytest"]
    assert not (clone / ".venv" / "half-a-package").exists()


def test_an_environment_that_was_there_before_is_kept(clone):
    (clone / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(clone / "falscher python3", clone / ".venv" / "bin" / "python")
    make(clone, "setup")
    assert calls(clone) == ["pip"]


def test_a_moved_folder_gets_a_new_environment(clone):
    make(clone, "setup")
    calls(clone)
    moved = clone.rename(clone.with_name("moved"))
    assert make(moved, "test").returncode == 0
    assert calls(moved) == ["venv", "pip", "pytest"]


def test_parallel_make_sets_up_once(clone):
    assert make(clone, "-j2", "setup", "test").returncode == 0
    assert calls(clone) == ["venv", "pip", "pytest"]


def test_without_a_fitting_python_one_line_says_so(clone):
    (clone / "falscher python3").write_text("#!/bin/sh\nexit 1\n")
    outcome = make(clone, "reproduce")
    first, *rest = outcome.stderr.splitlines()
    assert outcome.returncode != 0
    assert first.startswith("make: no Python 3.11, 3.12 or 3.13 with its venv module at './falscher python3'")
    assert "make PYTHON=/path/to/python3.11" in first
    assert len(rest) == 1, "beside it only make's own closing line"
    assert not (clone / ".venv").exists()


def test_clean_removes_what_was_generated_and_keeps_the_environment(clone):
    make(clone, "setup")
    for folder in ("build/cells", "ntkd_lib/__pycache__", ".venv/lib/__pycache__"):
        (clone / folder).mkdir(parents=True)
    calls(clone)
    assert make(clone, "clean").returncode == 0
    assert not (clone / "build").exists()
    assert not (clone / "ntkd_lib" / "__pycache__").exists()
    assert (clone / ".venv" / "lib" / "__pycache__").exists()
    assert calls(clone) == []


def test_an_up_to_date_environment_costs_next_to_nothing(clone):
    make(clone, "setup")
    seconds = []
    for _ in range(5):
        started = seconds_of_processes()
        make(clone, "setup")
        seconds.append(seconds_of_processes() - started)
    assert min(seconds) < 0.1


def test_only_syntax_that_make_3_81_knows():
    assert not re.search(r"^\.ONESHELL|\$\(file |^\w+ *!=|&:|::=|^\.SHELLFLAGS", TEXT, re.MULTILINE)
