"""Plain papermill, and a user with settings of their own."""

import json
import subprocess
import sys

import pytest

from tests.pipeline.toy import NAME


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
