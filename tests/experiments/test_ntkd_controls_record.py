"""The recorded controls on digits: what is trained, and what is read back."""

import pytest
from click.testing import CliRunner

from ntkd_lib.data.registry import Located, forget
from ntkd_lib.experiments.ntkd_controls import record
from ntkd_lib.experiments.ntkd_controls.design import ARCHITECTURES, TRAINED_ELSEWHERE, VARIANTS
from ntkd_lib.experiments.ntkd_controls.recorded import recorded_controls, recorded_ranks
from ntkd_lib.experiments.recording import keys_of, seconds_of
from ntkd_lib.figures.ntkd_controls import gap_table
from ntkd_lib.lab.cells import Cell, Record
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.store import CellStore
from ntkd_lib.lab.verdicts import judge

LOCATED = Located("mnist", "real", "NTKD_DATA", None, "0" * 64, "")
ADDED = {"none": 0.0, "ntkd": 2.0, "kd": 7.0}
CLAIMS = (
    "ntkd-ctl-tuned-labels",
    "ntkd-ctl-untrained-teacher",
    "ntkd-ctl-more-than-scale",
    "ntkd-parameter-compressibility",
)


@pytest.fixture(scope="module")
def planned() -> list[Cell]:
    return record.cells()


def made(cell: Cell) -> Record:
    """Give a record of which the accuracy depends on loss, share of labels, architecture and seed."""
    key = cell.name.encode().hex()[-64:].rjust(64, "0")
    if "/estimate/" in cell.name:
        guess = float(len(cell.name.removeprefix("mnist/estimate/")))
        return Record(key, cell.name, {"estimate": guess}, {}, {"seconds": 2.0})
    student, seed = cell.name.split("/")[-2:]
    share = cell.arguments.get("label_share", 0.0)
    gain = ADDED.get(student.partition("_")[0], 0.0) if share else 0.0
    accuracy = 80 + 100 * share + gain * (1 + int(seed.removeprefix("seed=")))
    accuracy += len(student) if "/stage1/" in cell.name else 0
    return Record(key, cell.name, {"accuracy": accuracy, "converged": True}, {}, {"seconds": 2.0})


@pytest.fixture
def found(planned) -> dict:
    return record.metrics({cell.name: made(cell) for cell in planned})


def test_every_student_runs_for_five_seeds(planned) -> None:
    names = {cell.name.rpartition("/")[0] for cell in planned}
    assert "mnist/estimate" in names
    assert len(planned) == len({cell.name for cell in planned}) == 5 * (len(names) - 1) + len(ARCHITECTURES)
    others = {*TRAINED_ELSEWHERE} - {*record.STUDENTS}
    stage1 = [v for v in VARIANTS.values() if v.family == "stage1"]
    assert len(names) - 1 == len(record.STUDENTS) + len(record.SIZES) + 2 * 3 + len(others) + len(stage1)
    assert {cell.arguments["data"] for cell in planned} == {"mnist"}
    few = {cell.arguments["label_share"] for cell in planned if "/labels/" in cell.name}
    assert few == {0.01, 0.1}


def test_differences_are_those_of_one_seed(found, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("ntkd_lib.experiments.recording.results_root", lambda: tmp_path)
    assert recorded_controls().empty
    assert recorded_ranks() == {}
    assert "ntkd_controls.record" in gap_table(recorded_controls(), "recorded")
    record.RECORDING.save(record.RECORDING.evidence(LOCATED, {"protocol": "few labels"}, found, 60.0))
    assert list(recorded_ranks()) == [0, 1, 2, 3, 4]
    gaps = recorded_controls().set_index("label")
    assert len(gaps) == 7 + 2 * 3
    for share in ("1 %", "10 %"):
        gap = gaps.loc[f"KD − labels only, {share} of labels"]
        assert (gap["mean"], gap["smallest"], gap["seeds"]) == (21.0, 7.0, 5)  # 7 times 1 to 5
        assert gaps.loc[f"NTKD − KD, {share} of labels", "mean"] == pytest.approx(-15.0)
    assert gaps.loc["NTKD − labels only", "mean"] == 0.0


def test_claims_on_controls_are_decided(found) -> None:
    evidence = record.RECORDING.evidence(LOCATED, {}, found, 60.0)
    claims = {claim.id: claim for claim in load_claims().claims}
    verdicts = [judge(claims[name], [evidence]) for name in CLAIMS]
    assert [verdict.seeds for verdict in verdicts] == [5] * len(CLAIMS)
    assert [verdict.status for verdict in verdicts] == ["not reproduced"] * 3 + ["reproduced"]


def test_a_cell_that_two_metrics_rest_on_is_counted_once(planned, found, tmp_path) -> None:
    records = {each.key: each for each in map(made, planned)}

    class Store(CellStore):
        def load(self, key: str) -> Record:
            return records[key]

    keys = keys_of(found)
    assert len(keys) > len(set(keys)) == len(planned)
    assert seconds_of(keys, Store(tmp_path)) == 2.0 * len(planned)


def test_stand_in_digits_are_not_recorded(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("NTKD_DATA", str(tmp_path))
    forget()
    result = CliRunner().invoke(record.main)
    forget()
    assert result.exit_code == 1
    assert result.output.splitlines() == ["Error: recording needs the real mnist, found a stand-in"]
