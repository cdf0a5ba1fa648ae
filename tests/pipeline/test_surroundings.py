"""Plain papermill, and a user with settings of their own."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import jupytext
import pytest

from ntkd_lib.pipeline.doctor import check_kernel
from ntkd_lib.pipeline.kernel import kernel_environment, matplotlib_settings
from ntkd_lib.pipeline.notebooks import read_header, source_hash
from tests.pipeline.toy import NAME, REPOSITORY

NOWHERE = "/dev/null/home"
HOSTILE = ("jupyter_book", "ipykernel", "ipykernel_launcher", "sphinx", "papermill", "jupytext", "joblib")


@pytest.fixture
def trap(tmp_path):
    """Return a folder of files that are named like programs of the pipeline, and leave a mark when run."""
    folder = tmp_path / "trap"
    folder.mkdir()
    for name in HOSTILE:
        (folder / f"{name}.py").write_text(
            f"open({str(folder / 'mark')!r}, 'w')\nraise SystemExit('trapped')\n"
        )
    return folder


@pytest.mark.parametrize("changed", [("-p", "seed", "3"), ("-p", "tier", "smoke", "-y", "seeds: [0, 1]")])
def test_papermill_runs_a_tracked_notebook_and_leaves_a_draft(own, changed):
    """The second run has the very parameters of the sealed tier."""
    before = own.files()
    words = ["papermill", f"jupytext://notebooks/{NAME}.py", "out.ipynb", "-k", "python3", *changed]
    done = own.process([sys.executable, "-m", *words])
    assert done.returncode == 0, done.stderr
    assert ("2.0)" if "3" in changed else "1.5)") in (own.root / "out.ipynb").read_text()
    (folder,) = (own.build / "drafts").iterdir()
    assert json.loads((folder / "evidence" / f"{NAME}.json").read_text())["parameters"]["tier"]
    assert before.items() <= own.files().items()
    done = own.ntkd("verify", "--tier", "smoke")
    assert done.returncode == 0, done.stderr


def test_folders_of_the_user_that_cannot_be_written_are_no_fault_of_the_chapter(own):
    locked = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"), NOWHERE)
    own = dataclasses.replace(own, more=tuple(locked.items()))
    done = own.run("-p", "fault=draw", "--no-page")
    assert done.returncode == 0, done.stderr
    assert list((own.build / "matplotlib").glob("*/fontlist-*.json"))


def test_fonts_are_listed_before_the_kernel_starts(own, monkeypatch):
    monkeypatch.setenv("NTKD_BUILD", str(own.build))
    settings = matplotlib_settings()
    assert own.build in Path(settings["MPLCONFIGDIR"]).parents
    assert list(Path(settings["MPLCONFIGDIR"]).glob("fontlist-*.json"))


@pytest.mark.parametrize("threads", ["4", None])
def test_the_notebook_s_own_process_computes_on_one_thread(own, threads):
    own = dataclasses.replace(own, more=(("OMP_NUM_THREADS", threads), ("OPENBLAS_NUM_THREADS", threads)))
    done = own.run("-p", "fault=threads", "--no-page")
    assert done.returncode == 0, done.stderr
    (page,) = (own.build / "runs").glob("*/executed/*.ipynb")
    assert "(1, '1')" in page.read_text()


def test_the_kernel_imports_the_library_that_runs_and_not_another_installed_one(own):
    (own.root / "ntkd_lib").symlink_to(REPOSITORY / "ntkd_lib", target_is_directory=True)
    own = dataclasses.replace(own, more=(("PYTHONPATH", f"{own.root}:{own.root}/src"),))
    done = own.run("-p", "fault=library", "--no-page")
    assert done.returncode == 0, done.stderr
    (page,) = (own.build / "runs").glob("*/executed/*.ipynb")
    assert '"True"' in page.read_text()


def test_files_of_the_current_folder_are_not_run(own, trap):
    program = Path(sys.executable).parent / "ntkd"
    command = [program, "run", "90", "--tier", "smoke", "--force", "-p", "rate=0.25", "--no-page"]
    done = subprocess.run(
        [*command, "--workers", "2"],
        cwd=trap,
        env=own.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not (trap / "mark").exists()


def test_the_doctor_runs_no_file_of_the_current_folder(trap, monkeypatch):
    monkeypatch.chdir(trap)
    assert check_kernel().status == "ok"
    assert not (trap / "mark").exists()


def test_a_folder_that_is_gone_and_a_home_that_is_not_known_are_one_line(tmp_path, own):
    start = "import os, sys; os.rmdir(os.getcwd()); from ntkd_lib.pipeline.cli import main; main()"
    gone = tmp_path / "gone"
    gone.mkdir()
    command = [sys.executable, "-c", start]
    settings = {"cwd": gone, "env": own.environment, "capture_output": True, "text": True, "check": False}
    assert subprocess.run(command, **settings).stderr == (
        "ntkd: the current folder does not exist any more; change to another\n"
    )
    start = "import pathlib\n@classmethod\ndef home(_): raise RuntimeError\npathlib.Path.home = home\n"
    done = own.process([sys.executable, "-c", f"{start}from ntkd_lib.pipeline.cli import main; main()"])
    assert done.stderr == "ntkd: no home folder is known; set HOME\n"


@pytest.mark.parametrize("closed", ["1", "2"])
def test_a_closed_stream_is_no_fault(own, closed):
    done = own.process(["sh", "-c", f"exec {sys.executable} -m ntkd_lib params 90 {closed}>&-"])
    assert (done.returncode, done.stderr) == (0, "")


def test_folders_are_those_seen_from_where_the_command_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NTKD_DATA", "data")
    monkeypatch.delenv("NTKD_CACHE", raising=False)
    with kernel_environment(tmp_path / "home", tmp_path / "build"):
        assert os.environ["NTKD_DATA"] == str(tmp_path / "data")
        assert "NTKD_CACHE" not in os.environ


def test_the_command_line_is_a_module_too(own):
    done = own.process([sys.executable, "-m", "ntkd_lib", "params", "90"])
    assert done.returncode == 0, done.stderr
    assert "rate: " in done.stdout


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("edit source", f"notebooks/{NAME}.py"),
        ("edit figures", "library code that it imports"),
        ("edit claims", "claims.yml"),
    ],
)
def test_what_changes_while_the_notebook_runs_is_not_sealed(own, fault, words):
    done = own.run("-p", f"fault={fault}", "--no-page")
    assert done.returncode == 1
    assert done.stderr.endswith(f"ntkd: {NAME}: {words} changed while it ran; run it again\n")
    assert not list((own.build / "runs").glob("*/executed/*"))


def test_a_notebook_that_jupyter_saved_unchanged_keeps_its_seal(own):
    text = own.notebook.read_text()
    jupytext.write(jupytext.read(own.notebook, fmt="py:percent"), own.notebook, fmt="py:percent")
    assert own.notebook.read_text() != text
    assert "text_representation" in own.notebook.read_text()
    done = own.run()
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, f"{NAME}: up to date"), done.stderr


@pytest.mark.parametrize("path", sorted((REPOSITORY / "notebooks").glob("*.py")), ids=lambda path: path.stem)
def test_the_project_s_notebooks_stay_the_same_when_jupyter_saves_them(path, tmp_path):
    saved = tmp_path / path.name
    jupytext.write(jupytext.read(path, fmt="py:percent"), saved, fmt="py:percent")
    assert source_hash(read_header(saved)) == source_hash(read_header(path))
    saved.write_text(saved.read_text().replace("# %%", "# %%\n1\n\n# %%", 1))
    assert source_hash(read_header(saved)) != source_hash(read_header(path))


def test_kernels_and_settings_of_the_user_are_left_alone(own, tmp_path):
    spec = tmp_path / "jupyter/kernels/python3/kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(
        json.dumps({"argv": ["/nowhere/python", "{connection_file}"], "display_name": "x", "language": "y"})
    )
    profile = tmp_path / "ipython/profile_default/ipython_kernel_config.py"
    profile.parent.mkdir(parents=True)
    profile.write_text("raise RuntimeError('settings of the user')")
    theirs = {"JUPYTER_PATH": str(tmp_path / "jupyter"), "IPYTHONDIR": str(tmp_path / "ipython")}
    done = subprocess.run(
        own.command("run", "90", "--tier", "smoke", "--force"),
        cwd=own.root,
        env=own.environment | theirs,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
