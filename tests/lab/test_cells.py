import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntkd_lib.lab.cells import Cell, CellError, cell_key

WORK = "ntkd_lib.lab.seeds:deterministic"


def test_name_and_cost_do_not_count():
    assert cell_key(Cell("a", WORK, {"x": 1}, cost=1.0)) == cell_key(Cell("b", WORK, {"x": 1}, cost=9.0))


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.booleans())))
def test_the_order_of_arguments_does_not_count(arguments):
    assert cell_key(Cell("a", WORK, arguments)) == cell_key(
        Cell("a", WORK, dict(reversed(arguments.items())))
    )


BASE = Cell("base", WORK, {"x": 1})
OTHERS = {
    "work": Cell("a", "ntkd_lib.lab.seeds:derive_seed", {"x": 1}),
    "argument": Cell("a", WORK, {"x": 2}),
    "kind of number": Cell("a", WORK, {"x": 1.0}),
    "more arguments": Cell("a", WORK, {"x": 1, "y": None}),
    "data": Cell("a", WORK, {"x": 1}, data={"mnist": "0" * 64}),
    "other data": Cell("a", WORK, {"x": 1}, data={"mnist": "1" * 64}),
    "need": Cell("a", WORK, {"x": 1}, needs={"teacher": BASE}),
    "need by another name": Cell("a", WORK, {"x": 1}, needs={"other": BASE}),
    "what a need needs": Cell(
        "a", WORK, {"x": 1}, needs={"teacher": Cell("t", WORK, {"x": 1}, needs={"b": BASE})}
    ),
}


def test_everything_else_counts():
    assert len({cell_key(cell) for cell in (BASE, *OTHERS.values())}) == len(OTHERS) + 1


def test_library_versions_count(monkeypatch):
    from ntkd_lib.lab import cells

    before = cell_key(BASE)
    monkeypatch.setattr(cells, "_versions", lambda: (("numpy", "0.1"),))
    assert cell_key(BASE) != before


def test_keys_are_the_same_in_another_process():
    code = f"from ntkd_lib.lab.cells import Cell, cell_key; print(cell_key(Cell('z', {WORK!r}, dict(x=1))))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONHASHSEED": "3"}, capture_output=True, text=True
    )
    assert done.stdout.strip() == cell_key(BASE)


def test_editing_code_changes_the_keys_of_the_cells_that_use_it_and_no_others(toy):
    def keys():
        trainer, viewer = toy.cell("t", "trainer:train", x=1), toy.cell("v", "viewer:view", x=1)
        student = toy.cell("s", "viewer:view", {"teacher": trainer}, x=1)
        return {"trainer": cell_key(trainer), "viewer": cell_key(viewer), "student": cell_key(student)}

    before = keys()
    toy.edit("losses.py", '"""Square."""', '"""Square of the scale."""')
    assert keys() == before
    toy.edit("losses.py", "** 2", "** 3")
    after = keys()
    assert {name for name in before if after[name] != before[name]} == {"trainer", "student"}
    toy.edit("losses.py", "** 3", "** 2")
    assert keys() == before


@pytest.mark.parametrize("work", ["module", "module:", ":f", "a b:f", "a:f()", "a.:f", ""])
def test_work_is_named_by_module_and_function(work):
    with pytest.raises(CellError) as caught:
        Cell("a", work)
    assert str(caught.value) == f"cell a: work {work!r} is not 'package.module:function'"


def test_arguments_that_json_cannot_keep_are_refused_by_name():
    with pytest.raises(CellError) as caught:
        cell_key(Cell("mnist/kd", WORK, {"lr": float("nan")}))
    assert str(caught.value) == "cell mnist/kd: arguments.lr: nan is not a finite number"


def test_a_module_that_is_not_there_is_said_with_the_cell():
    with pytest.raises(CellError, match=r"^cell a: module 'ntkd_lib\.nowhere' is not found; "):
        cell_key(Cell("a", "ntkd_lib.nowhere:f"))
