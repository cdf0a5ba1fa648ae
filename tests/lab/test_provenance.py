import json
import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from ntkd_lib.lab import provenance
from ntkd_lib.lab.digest import plain
from ntkd_lib.lab.layout import project_root
from ntkd_lib.lab.provenance import code_state, joint_origin, measure, other_versions, scrub, snapshot


def test_a_snapshot_is_plain_data_with_every_field():
    taken = snapshot(["ntkd", "run", "01"])
    assert plain(taken) == taken
    assert set(taken) == {
        "commit", "dirty", "command", "python", "platform", "cpu", "machine",
            "threads", "device", "versions", "time"
    }  # fmt: skip
    assert taken["command"] == "ntkd run 01"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", taken["time"])
    assert taken["versions"]["numpy"] == np.__version__
    assert taken["threads"] >= 1
    assert taken["device"] == "cpu"


def test_nothing_of_this_machine_is_in_it():
    text = json.dumps(snapshot([f"{project_root()}/.venv/bin/ntkd", "-f", f"{Path.home()}/x.yaml"]))
    assert str(project_root()) not in text
    assert str(Path.home()) not in text


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    def git(*words):
        person = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", "-C", str(tmp_path), *person, *words], check=True, capture_output=True)

    git("init")
    (tmp_path / "f").write_text("1")
    git("add", "f")
    git("commit", "-m", "one")
    monkeypatch.setenv("NTKD_ROOT", str(tmp_path))
    return tmp_path


def test_the_commit_and_whether_files_differ_from_it(checkout):
    clean = code_state([])
    assert re.fullmatch(r"[0-9a-f]{40}", clean["commit"])
    assert clean["dirty"] is False
    (checkout / "f").write_text("2")
    assert code_state([]) == {**clean, "dirty": True}


def test_untracked_files_count_whatever_git_is_told_to_show(checkout):
    command = ["git", "-C", str(checkout), "config", "status.showUntrackedFiles", "no"]
    subprocess.run(command, check=True)
    (checkout / "new.py").write_text("1")
    assert code_state([])["dirty"] is True


def test_outside_a_checkout_the_commit_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("NTKD_ROOT", str(tmp_path))
    assert code_state(["x"]) == {"commit": None, "dirty": None, "command": "x"}


@pytest.mark.parametrize("surroundings", ["inside another tree", "GIT_DIR", "GIT_DIR and GIT_WORK_TREE"])
def test_the_commit_of_another_tree_is_not_the_project_s(
    checkout, tmp_path_factory, monkeypatch, surroundings
):
    project = checkout / "unpacked" if surroundings.startswith("inside") else tmp_path_factory.mktemp("alone")
    project.mkdir(exist_ok=True)
    monkeypatch.setenv("NTKD_ROOT", str(project))
    for name, folder in (("GIT_DIR", checkout / ".git"), ("GIT_WORK_TREE", checkout)):
        if name in surroundings:
            monkeypatch.setenv(name, str(folder))
    assert code_state(["x"]) == {"commit": None, "dirty": None, "command": "x"}


def test_variables_of_git_do_not_hide_the_project_s_commit(checkout, tmp_path_factory, monkeypatch):
    before = code_state(["x"])
    monkeypatch.setenv("GIT_DIR", str(tmp_path_factory.mktemp("none")))
    monkeypatch.setenv("GIT_INDEX_FILE", "/dev/null/index")
    assert before["commit"]
    assert code_state(["x"]) == before


@pytest.mark.parametrize(
    "value", ["large_rows=[80, 90]", "title=a b", "title='", 'title="$HOME"', "a=`b`", "a=*", "rate=0.5"]
)
def test_a_recorded_command_can_be_pasted_into_a_shell(value):
    words = ["ntkd", "run", "05", "-p", value]
    assert shlex.split(scrub(words)) == words
    assert (
        subprocess.check_output(["sh", "-c", f"printf '%s\n' {scrub(words)}"], text=True).splitlines()
        == words
    )


def origin(time, **changes):
    made = {
        "commit": "a" * 40,
        "dirty": False,
        "python": "3.11",
        "platform": "Linux",
        "cpu": "X",
        "machine": "m",
    }
    return {**made, "threads": 1, "device": "cpu", "versions": {"scipy": "1.0"}, "time": time, **changes}


def test_records_of_one_origin_have_its_fields():
    joint = joint_origin([origin("2026-01-02"), origin("2026-01-01")])
    assert (joint["commit"], joint["cpu"], joint["time"]) == ("a" * 40, "X", "2026-01-02")
    assert [(made["cells"], made["first"], made["last"]) for made in joint["made"]] == [
        (2, "2026-01-01", "2026-01-02")
    ]
    assert joint_origin([]) == {}


def test_records_of_several_origins_name_each_and_blur_what_differs():
    joint = joint_origin(
        [origin("2026-01-02", cpu="Y", commit="b" * 40), origin("2026-01-01"), origin("2026-01-03")]
    )
    assert (joint["cpu"], joint["commit"], joint["python"]) == ("several", "several", "3.11")
    assert [(made["cpu"], made["cells"]) for made in joint["made"]] == [("X", 2), ("Y", 1)]


def test_versions_are_compared_without_the_build():
    now = {name: version(name) for name in ("numpy", "scipy")}
    assert other_versions({**now, "numpy": f"{now['numpy']}+cpu"}) == {}
    assert other_versions({**now, "scipy": "0.1"}) == {"scipy": ("0.1", now["scipy"])}
    assert other_versions({"no-such-package": "1.0"}) == {"no-such-package": ("1.0", None)}
    assert other_versions(None) == {}


@pytest.mark.parametrize(
    "word, scrubbed",
    [
        ("/opt/tools/bin/ntkd", "ntkd"),
        ("{root}/notebooks/01.py", "notebooks/01.py"),
        ("--file={root}/a b/p.yaml", "'--file=a b/p.yaml'"),
        ("--file=/home/ada/p.yaml", "--file=p.yaml"),
        ("~/p.yaml", "p.yaml"),
        ("tcp://10.0.0.7:8786", "tcp://..."),
        ("jupytext://{root}/notebooks/01.py", "jupytext://notebooks/01.py"),
        ("lr=1e-3", "lr=1e-3"),
        ("notebooks/01.py", "notebooks/01.py"),
        ("sizes=[1,2]", "'sizes=[1,2]'"),
        ("ratio=1/2", "ratio=1/2"),
    ],
)
def test_paths_are_scrubbed(word, scrubbed, monkeypatch):
    monkeypatch.setenv("NTKD_ROOT", "/srv/project")
    assert scrub([word.format(root="/srv/project")]) == scrubbed


MEASURED = """
import time
import numpy as np
from ntkd_lib.lab.provenance import measure
with measure() as first:
    block = np.ones(40 << 17)  # 40 MiB
    time.sleep(0.05)
del block
with measure() as second:
    pass
print(first["seconds"], second["seconds"], first["peak_memory_mib"] - second["peak_memory_mib"])
"""


def test_time_and_peak_memory_of_a_block():  # in a process of its own: this one may hold freed memory
    done = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True)
    slow, fast, mebibytes = map(float, done.stdout.split())
    assert 0.05 <= slow < 5
    assert fast < slow
    if Path("/proc/self/clear_refs").exists():
        assert mebibytes > 30


def test_a_block_that_raises_is_measured_too():
    with pytest.raises(KeyError), measure() as measured:
        raise KeyError
    assert measured["seconds"] >= 0
    assert measured["peak_memory_mib"] > 1


def test_without_proc_the_peak_is_that_of_the_process(monkeypatch):
    def none(*_, **__):
        raise OSError

    monkeypatch.setattr(provenance.Path, "read_text", none)
    monkeypatch.setattr(provenance.Path, "write_text", none)
    with measure() as measured:
        pass
    assert 10 < measured["peak_memory_mib"] < 100_000
