"""Runs of the toy notebook by the command line: what they leave and what they say."""

import sys

import nbformat

from ntkd_lib.lab.evidence import load_evidence
from tests.pipeline.toy import NAME, seconds_of_processes


def test_a_run_leaves_what_the_layout_names(ran):
    assert load_evidence(ran.evidence).metrics["toy_score"].values == [0.5, 1.0]
    converted = nbformat.read(ran.tier / "notebooks" / f"{NAME}.ipynb", as_version=4)
    first = next(cell for cell in converted.cells if cell.cell_type == "code")
    assert first.metadata.tags == ["parameters"]
    assert all(not cell.get("outputs") for cell in converted.cells)
    assert not list((ran.build / "stage").glob("*/"))


def test_a_second_run_does_nothing(own):
    before, start = own.files(), seconds_of_processes()
    done = own.run()
    assert seconds_of_processes() - start < 6  # less than one on a quiet machine
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
