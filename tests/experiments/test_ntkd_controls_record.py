"""The recorded digits of which few have a label: what is trained, and what is read back."""

import pytest
from click.testing import CliRunner

from ntkd_lib.data.registry import Located, forget
from ntkd_lib.experiments.ntkd_controls import record
from ntkd_lib.experiments.ntkd_controls.recorded import recorded_few_labels
from ntkd_lib.experiments.recording import keys_of, seconds_of
from ntkd_lib.figures.ntkd_controls import few_label_table
from ntkd_lib.records.cells import Cell, Record
from ntkd_lib.records.store import CellStore

LOCATED = Located("mnist", "real", "NTKD_DATA", None, "0" * 64, "")
ADDED = {"none": 0.0, "ntkd": 2.0, "kd": 7.0}


@pytest.fixture
def planned() -> list[Cell]:
    return record.cells(LOCATED.sha256)


def made(cell: Cell) -> Record:
    """Give a record in which seed and share matter more than the method."""
    _, _, student, seed = cell.name.split("/")
    method = student.partition("_labels")[0]
    share = cell.arguments["label_share"]
    accuracy = 80 + 100 * share + ADDED[method] * (1 + int(seed.removeprefix("seed=")))
    key = (student + seed).encode().hex()[-64:].rjust(64, "0")
    return Record(key, cell.name, {"accuracy": accuracy, "converged": True}, {}, {"seconds": 2.0})


def test_students_of_a_seed_differ_in_what_they_hear_only(planned) -> None:
    assert len(planned) == len({cell.name for cell in planned}) == 2 * 3 * 5
    assert {cell.arguments["label_share"] for cell in planned} == {0.01, 0.1}
    assert {cell.arguments["epochs"] for cell in planned} == {record.parameters().epochs}
    assert {cell.arguments["data"] for cell in planned} == {"mnist"}


def test_differences_are_those_of_one_seed(planned, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("ntkd_lib.experiments.recording.results_root", lambda: tmp_path)
    assert recorded_few_labels().empty
    assert "ntkd_controls.record" in few_label_table(recorded_few_labels(), "the recorded run")
    found = record.metrics(planned, {cell.name: made(cell) for cell in planned})
    record.RECORDING.save(record.RECORDING.evidence(LOCATED, {"protocol": "few labels"}, found, 60.0))
    gaps = recorded_few_labels().set_index("label")
    assert len(gaps) == 6
    for share in ("1 %", "10 %"):
        gap = gaps.loc[f"KD − labels only, {share} of labels"]
        assert (gap["mean"], gap["smallest"], gap["seeds"]) == (21.0, 7.0, 5)  # 7 times 1 to 5
        assert gaps.loc[f"NTKD − KD, {share} of labels", "mean"] == pytest.approx(-15.0)


def test_a_cell_that_two_metrics_rest_on_is_counted_once(planned, tmp_path) -> None:
    records = {cell.name: made(cell) for cell in planned}
    keys = keys_of(record.metrics(planned, records))

    class Store(CellStore):
        def load(self, key: str) -> Record:
            return next(each for each in records.values() if each.key == key)

    assert len(set(keys)) == 30
    assert seconds_of([*keys, *keys], Store(tmp_path)) == 60.0


def test_stand_in_digits_are_not_recorded(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("NTKD_DATA", str(tmp_path))
    forget()
    result = CliRunner().invoke(record.main)
    forget()
    assert result.exit_code == 1
    assert result.output.splitlines() == ["Error: recording needs the real mnist, found a stand-in"]
