"""Devices for photographs of cars: one very small run on drawings, equal terms, and what is recorded."""

from types import SimpleNamespace

import pytest
import torch

from ntkd_lib.chapters.fabrication.methods import CLEAN
from ntkd_lib.chapters.fabrication.studies import photographs, photographs_page
from ntkd_lib.chapters.fabrication.studies.photographs import DESIGNED, RECOVERED, WAYS, Budget
from ntkd_lib.chapters.fabrication.work import NONE, make_device
from ntkd_lib.chapters.optical_students.mask_methods import METHODS, student_cell
from ntkd_lib.chapters.optical_students.mask_parameters import MaskStudentParameters
from ntkd_lib.chapters.optical_students.masks import car_rows
from ntkd_lib.data.masks import load_masks
from ntkd_lib.data.registry import locate
from ntkd_lib.distill import read_out_training
from ntkd_lib.distill.dense import DenseTeacher
from ntkd_lib.distill.dense_labels import build
from ntkd_lib.distill.mask_training import MaskSchedule
from ntkd_lib.distill.read_out_training import ReadOuts, fit_read_outs
from ntkd_lib.distill.training import DivergedError
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.evidence import Metric
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.protocols import ProtocolError
from ntkd_lib.lab.store import CellStore
from ntkd_lib.lab.work import Data
from ntkd_lib.optics.captured_masks import CapturedMaskStudent
from ntkd_lib.optics.geometry import Geometry
from ntkd_lib.optics.segmentation import carvana_student
from ntkd_lib.show.columns import show_recorded
from tests.chapters.drawings import few_drawings

TINY = Budget(steps=8, share=6, followed=6, geometry=Geometry(cells=60, distance=90.0, pixel=4))
STUDENTS = MaskStudentParameters(
    tier="smoke",
    data="drawn-cars",
    steps=8,
    teacher_steps=8,
    batch=2,
    kernel_batch=2,
    kernel_every=4,
    kernel_images=8,
    kernel_outputs=2,
    landmarks=4,
)
SPEED = {"lr": 1e-3, "weight_decay": 1e-3}
OWN = {
    "e2e_ft": SPEED,
    CLEAN: SPEED,
    "kd_ft": {**SPEED, "temperature": 4.0, "weight": 0.6},
    "ntkd_ft": {**SPEED, "form": "normalised", "weight": 0.01},
}
SEEDS = (0, 1, 2, 3, 4)
SHA = "0" * 64
DROPS = {0.2: [20.0, 24.0], 0.35: [30.0, 52.0], 0.7: [50.0, 51.0]}  # points, by strength
SCORES = {"ideal": 92.0, "designed": 91.0, NONE: 61.0, "e2e_ft": 81.0, "kd_ft": 82.0, "ntkd_ft": 84.0}


@pytest.fixture(scope="module", autouse=True)
def _few_drawings(tmp_path_factory):
    with few_drawings(tmp_path_factory.mktemp("cache")):
        yield


def drawings() -> Data:
    return Data("drawn-cars", locate("drawn-cars").sha256, "standin")


def tiny_device(number: int = 0, ways=tuple(WAYS)):
    recoveries = {way: photographs.recovery(STUDENTS, way, OWN[way]) for way in ways}
    student = student_cell(STUDENTS, drawings(), METHODS["ntkd_normalised"], 0, OWN["ntkd_ft"])
    return photographs.device_cell(
        STUDENTS, drawings(), student, recoveries, 0.1875, number=number, budget=TINY, design_steps=2
    )


@pytest.fixture(scope="module")
def fits():
    """What every training was given, in order."""
    return []


@pytest.fixture(scope="module")
def device(tmp_path_factory, fits):
    """The record of one device, and what its trainings were given."""

    def noted(model, data, followed, loss, schedule):
        before = {name: value.clone() for name, value in model.state_dict().items()}
        curve = fit_read_outs(model, data, followed, loss, schedule)
        fits.append(SimpleNamespace(before=before, model=model, data=data, schedule=schedule))
        return curve

    cell = tiny_device()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(photographs, "fit_read_outs", noted)
        store = CellStore(tmp_path_factory.mktemp("cells"))
        return run_cells([cell], store, workers=1, progress="none")[cell.name]


def test_a_device_is_scored_as_designed_as_made_and_after_every_way(device):
    ways = device.values["recoveries"]
    assert set(ways) == {DESIGNED, NONE, *WAYS}
    assert all(0 <= each["miou"] <= 100 for each in ways.values())
    assert all(len(ways[name]["curve"]) == 8 for name in WAYS)
    assert device.values["psf_error"] > 0.01


def test_records_hold_no_photograph(device):
    assert not device.arrays


def test_only_the_back_end_moves_and_all_start_alike(device, fits):
    assert device
    assert len(fits) == len(WAYS)
    for fit in fits:
        assert all(name.startswith("back.") for name in fit.before)
        assert all(torch.equal(fit.before[name], fits[0].before[name]) for name in fit.before)
        moved = [not torch.equal(value, fit.before[name]) for name, value in fit.model.state_dict().items()]
        assert all(moved)


def test_every_way_takes_equal_steps_on_the_same_captures_of_one_device(device, fits):
    assert device
    by_way = dict(zip(WAYS, fits, strict=True))
    assert {(fit.schedule.steps, fit.schedule.batch, fit.schedule.lr) for fit in fits} == {(8, 2, 1e-3)}
    captures = by_way["e2e_ft"].data
    assert by_way["kd_ft"].data is by_way["ntkd_ft"].data is captures
    control = by_way[CLEAN].data  # the same scenes without errors
    assert torch.equal(control.masks, captures.masks)
    assert not torch.allclose(control.images, captures.images)


def test_devices_of_a_seed_differ_by_their_number_alone():
    first, other = (tiny_device(number).arguments for number in (0, 1))
    drawn = [make_device(0, number, 0.2) for number in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert {k: v for k, v in first.items() if k != "number"} == {
        k: v for k, v in other.items() if k != "number"
    }


def test_cells_depend_on_the_budgets_that_they_use_alone():
    needs = tiny_device().needs
    assert needs["design"].arguments.keys() == {"seed", "scenes", "steps", "geometry"}
    assert needs["design"].arguments["steps"] == 2
    assert needs["kernel"].arguments["share"] == TINY.share
    assert "budget" not in needs["kernel"].arguments


def test_a_kernel_loss_gets_the_batches_of_the_students():
    kernel = photographs.recovery(STUDENTS, "ntkd_ft", OWN["ntkd_ft"])
    assert kernel.objective == "dense_tangent"
    assert kernel.settings == {**OWN["ntkd_ft"], "kernel_batch": 2, "kernel_every": 4}
    assert photographs.recovery(STUDENTS, "e2e_ft", OWN["e2e_ft"]).settings == OWN["e2e_ft"]


def test_photographed_cars_are_whole_and_one_in_so_many():
    cars = load_masks("drawn-cars", "train").cars
    rows = car_rows(cars, 12)
    inside = {cars[row] for row in rows.tolist()}
    assert len(inside) == 2
    assert not inside & {car for row, car in enumerate(cars) if row not in set(rows.tolist())}


def test_training_on_read_outs_improves_and_refuses_to_diverge(monkeypatch):
    torch.manual_seed(0)
    masks = torch.zeros(8, 24, 32, dtype=torch.bool)
    masks[:, 8:16, 8:24] = True
    data = ReadOuts(torch.rand(8, 2, 24, 32) + masks[:, None], masks)
    objective = build({}, DenseTeacher())
    model = CapturedMaskStudent(carvana_student().back)
    curve = fit_read_outs(model, data, data, objective, MaskSchedule(64, 4, 3e-3))
    assert len(curve) == read_out_training.EVALUATIONS
    assert curve[-1] > 80
    with pytest.raises(DivergedError, match="after step 1 of 8"):
        fit_read_outs(model, data, data, lambda m, b: objective(m, b) * torch.nan, MaskSchedule(8))


def cars(part, monkeypatch, drops=DROPS):
    """The arms of a part of the recorded run for some drops of the tuning students, all else registered."""
    parameters = load_claims().protocols[part].parameters
    monkeypatch.setattr(photographs, "recorded_drops", lambda _: drops)
    chosen = {"e2e_ft": {"lr": 0.04, "weight_decay": 0.03}, "kd_ft": {"temperature": 4.0, "weight": 0.6}}
    chosen["ntkd_ft"] = {"form": "cosine", "weight": 0.1}
    monkeypatch.setattr(photographs, "choose", lambda protocols, space, way: chosen[way])
    book = {"cars strengths": SimpleNamespace(seeds=[1000, 1001], parameters={"strengths": [*DROPS]})}
    monkeypatch.setattr(photographs, "load_claims", lambda: SimpleNamespace(protocols=book))
    return photographs.PARTS[part](parameters, 1000, SHA)


def test_the_strength_is_that_of_the_registered_drop(monkeypatch):
    (cell, _) = next(iter(cars("cars tuning", monkeypatch).values())).cells
    assert cell.arguments["strength"] == 0.35
    said = r"^cars strengths: 2 of 3 strengths are recorded; all are needed$"
    monkeypatch.undo()
    with pytest.raises(ProtocolError, match=said):
        cars("cars tuning", monkeypatch, DROPS | {0.2: [20.0]})


def test_every_way_has_as_many_trials_and_those_of_transfers_keep_the_speed_of_labels(monkeypatch):
    labels = cars("cars tuning", monkeypatch)
    monkeypatch.undo()
    transfers = cars("cars tuning of transfers", monkeypatch)
    counts = [sum(f".{way}." in name for name in {**labels, **transfers}) for way in RECOVERED]
    assert counts == [12, 12, 12]
    for arms, ways in ((labels, ("e2e_ft",)), (transfers, ("kd_ft", "ntkd_ft"))):
        cells = {cell.name: cell for arm in arms.values() for cell in arm.cells}.values()
        assert len(cells) == 2 * len(ways)
        assert not any(cell.arguments["tested"] for cell in cells)
    speeds = {
        (own["settings"]["lr"], own["settings"]["weight_decay"])
        for arm in transfers.values()
        for own in arm.cells[0].arguments["recoveries"].values()
    }
    assert speeds == {(0.04, 0.03)}


def test_confirmed_ways_meet_the_same_devices_at_one_speed(monkeypatch):
    arms = cars("cars", monkeypatch)
    ways = {name: arm for name, arm in arms.items() if "ideal" not in name}
    assert len({tuple(cell.name for cell in arm.cells) for arm in ways.values()}) == 1
    recoveries = arms[photographs.METRIC.format(NONE)].cells[0].arguments["recoveries"]
    assert list(recoveries) == [*RECOVERED, CLEAN]
    assert {own["settings"]["lr"] for own in recoveries.values()} == {0.04}
    assert [way for way, own in recoveries.items() if not own["errors"]] == [CLEAN]
    assert recoveries["ntkd_ft"]["settings"]["form"] == "cosine"
    assert [cell.arguments["number"] for cell in arms[photographs.METRIC.format(NONE)].cells] == [0, 1, 2]


def test_a_drop_is_that_from_the_design_to_the_device():
    arm = next(iter(photographs.strength_arms(strengths(), 1000, SHA).values()))
    devices = [made(n, {DESIGNED: {"validation": 90.0 + n}, NONE: {"validation": 50.0}}) for n in range(4)]
    assert arm.number(*devices) == pytest.approx(41.5)
    assert arm.converged(*devices) is None


def strengths():
    return load_claims().protocols["cars strengths"].parameters


def made(seed, recoveries, **values):
    return Record(str(seed).rjust(64, "a"), "", {"recoveries": recoveries, **values}, {}, {"seconds": 1.0})


def invented():
    """Metrics of five seeds with invented scores."""
    return {
        photographs.METRIC.format(row): Metric(
            seeds=[*SEEDS], values=[SCORES.get(row, 95.0) + s / 10 for s in SEEDS]
        )
        for row in photographs_page.LABELS
    }


def test_arms_average_scores_and_join_plateaus_of_devices(monkeypatch):
    arms = cars("cars", monkeypatch)
    rows = {name: {"miou": SCORES[name]} for name in (DESIGNED, NONE)}
    devices = [
        made(n, rows | {w: {"miou": SCORES.get(w, 95.0) + n, "converged": w != CLEAN or n < 2} for w in WAYS})
        for n in range(3)
    ]
    ways = {name: arm for name, arm in arms.items() if "ideal" not in name}
    numbers = {name: (arm.number(*devices), arm.converged(*devices)) for name, arm in ways.items()}
    assert numbers[photographs.METRIC.format("ntkd_ft")] == (SCORES["ntkd_ft"] + 1, True)
    assert numbers[photographs.METRIC.format(CLEAN)][1] is False
    assert numbers[photographs.METRIC.format(NONE)] == (SCORES[NONE], None)
    assert arms[photographs.METRIC.format("ideal")].cells[0].arguments["seed"] == 1000


def test_what_is_recorded_is_read_back(monkeypatch):
    monkeypatch.setattr(photographs_page, "recorded_metrics", lambda file: {})
    empty = photographs_page.scores(photographs_page.recorded())
    assert "ntkd record --list" in str(show_recorded(empty, photographs_page.COLUMNS, "cars"))
    monkeypatch.setattr(
        photographs_page, "recorded_metrics", lambda file: invented() if file == "03_cars" else {}
    )
    scores = photographs_page.scores(photographs_page.recorded())
    means = scores.set_index("way")
    assert means["mean"]["e2e_ft"] == pytest.approx(81.2)
    assert means["share"]["e2e_ft"] == pytest.approx(100 * 20 / 34)
    assert means["share"][[NONE, CLEAN]].isna().all()
    words = str(show_recorded(scores, photographs_page.COLUMNS, "cars"))
    assert "91.20 %" in words
    assert "59 %" in words
    assert "62.7 %" in words


def test_drops_are_listed_by_strength(monkeypatch):
    monkeypatch.setattr(photographs_page, "recorded_drops", lambda _: {0.2: [20.0, 25.0]})
    (row,) = photographs_page.drops().to_dict("records")
    assert row == {"strength": 0.2, "drop": 22.5, "single": "20.0, 25.0"}
