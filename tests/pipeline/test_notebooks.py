"""Finding notebooks, reading headers, converting, scrubbing, locking."""

import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntkd_lib.pipeline.errors import PipelineError
from ntkd_lib.pipeline.notebooks import (
    all_notebooks,
    find_notebook,
    notebook_text,
    parameters_model,
    read_header,
    read_percent,
    target_of,
)
from ntkd_lib.pipeline.papermill_io import JupytextHandler
from ntkd_lib.pipeline.scrub import machine_places, scrub, without_machine
from ntkd_lib.pipeline.workbench import exclusive, stage_folder
from tests.pipeline.toy import NAME, NOTEBOOK

HEADER = "# ---\n# jupyter: {ntkd: {chapter: toy_lab}}\n# ---\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Give a project with an empty folder of notebooks."""
    monkeypatch.setenv("NTKD_ROOT", str(tmp_path))
    (tmp_path / "notebooks").mkdir()
    return tmp_path / "notebooks"


def test_summaries_run_last(folder):
    for name in ("00_scores", "02_b", "01_a"):
        (folder / f"{name}.py").write_text(HEADER)
    (folder / "helper.py").write_text("")
    assert [notebook.name for notebook in all_notebooks()] == ["01_a", "02_b", "00_scores"]


@pytest.mark.parametrize("name", ["90", NAME, f"{NAME}.py", f"notebooks/{NAME}.py"])
def test_a_notebook_is_found_by_number_name_and_file(inside, name):
    assert find_notebook(name).name == NAME


def test_a_number_without_its_zero_is_enough(folder):
    (folder / "01_a.py").write_text(HEADER)
    assert find_notebook("1").name == "01_a"


def test_two_notebooks_of_one_number_are_told_apart(folder):
    for name in ("01_a", "01_b"):
        (folder / f"{name}.py").write_text(HEADER)
    with pytest.raises(PipelineError, match=r"^more than one notebook is called '01': there are 01_a, 01_b"):
        find_notebook("01")


def test_a_project_without_notebooks_says_so(folder):
    with pytest.raises(PipelineError, match=r"^there is no notebook in "):
        find_notebook("01")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has no jupytext header"),
        ("# ---\n# jupyter: {}\n", "has no jupytext header"),
        ("# ---\n# jupyter: {}\n# ---\n", "names no chapter"),
        ("# ---\n# jupyter: [\n# ---\n", "has a header not in YAML"),
        ("# ---\n# jupyter: {ntkd: {chapter: 'os; x'}}\n# ---\n", "names no chapter"),
    ],
)
def test_a_bad_header_is_refused(folder, text, problem):
    (folder / "01_a.py").write_text(text)
    with pytest.raises(PipelineError, match=f"^notebooks/01_a.py {problem}"):
        read_header(folder / "01_a.py")


def test_a_missing_chapter_is_named(folder):
    (folder / "01_a.py").write_text(HEADER.replace("toy_lab", "no_such_lab"))
    with pytest.raises(PipelineError, match=r"the chapter no_such_lab, but there is no module no_such_lab$"):
        parameters_model(find_notebook("01"))


def test_conversion_gives_the_same_bytes_each_time(ran):
    first, second = (notebook_text(read_percent(ran.notebook)) for _ in range(2))
    assert first == second
    assert JupytextHandler.read(f"jupytext://{ran.notebook}") == first
    nbformat.validate(nbformat.reads(first, as_version=4))


@pytest.mark.parametrize("tags", ['["other"]', '["parameters"]\nx = 1\n\n# %% tags=["parameters"]'])
def test_exactly_one_parameters_cell_is_needed(folder, tags):
    (folder / "90_toy.py").write_text(NOTEBOOK.format(last="1").replace('["parameters"]', tags))
    with pytest.raises(PipelineError, match=r"has [02] cells tagged 'parameters'; needs one$"):
        read_percent(folder / "90_toy.py")


def test_papermill_cannot_write_into_a_tracked_notebook():
    with pytest.raises(OSError, match=r"name an \.ipynb file for the output$"):
        JupytextHandler.write("{}", "jupytext://notebooks/90_toy.py")


def test_machine_texts_get_stand_ins(folder):
    places = machine_places(Path("/bench/build"))
    text = f"{folder}/a.py {folder.parent} /bench/build/cells {sys.prefix}/bin {Path.home()}/x /home/eve/y"
    assert without_machine(text, places) == "notebooks/a.py . build/cells PYTHON/bin ~/x ~/y"


@given(st.text(alphabet="abc /.0x", max_size=40))
def test_texts_without_machine_are_left_alone(text):
    places = {"/machine/home": "~"}
    assert without_machine(text, places) == text or "0x" in text


@given(st.text(alphabet="ab/ .", max_size=10), st.text(alphabet=" \n,:", max_size=3))
def test_no_place_survives(before, after):
    assert "/machine/place" not in without_machine(f"{before} /machine/place{after}", {"/machine/place": "."})


def test_an_embedded_image_is_left_alone_and_takes_no_time():
    image = "AAA+/machine/place/A" * 200_000
    text = f'<img src="data:image/svg+xml;base64,{image}"> /machine/place/x'
    start = time.process_time()
    assert without_machine(text, {"/machine/place": "."}) == text.removesuffix("/machine/place/x") + "x"
    assert time.process_time() - start < 2


def test_the_file_of_a_cell_has_no_number():
    assert without_machine("/scratch/ipykernel_12/345.py:1", {"/scratch": "TMP"}) == "TMP/cell:1"


def test_scrubbing_twice_changes_nothing_more(ran):
    notebook = nbformat.read(ran.executed, as_version=4)
    once = notebook_text(notebook)
    assert notebook_text(scrub(notebook, machine_places())) == once == ran.executed.read_text()


def test_a_lock_is_free_again_when_its_holder_is_killed(tmp_path):
    lock = tmp_path / "a.lock"
    holder = (
        "import sys, time\nfrom pathlib import Path\nfrom ntkd_lib.pipeline.workbench import exclusive\n"
        "with exclusive(Path(sys.argv[1]), 'it'):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", holder, str(lock)], stdout=subprocess.PIPE)
    with process:
        assert process.stdout.readline() == b"held\n"
        with (
            pytest.raises(PipelineError, match=f"^it is already running \\(process {process.pid}\\)"),
            exclusive(lock, "it"),
        ):
            pass
        process.kill()
    with exclusive(lock, "it"):
        assert lock.with_suffix(".pid").read_text().isdecimal()


def test_each_target_has_a_bench_of_its_own(inside):
    notebook, tiers, changes = find_notebook("90"), ("smoke", "cpu"), ({}, {"rate": 0.25})
    targets = [target_of(notebook, tier, change) for tier in tiers for change in changes]
    assert len({stage_folder(target) for target in targets}) == 4
    assert [target.standard for target in targets] == [True, False, True, False]
    assert targets[0].injected == {"tier": "smoke", "seeds": [0, 1]}
