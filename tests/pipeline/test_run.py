"""Runs of the toy notebook by the command line: what they leave, what they say, how they stop."""

import json
import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest

from ntkd_lib.records.evidence import load_evidence
from tests.pipeline.toy import NAME

UNPUBLISHED = "it published no evidence for its parameters (no run.publish, or they changed)"


def test_a_run_leaves_what_the_layout_names(ran):
    assert load_evidence(ran.evidence).metrics["toy_score"].values == [0.5, 1.0]
    converted = nbformat.read(ran.tier / "notebooks" / f"{NAME}.ipynb", as_version=4)
    first = next(cell for cell in converted.cells if cell.cell_type == "code")
    assert first.metadata.tags == ["parameters"]
    assert all(not cell.get("outputs") for cell in converted.cells)
    assert not list((ran.build / "stage").glob("*/"))


def test_a_second_run_does_nothing(own):
    before, start = own.files(), time.monotonic()
    done = own.run()
    assert time.monotonic() - start < 6  # 3 seconds on a quiet machine
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{NAME}: up to date",
        f"executed notebook: {own.executed}",
        f"its page: {own.tier}/html/{NAME}.html (built by: ntkd book --tier smoke)",
    ]
    assert own.files() == before


def test_a_run_that_has_nothing_to_do_needs_no_heavy_library(own):
    words = ["run", "90", "--tier", "smoke"]
    script = (
        "import sys\nfrom ntkd_lib.pipeline.cli import cli\n"
        f"try: cli.main({words})\nexcept SystemExit as end: assert end.code == 0\n"
        "print([name for name in ('torch', 'matplotlib', 'pandas', 'sklearn') if name in sys.modules])"
    )
    done = own.process([sys.executable, "-c", script])
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_changed_parameters_get_a_place_of_their_own(own):
    before = {path: data for path, data in own.files().items() if path.startswith("build/smoke")}
    done = own.run("-p", "rate=0.25", "--no-page")
    assert done.returncode == 0, done.stderr
    (folder,) = (own.build / "runs").iterdir()
    evidence = load_evidence(folder / "evidence" / f"{NAME}.json")
    assert (evidence.standard, evidence.changed) == (False, {"rate": [0.5, 0.25]})
    assert {path: data for path, data in own.files().items() if path.startswith("build/smoke")} == before
    assert own.run("-p", "rate=0.25", "--no-page").stdout.startswith(f"{NAME}: up to date\n")


def test_two_runs_at_once_do_not_meet(own):
    own.edit(
        own.notebook,
        "evidence.notebook",
        "import time, pathlib; pathlib.Path('middle').touch(); time.sleep(9)",
    )
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
    first.communicate(timeout=60)
    assert first.returncode == 0


def test_ctrl_c_ends_cleanly(own):
    own.edit(
        own.notebook,
        "evidence.notebook",
        "import time, pathlib; pathlib.Path('middle').touch(); time.sleep(60)",
    )
    before = own.executed.read_bytes()
    process = own.start("run", "90", "--tier", "smoke", "--workers", "1")
    while not (own.root / "middle").exists():
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "ntkd: stopped"
    assert "Traceback" not in said
    assert own.executed.read_bytes() == before


def test_noise_on_standard_error_is_a_failure(own):
    done = own.run("-p", "fault=stderr", "--no-page")
    assert done.returncode == 1
    assert f"ntkd: {NAME}: cell 4: wrote to stderr: a warning (see " in done.stderr
    assert not (own.build / "runs").exists()


def test_a_notebook_that_publishes_nothing_is_a_failure(own):
    own.edit(
        own.notebook, "evidence = run.publish(metrics(run.records, run.parameters))\nevidence.notebook", "1"
    )
    done = own.run()
    assert done.returncode == 1
    assert done.stderr.endswith(f"ntkd: {NAME}: {UNPUBLISHED}\n")


def test_a_notebook_that_ignores_a_parameter_is_a_failure(own):
    own.edit(
        own.notebook,
        'run = open_run("90_toy", globals())',
        'rate = 0.75\nrun = open_run("90_toy", globals())',
    )
    done = own.run()
    assert done.returncode == 1
    assert done.stderr.endswith(f"ntkd: {NAME}: {UNPUBLISHED}\n")


def test_papermill_runs_a_tracked_notebook(own):
    words = ["papermill", f"jupytext://notebooks/{NAME}.py", "out.ipynb", "-k", "python3", "-p", "seed", "3"]
    done = own.process([sys.executable, "-m", *words])
    assert done.returncode == 0, done.stderr
    assert "2.0)" in (own.root / "out.ipynb").read_text()
    (folder,) = (own.build / "runs").iterdir()
    assert json.loads((folder / "evidence" / f"{NAME}.json").read_text())["parameters"]["seed"] == 3


@pytest.mark.parametrize("user", ["jupyter", "ipython"])
def test_kernels_and_settings_of_the_user_are_left_alone(own, user, tmp_path):
    spec = tmp_path / "jupyter/kernels/python3/kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(
        json.dumps({"argv": ["/nowhere/python", "{connection_file}"], "display_name": "x", "language": "y"})
    )
    profile = tmp_path / "ipython/profile_default/ipython_kernel_config.py"
    profile.parent.mkdir(parents=True)
    profile.write_text("raise RuntimeError('settings of the user')")
    name = {"jupyter": "JUPYTER_PATH", "ipython": "IPYTHONDIR"}[user]
    done = subprocess.run(
        own.command("run", "90", "--tier", "smoke", "--force"),
        cwd=own.root,
        env=own.environment | {name: str(tmp_path / user)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
