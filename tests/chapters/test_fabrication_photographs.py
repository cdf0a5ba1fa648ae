"""Devices for photographs of cars: one very small run on drawings, equal terms, and what is recorded."""

from types import SimpleNamespace

import pytest
import torch

from ntkd_lib.chapters.fabrication import NOTEBOOK
from ntkd_lib.chapters.fabrication.methods import CLEAN
from ntkd_lib.chapters.fabrication.studies import photographs, photographs_page
from ntkd_lib.chapters.fabrication.studies.photographs import DESIGNED, RATES, TUNED, WAYS, Budget
from ntkd_lib.chapters.fabrication.work import NONE, make_device
from ntkd_lib.chapters.optical_students.mask_methods import MASKS
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
from ntkd_lib.lab.evidence import Metric
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.store import CellStore
from ntkd_lib.lab.work import Data
from ntkd_lib.optics.captured_masks import CapturedMaskStudent
from ntkd_lib.optics.geometry import Geometry
from ntkd_lib.optics.segmentation import carvana_student
from ntkd_lib.pipeline.errors import PipelineError
from ntkd_lib.pipeline.recording import run_search
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
SEEDS = (0, 1, 2, 3, 4)
SHA = "0" * 64
SCORES = {"ideal": 92.0, "designed": 91.0, NONE: 61.0, "e2e_ft": 81.0, "kd_ft": 82.0, "ntkd_ft": 84.0}


@pytest.fixture(scope="module", autouse=True)
def _few_drawings(tmp_path_factory):
    with few_drawings(tmp_path_factory.mktemp("cache")):
        yield


def drawings() -> Data:
    return Data("drawn-cars", locate("drawn-cars").sha256, "standin")


def tiny_device(number: int = 0, ways=tuple(WAYS)):
    recoveries = {way: photographs.recovery(STUDENTS, way, 1e-3) for way in ways}
    return photographs.device_cell(
        STUDENTS, drawings(), 0, recoveries, number=number, budget=TINY, design_steps=2
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


def test_ways_take_their_losses_from_the_search_of_notebook_02():
    method = MASKS.method("ntkd")
    assert method.name == MASKS.chosen_form()
    kernel = photographs.recovery(STUDENTS, "ntkd_ft", 1e-3)
    assert kernel.objective == "dense_tangent"
    assert kernel.settings["lr"] == 1e-3
    assert (kernel.settings["kernel_every"], kernel.settings["form"]) == (4, method.form)


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


def test_the_search_refuses_drawings():
    with pytest.raises(PipelineError, match="needs the real data set carvana, found a stand-in"):
        run_search("03", "03_fabrication_segmentation", workers=1)


def test_the_search_gives_every_way_the_same_rates_on_a_device_that_is_not_reported():
    cell = photographs.trial_cell(STUDENTS, drawings(), TINY)
    tried = [(name, each["settings"]["lr"]) for name, each in cell.arguments["recoveries"].items()]
    assert tried == [(f"{n}/{rate:g}", rate) for n in ("e2e_ft", "kd_ft", "ntkd_ft") for rate in RATES]
    assert not cell.arguments["tested"]
    assert (cell.arguments["seed"], cell.arguments["number"]) == TUNED
    assert TUNED[1] != 0


def test_best_rate_wins_and_the_control_takes_that_of_labels():
    reached = {"e2e_ft": [3.0, 1.0, 2.0], "kd_ft": [1.0, 1.0, 2.0], "ntkd_ft": [1.0, 2.0, 2.0]}
    rows = {f"{n}/{RATES[i]:g}": {"validation": v} for n, own in reached.items() for i, v in enumerate(own)}
    record = made(0, rows | {NONE: {"validation": 50.0}})
    content = photographs.conduct({"carvana": Data("carvana", SHA)}, lambda cells: [record for _ in cells])
    assert len(content["trials"]) == 9
    assert content["rates"] == {"e2e_ft": RATES[0], "kd_ft": RATES[2], "ntkd_ft": RATES[1], CLEAN: RATES[0]}


def made(seed, recoveries, **values):
    return Record(str(seed).rjust(64, "a"), "", {"recoveries": recoveries, **values}, {}, {"seconds": 1.0})


def invented():
    """Metrics of five seeds with invented scores."""
    return {
        photographs.metric_name(row): Metric(
            seeds=[*SEEDS], values=[SCORES.get(row, 95.0) + s / 10 for s in SEEDS]
        )
        for row in photographs_page.LABELS
    }


def test_arms_read_scores_and_plateaus_of_one_device():
    rates = dict.fromkeys(WAYS, RATES[0])
    arms = photographs.arms({"rates": rates}, 3, SHA)
    rows = {name: {"miou": SCORES[name]} for name in (DESIGNED, NONE)}
    ways = {name: {"miou": SCORES.get(name, 95.0), "converged": name != CLEAN} for name in WAYS}
    device = made(3, rows | ways)
    ways = {name: arm for name, arm in arms.items() if "ideal" not in name}
    numbers = {name: (arm.number(device), arm.converged(device)) for name, arm in ways.items()}
    assert numbers["ntkd.fab.carvana.ntkd_ft.miou"] == (SCORES["ntkd_ft"], True)
    assert numbers[f"ntkd.fab.carvana.{CLEAN}.miou"][1] is False
    assert numbers[f"ntkd.fab.carvana.{NONE}.miou"] == (SCORES[NONE], None)
    assert len({arm.cells[0].name for arm in ways.values()}) == 1
    assert arms["ntkd.fab.carvana.ideal.miou"].cells[0].arguments["seed"] == 3


def test_what_is_recorded_is_read_back(monkeypatch):
    monkeypatch.setattr(photographs_page, "recorded_metrics", lambda file: {})
    empty = photographs_page.recorded()
    for table in (photographs_page.scores(empty), photographs_page.differences(empty)):
        assert "ntkd record --list" in str(show_recorded(table, photographs_page.COLUMNS, "cars"))
    monkeypatch.setattr(
        photographs_page, "recorded_metrics", lambda file: invented() if file == NOTEBOOK else {}
    )
    table = photographs_page.recorded()
    scores = photographs_page.scores(table)
    means, gaps = scores.set_index("way"), photographs_page.differences(table)
    assert means["mean"]["e2e_ft"] == pytest.approx(81.2)
    assert means["share"]["e2e_ft"] == pytest.approx(100 * 20 / 34)
    assert means["share"][[NONE, CLEAN]].isna().all()
    assert gaps["mean"][0] == pytest.approx(3.0)
    words = str(show_recorded(scores, photographs_page.COLUMNS, "cars"))
    assert "91.20 %" in words
    assert "59 %" in words
    assert "62.7 %" in words
    assert gaps["label"][0] == "NTKD − labels (end to end)"
