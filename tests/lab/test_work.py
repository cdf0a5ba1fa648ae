"""Work: what a described call holds, what is refused, and that records take the place of cells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from ntkd_lib.lab.cells import Cell, CellError, CellResult, Record, cell_key
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.frame import frame, metric, paired, summarise
from ntkd_lib.lab.store import CellStore
from ntkd_lib.lab.work import Data, work

DATA = Data("digits", "0" * 64, "standin")


@dataclass(frozen=True)
class Optics:
    """A setting of two parts."""

    name: str
    sizes: tuple[int, ...] = (3, 5)


@work(cost=lambda steps, **_: 2.0 * steps)
def train(
    data: Data, seed: int, *, steps: int = 3, rate: float = 1.0, optics: Optics | None = None
) -> CellResult:
    """Return numbers that follow from the arguments."""
    assert optics is None or isinstance(optics.sizes, tuple)
    size = sum(optics.sizes) if optics else 0
    return CellResult({"score": rate * steps + seed + size, "converged": True}, {"weights": np.arange(steps)})


@work()
def compare(data: Data, own: Record, others: Sequence[Record], named: Mapping[str, Record]) -> CellResult:
    """Read records given one by one, as a list and by name."""
    listed = [record.values["score"] for record in others]
    return CellResult({"own": own.values["score"], "others": listed, "names": sorted(named)})


@work()
def select(by_size: Mapping[int, Record], size: int) -> CellResult:
    """Read the record of one size."""
    return CellResult({"score": by_size[size].values["score"]})


@pytest.mark.parametrize("sizes", [(5, 3), (1, 2), (0, 2), (1, 0)])
def test_records_of_whole_numbers_keep_their_numbers(sizes, tmp_path) -> None:
    cells = {size: train.cell({}, data=DATA, seed=size) for size in sizes}
    chosen = select.cell({}, by_size=cells, size=sizes[0])
    records = run_cells([chosen], CellStore(tmp_path), workers=1)
    assert records[chosen.name].values["score"] == 3 + sizes[0]


def test_a_described_call_names_its_function_arguments_labels_and_cost() -> None:
    cell = train.cell({"method": "kd"}, data=DATA, seed=2, steps=4, optics=Optics("lens"))
    assert cell.work == "tests.lab.test_work:train"
    assert cell.arguments == {
        "data": {"name": "digits", "sha256": "0" * 64, "kind": "standin", "evidence": True},
        "seed": 2,
        "steps": 4,
        "rate": 1.0,
        "optics": {"name": "lens", "sizes": [3, 5]},
    }
    assert (cell.cost, cell.data) == (8.0, {"digits": "0" * 64})
    assert cell.labels == {
        "data": "digits",
        "seed": 2,
        "steps": 4,
        "rate": 1.0,
        "optics": "lens",
        "method": "kd",
    }
    assert cell.name.startswith("train/data=digits/method=kd/seed=2/")


def test_data_that_only_illustrate_are_no_data_of_the_cell() -> None:
    cell = train.cell(data=replace(DATA, evidence=False), seed=2)
    assert cell.data == {}
    assert cell.labels["data"] == "digits"


def test_numbers_that_are_equal_have_one_key_and_labels_do_not_count() -> None:
    keys = {cell_key(train.cell(data=DATA, seed=0, rate=rate)) for rate in (2, 2.0)}
    keys.add(cell_key(train.cell({"method": "any"}, data=DATA, seed=0, rate=2)))
    assert len(keys) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": 0}, "missing a required argument: 'data'"),
        ({"data": DATA, "seed": 0, "step": 4}, "unexpected keyword argument 'step'"),
        ({"data": DATA, "seed": 0, "steps": "many"}, "steps = 'many': Input should be a valid integer"),
        ({"data": DATA, "seed": 0, "optics": {"sizes": [1]}}, "optics = {'sizes': \\[1\\]}: Field required"),
    ],
)
def test_a_wrong_argument_is_refused_when_the_call_is_described(arguments: dict, message: str) -> None:
    with pytest.raises(CellError, match=f"^tests.lab.test_work:train: .*{message}"):
        train.cell(**arguments)


def test_records_take_the_place_of_cells_and_calls_stay_calls(tmp_path) -> None:
    cells = [train.cell(data=DATA, seed=seed) for seed in range(3)]
    last = compare.cell(data=DATA, own=cells[0], others=cells[1:], named={"a b": cells[2], "c": cells[0]})
    record = run_cells([last], CellStore(tmp_path), workers=1, progress="none")[last.name]
    assert record.values == {"own": 3.0, "others": [4.0, 5.0], "names": ["a b", "c"]}
    assert train(DATA, 1).values["score"] == 4.0


def records(tmp_path) -> tuple[list[Cell], dict[str, Record]]:
    """Run two methods with three seeds."""
    cells = [
        train.cell({"method": name}, data=DATA, seed=seed, rate=rate)
        for name, rate in (("kd", 1.0), ("none", 0.5))
        for seed in range(3)
    ]
    return cells, run_cells(cells, CellStore(tmp_path), workers=1, progress="none")


def test_a_frame_has_labels_values_seconds_and_key(tmp_path) -> None:
    cells, made = records(tmp_path)
    table = frame(cells, made, train)
    assert list(table["score"]) == [3.0, 4.0, 5.0, 1.5, 2.5, 3.5]
    assert {"data", "method", "seed", "steps", "seconds"} <= set(table)
    summary = summarise(table, "score", ["method"]).set_index("method")
    assert summary.loc["kd", "mean"] == 4.0
    assert summary.loc["kd", "high"] == pytest.approx(4 + 4.302652729911275 / 3**0.5)
    missing = table.assign(score=table["score"].where(table["seed"] > 0))
    assert summarise(missing, "score", ["method"])["seeds"].tolist() == [2, 2]
    gaps = paired(table, "score", [("kd", "none"), ("none", "absent")])
    assert gaps[["greater", "less", "mean", "low", "smallest", "wins"]].values.tolist() == [
        ["kd", "none", 1.5, 1.5, 1.5, 3]
    ]
    kd = metric(table[table.method == "kd"], "score")
    assert (kd.seeds, kd.values, kd.converged, kd.data) == (
        [0, 1, 2],
        [3.0, 4.0, 5.0],
        [True] * 3,
        ["digits"],
    )
    assert kd.cells == [made[cell.name].key for cell in cells[:3]]


def test_a_value_with_the_name_of_a_label_is_refused(tmp_path) -> None:
    cells, made = records(tmp_path)
    twice = [train.cell({"score": 1}, data=DATA, seed=0, rate=1.0)]
    with pytest.raises(ValueError, match="'score' is a label and a value"):
        frame(twice, {twice[0].name: made[cells[0].name]}, train)
