"""The recorded run on colour images: what it trains, what it writes, and what is read back."""

import pytest

from ntkd_lib.data.registry import Located
from ntkd_lib.experiments.ntkd_colour import record, recorded
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.evidence import save_evidence
from ntkd_lib.lab.store import CellStore

LOCATED = Located("cifar-10", "real", "NTKD_DATA", None, "0" * 64, "")
ACCURACY = {"none": 70.0, "kd": 74.0, "ntkd": 71.0}


def made(name: str, seed: int) -> Record:
    values = {"accuracy": ACCURACY[name] + seed / 10, "converged": True}
    return Record(f"{len(name)}{seed}".rjust(64, "a"), name, values, {}, {"seconds": 1.0})


def known_of(name: str) -> dict[int, Record]:
    """Give records of three students of five seeds, of two of them with few labels too."""
    student, _, share = name.partition("@")
    there = student in ACCURACY and (not share or (share == "0.1" and student != "none"))
    return {seed: made(student, seed) for seed in record.SEEDS} if there else {}


@pytest.fixture
def found(monkeypatch, tmp_path):
    """Give metrics of three students of five seeds, and of none that is not complete."""
    monkeypatch.setattr(record, "by_seed", lambda name, sha256, store: known_of(name))
    return record.metrics(LOCATED.sha256, CellStore(tmp_path))


def test_students_of_a_seed_differ_in_their_loss_only() -> None:
    cells = record.cells(("none", "kd", "ntkd", "ntkd_kd"), LOCATED.sha256)
    assert len(cells) == 20
    for cell in cells:
        assert cell.arguments["epochs"] == record.EPOCHS
        assert cell.arguments["images"] == 50_000
        assert cell.needs["tangent"].arguments["seed"] == 0  # one teacher for all
    assert [cell.arguments["seed"] for cell in cells[:5]] == [0, 0, 0, 0, 1]


def test_few_labels_are_known_to_all_students_of_a_seed_alike() -> None:
    cells = record.cells(("none@0.01", "kd@0.01", "ntkd@0.01"), LOCATED.sha256)
    assert {cell.arguments["label_share"] for cell in cells} == {0.01}
    assert {cell.arguments["epochs"] for cell in cells} == {record.FEW_EPOCHS}
    assert len({cell.name for cell in cells}) == 15


def test_students_without_all_seeds_are_left_out(tmp_path) -> None:
    assert record.by_seed("none", LOCATED.sha256, CellStore(tmp_path)) == {}


def test_metrics_have_the_contracts_names(found) -> None:
    named = {name for claim in load_claims().claims for name in claim.metric_names}
    assert {name for name in found if "labels_" not in name} <= named
    assert found["ntkd.cifar10.kd.accuracy"].values == [74.0, 74.1, 74.2, 74.3, 74.4]


def test_what_is_recorded_is_read_back(found, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("ntkd_lib.experiments.recording.results_root", lambda: tmp_path)
    assert recorded.recorded_scores().empty
    assert recorded.recorded_gaps().empty
    evidence = record.evidence(LOCATED, found, 3.0)
    assert (evidence.tier, evidence.standard, evidence.parameters["epochs"]) == ("paper", True, record.EPOCHS)
    save_evidence(tmp_path / f"{record.NOTEBOOK}.json", evidence)
    scores = recorded.recorded_scores()
    few = ["soft-label KD, 10 % of labels", "NTKD, 10 % of labels"]
    assert list(scores["label"]) == ["labels only", "soft-label KD", "NTKD", *few]
    assert scores["mean"].tolist() == pytest.approx([70.2, 74.2, 71.2, 74.2, 71.2])
    assert scores["paper"].isna().tolist() == [False, False, False, True, True]
    gaps = recorded.recorded_gaps().set_index("label")
    assert gaps.loc["NTKD − KD", "mean"] == pytest.approx(-3.0)
    assert gaps.loc["KD − labels only", "seeds"] == 5
    assert gaps.loc["NTKD − KD, 10 % of labels", "mean"] == pytest.approx(-3.0)
    assert "KD − labels only, 10 % of labels" not in gaps.index
