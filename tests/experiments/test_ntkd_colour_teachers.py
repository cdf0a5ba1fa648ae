"""Students of a weaker and of a stronger teacher: what differs between them, and what is decided by them."""

import pytest
import torch

from ntkd_lib.data.registry import Located
from ntkd_lib.experiments.ntkd_colour import (
    cells,
    record,
    record_teachers,
    recorded_teachers,
    tangent,
    teacher,
)
from ntkd_lib.lab.cells import Cell, Record
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.verdicts import judge
from ntkd_lib.nets.colour_teachers import MAKERS, WHITENED, colour_teacher
from ntkd_lib.nets.compact_resnet import whiten_first

LOCATED = Located("cifar-10", "real", "NTKD_DATA", None, "0" * 64, "")
CLAIM = "ntkd-t6-stronger-teacher"


@pytest.fixture(scope="module", params=record_teachers.STRONG)
def strong(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def planned(strong) -> dict[str, Cell]:
    return record_teachers.cells(LOCATED.sha256, strong)


def made(planned: dict[str, Cell], gain: float) -> dict[str, Record]:
    """Give records of which the accuracy depends on teacher and seed."""
    records = {}
    for place, (name, cell) in enumerate(planned.items()):
        seed = cell.arguments["seed"]
        accuracy = 73 + seed / 10 + (gain * (1 + seed) if "strong" in name else 0)
        values = {"accuracy": accuracy, "cosine": 0.99, "converged": True}
        records[name] = Record(f"{place:064d}", name, values, {}, {"seconds": 1.0})
    return records


def test_only_the_teacher_differs(planned, strong) -> None:
    assert len(planned) == 4 + 2 * len(record.SEEDS)
    for seed in record.SEEDS:
        pair = [planned[f"cifar-10/{n}/seed={seed}"] for n in ("ntkd", "ntkd_strong_teacher")]
        assert pair[0].arguments == pair[1].arguments
        assert pair[0].arguments["epochs"] == record.EPOCHS
        assert [cell.needs["tangent"].arguments["network"] for cell in pair] == ["compact", strong]


def test_weak_students_are_those_of_the_main_comparison(planned) -> None:
    for cell in record.cells(["ntkd"], LOCATED.sha256):
        assert planned[cell.name] == cell


@pytest.mark.parametrize("gain", [0.5, -0.5])
def test_claim_on_teachers_is_shown_but_not_assessed_with_other_teachers(planned, strong, gain) -> None:
    found = record_teachers.metrics(made(planned, gain), strong)
    assert found["ntkd.cifar10.strong_teacher.cosine"].values == [0.99]
    protocol = {"colour_teacher": "compact", "strong_teacher": strong}
    evidence = record_teachers.RECORDINGS[strong].evidence(LOCATED, protocol, found, 60.0)
    claim = next(claim for claim in load_claims().claims if claim.id == CLAIM)
    verdict = judge(claim, [evidence])
    assert ("strong_teacher is wide, allowed: resnet18" in verdict.reason) == (strong == "wide")
    assert verdict.reason.startswith("protocol: colour_teacher is compact, allowed: alexnet")
    assert verdict.seeds == 5
    assert verdict.value == pytest.approx(3 * gain)  # times 1 to 5


def test_what_is_recorded_is_read_back(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("ntkd_lib.experiments.recording.results_root", lambda: tmp_path)
    assert recorded_teachers.recorded_teachers().empty
    assert recorded_teachers.recorded_strength().empty
    for gain, strong in ((-0.5, "resnet18"), (0.25, "wide")):
        records = made(record_teachers.cells(LOCATED.sha256, strong), gain)
        found = record_teachers.metrics(records, strong)
        recording = record_teachers.RECORDINGS[strong]
        recording.save(recording.evidence(LOCATED, {}, found, 60.0))
    rows = recorded_teachers.recorded_teachers()
    assert list(rows["label"]) == ["small residual network", "ResNet-18", "wide residual network"]
    assert rows["teacher"].tolist() == [73.0, 73.0, 73.0]
    assert rows["mean"].tolist() == pytest.approx([73.2, 71.7, 73.95])
    assert rows["cosine"].tolist() == [0.99, 0.99, 0.99]
    resnet, wide = recorded_teachers.recorded_strength().itertuples()
    assert (resnet.mean, resnet.smallest, resnet.seeds) == (pytest.approx(-1.5), pytest.approx(-2.5), 5)
    assert (wide.mean, wide.label) == (pytest.approx(0.75), "wide residual network − small residual network")


def test_every_teacher_can_be_trained_and_sketched() -> None:
    for known in (teacher.RECIPES, tangent.EXACT, cells.SECONDS):
        assert known.keys() == MAKERS.keys()


@pytest.mark.parametrize("name", WHITENED)
def test_training_starts_at_whitened_patches(name) -> None:
    images = torch.rand(50, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    started = teacher._started(name, images)
    torch.manual_seed(0)
    plain = colour_teacher(name)
    whiten_first(plain[1], plain[0](images))
    torch.testing.assert_close(started[1][0].weight, plain[1][0].weight)
