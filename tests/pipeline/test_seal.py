"""Seals: a change of anything that a result rests on shows; a change of words does not."""

import shutil

import pytest

from ntkd_lib.chapters.run import with_needs
from ntkd_lib.lab.cells import Cell
from ntkd_lib.lab.layout import Layout, tier_layout
from ntkd_lib.pipeline.seal import cell_keys, check_seal
from tests.pipeline.toy import NAME

CHECK = (
    "from ntkd_lib.pipeline.seal import check_seal; from ntkd_lib.lab.layout import tier_layout; "
    f"print(*check_seal(tier_layout('smoke'), '{NAME}'), sep='\\n')"
)


def problems(toy):
    """Check in a new process, which sees edited code."""
    import sys

    done = toy.process([sys.executable, "-c", CHECK])
    assert done.stderr == ""
    return [line.removeprefix(f"{NAME}: ") for line in done.stdout.splitlines() if line]


def test_a_run_leaves_a_valid_seal(inside):
    assert check_seal(tier_layout("smoke"), NAME) == []


def test_a_moved_project_keeps_its_seals(own):
    assert problems(own) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        (f"notebooks/{NAME}.py", "# A toy", "# A Toy", [f"notebooks/{NAME}.py has changed since it ran"]),
        ("src/toy_lab/page.py", "60", "61", ["library code that it imports has changed since it ran"]),
        (
            "src/toy_lab/work.py",
            "FACTOR = 1.0",
            "FACTOR = 2.0",
            [f"cell toy/seed={seed} has changed since it ran" for seed in (0, 1)],
        ),
        ("src/toy_lab/work.py", "Multiply.", "Multiply two numbers.", []),
        ("constraints.txt", "8.5.1", "8.5.2", ["constraints.txt has changed since it ran"]),
        ("notebooks/params/smoke.yaml", "[0, 1]", "[0, 2]", ["the tier's parameters have changed"]),
        ("claims.yml", "Claim contract", "Claim Contract", ["claims.yml has changed since it ran"]),
    ],
)
def test_a_change_of_an_input_shows(own, file, old, new, expected):
    own.edit(own.root / file, old, new)
    assert problems(own) == expected


def test_a_seal_of_another_notebook_is_refused(inside, tmp_path):
    layout = Layout(tmp_path)
    layout.seal("91_other").parent.mkdir(parents=True)
    shutil.copyfile(inside.seal, layout.seal("91_other"))
    assert check_seal(layout, "91_other") == [f"91_other: its seal is that of {NAME}"]


def test_a_seal_at_another_place_is_refused(inside, tmp_path):
    shutil.copytree(inside.tier, tmp_path / "cpu")
    assert check_seal(Layout(tmp_path / "cpu"), NAME) == [f"{NAME}: its parameters are not those of the tier"]


def test_cells_that_are_needed_count(inside):
    first = Cell("first", "toy_lab.work:measure", {"seed": 0, "rate": 1.0})
    second = Cell("second", "toy_lab.work:measure", {"seed": 1, "rate": 1.0}, needs={"first": first})
    assert list(cell_keys(with_needs([second]))) == ["first", "second"]
