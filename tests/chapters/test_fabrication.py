"""Notebook 03's plan, search and cells: shared students, equal budgets, and one run end to end."""

import json
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from ntkd_lib.chapters.classification.parameters import ClassificationParameters
from ntkd_lib.chapters.classification.plan import digit_cells
from ntkd_lib.chapters.fabrication import NOTEBOOK, methods, page, plan, work
from ntkd_lib.chapters.fabrication.parameters import FabricationParameters
from ntkd_lib.chapters.fabrication.studies import hard, theory_page
from ntkd_lib.chapters.fabrication.studies.theory import filter_sum, pooled_patches, theory
from ntkd_lib.chapters.optical_students.classification_setting import restore_student
from ntkd_lib.chapters.run import locate_data, planned_cells
from ntkd_lib.data.load import load
from ntkd_lib.lab.cells import Record, cell_key
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.parameters import load_parameters
from ntkd_lib.lab.search import read_search
from ntkd_lib.lab.store import CellStore
from ntkd_lib.optics.captured import CapturedStudent
from ntkd_lib.optics.device import Device


def smoke(**changes: object) -> FabricationParameters:
    return load_parameters(FabricationParameters, NOTEBOOK, "smoke", changes)


@pytest.fixture(scope="module")
def digits():
    return locate_data("mnist-5k")["mnist-5k"]


def test_students_are_the_very_cells_of_notebook_01(digits) -> None:
    p = load_parameters(ClassificationParameters, "01_ntkd_classification", "smoke", {})
    theirs = {cell_key(cell) for cell in digit_cells(p, digits)}
    for name in ("ntkd", "kd"):
        assert cell_key(methods.student_cell(smoke(), digits, name, 0)) in theirs
    assert cell_key(methods.student_cell(smoke(), digits, "vaccinated", 0)) not in theirs


def test_every_cell_has_a_name_of_its_own_and_comes_after_its_needs() -> None:
    cells = planned_cells(plan.plan, smoke())
    names = [cell.name for cell in cells]
    assert len(set(names)) == len(names)
    for place, cell in enumerate(cells):
        assert {need.name for need in cell.needs.values()} <= set(names[:place])


def test_a_sweep_repeats_no_device_of_the_main_comparison() -> None:
    usual = smoke()
    swept = smoke(strengths=[methods.severity(), 0.6], capture_counts=[usual.captures, 60])
    assert [c.name for c in planned_cells(plan.plan, swept)] == [
        c.name for c in planned_cells(plan.plan, usual)
    ]


def test_recoveries_of_a_device_share_everything_but_loss_and_settings(digits) -> None:
    ways = {name: methods.recovery(smoke(), name, {"lr": 1e-3}) for name in methods.WAYS.methods}
    device = methods.device_cell(smoke(), digits, "ntkd", 0, ways, strength=0.2)
    recoveries = device.arguments["recoveries"]
    assert recoveries.keys() == methods.WAYS.methods.keys()
    assert {"steps", "captures", "strength"} <= device.arguments.keys()
    with_kernel = {name for name, each in recoveries.items() if "kernel_batch" in each["settings"]}
    assert with_kernel == set(methods.FORMS)
    assert [name for name, each in recoveries.items() if not each["errors"]] == [methods.CLEAN]
    assert [name for name, each in recoveries.items() if each["part"] == "gains"] == [methods.CALIBRATION]


def test_tiers_are_valid_and_cpu_is_the_default() -> None:
    tiers = {t: load_parameters(FabricationParameters, NOTEBOOK, t, {}) for t in ("smoke", "cpu", "paper")}
    assert tiers["cpu"] == FabricationParameters()
    assert len(tiers["cpu"].all_seeds) >= 5
    assert tiers["cpu"].theory_seeds >= 10
    assert tiers["cpu"].widest == 2048
    assert {0.6, 1.0} <= set(tiers["cpu"].strengths)


def test_the_strength_was_set_before_and_apart_from_any_recovery() -> None:
    record = read_search(NOTEBOOK)
    trials = record["severity"]["trials"]
    nearest = min(trials, key=lambda trial: abs(trial["drop"] - methods.PAPER_DROP))
    assert methods.severity() == nearest["strength"]
    assert abs(nearest["drop"] - methods.PAPER_DROP) < 1
    assert record["budget"]["seed"] not in FabricationParameters().seeds


def test_search_gives_every_way_the_same_number_of_trials_and_no_test_data() -> None:
    record = read_search(NOTEBOOK)
    counts = Counter(trial["method"] for trial in record["trials"])
    assert set(counts) == {method.name for method in methods.TUNED}
    assert set(counts.values()) == {record["budget"]["trials"]}
    assert "accuracy" not in json.dumps(record["trials"])
    best = {form: np.mean(methods.WAYS.best_trial(form)["validation"]) for form in methods.FORMS}
    assert best[methods.WAYS.chosen_form()] == max(best.values())
    assert methods.WAYS.best_trial("clean_ft") == methods.WAYS.best_trial("e2e_ft")


def test_the_search_halves_to_the_papers_drop_and_tries_every_way_alike(digits) -> None:
    """Run the search on invented records, whose drop is forty times the strength."""
    batches = []

    def run(cells):
        batches.append(list(cells))
        return [SimpleNamespace(values=invented(cell)) for cell in batches[-1]]

    def invented(cell):
        if "recoveries" not in cell.arguments:
            return {"validation": 98.0}
        names = (methods.NONE, *cell.arguments["recoveries"])
        return {"recoveries": {name: {"validation": 98 - 40 * cell.arguments["strength"]} for name in names}}

    content = methods.conduct({"mnist": replace(digits, name="mnist")}, run)
    assert content["severity"]["strength"] == pytest.approx(methods.PAPER_DROP / 40, abs=2**-6)
    assert content.keys() | {"data", "provenance"} == read_search(NOTEBOOK).keys()
    recorded = read_search(NOTEBOOK)["trials"]
    told = ("method", "settings")
    assert [[t[n] for n in told] for t in content["trials"]] == [[t[n] for n in told] for t in recorded]
    assert not any(cell.arguments["tested"] for batch in batches[1:] for cell in batch)


@pytest.mark.parametrize("rectify", [True, False])
def test_the_network_kernel_equals_its_definition(rectify: bool) -> None:
    torch.manual_seed(0)
    images = torch.rand(3, 1, 8, 8).double()
    weights, heads = torch.randn(5, 1, 7, 7).double(), torch.randn(2, 5, 16).double()

    def network(w: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        maps = torch.nn.functional.conv2d(images, w / 7, padding=3)
        pooled = torch.nn.functional.avg_pool2d(maps.relu() if rectify else maps, 2).flatten(2)
        return torch.einsum("njp,cjp->nc", pooled, v) / (5 * 16) ** 0.5

    jacobians = torch.autograd.functional.jacobian(network, (weights, heads))
    exact = sum(torch.einsum("ncp,mcp->nm", j.flatten(2), j.flatten(2)) for j in jacobians)
    patches = pooled_patches(images) if rectify else pooled_patches(images).mean(2, keepdim=True)
    with torch.no_grad():
        kernel = filter_sum(patches, weights.flatten(1), heads, rectify=rectify) / (5 * 16)
    torch.testing.assert_close(kernel, exact)


def test_slopes_of_a_power_law() -> None:
    filters = [8, 16, 32, 64]
    rows = [
        {"reading": "total", "label": "a", "filters": m, "seed": s, "change": (1 + s) * m**-0.75}
        for m in filters
        for s in (0, 1)
    ]
    (fit,) = theory_page.slopes(pd.DataFrame(rows)).itertuples()
    assert (fit.slope, fit.low, fit.high, fit.last) == pytest.approx((-0.75,) * 4)


def test_where_compensation_stops_working() -> None:
    shares = {10.0: 90.0, 20.0: 40.0, 30.0: 60.0, 40.0: 45.0, 50.0: 20.0}
    rows = pd.DataFrame({"way": "ntkd_ft", "x": x, "share": share} for x, share in shares.items())
    assert page.stops_working(rows) == 40.0
    assert np.isnan(page.stops_working(rows[rows["x"] < 40]))
    assert page.stops_working(rows.assign(share=20.0)) == 10.0


def test_shares_of_the_paper() -> None:
    shares = page.share_of(pd.Series([93.2, 89.2]), 89.2, 97.3)
    assert list(shares) == pytest.approx([49.4, 0.0], abs=0.1)
    assert page.share_of(pd.Series([97.0]), 97.0, 97.0).isna().all()


@pytest.fixture(scope="module")
def records(tmp_path_factory, digits):
    """Run devices without and with errors, and every way to recover."""
    small = {"data": "mnist-5k", "epochs": 1, "teacher_epochs": 1, "landmarks": 16, "kernel_images": 100}
    training = ClassificationParameters(tier="smoke", kernel_batch=8, kernel_every=2, **small)
    p = smoke(design_steps=3, captures=40, steps=8)
    settings = {"lr": 1e-3, "weight": 0.5, "temperature": 2.0}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods, "training", lambda p: training)
        space = {name: methods.recovery(p, name, settings) for name in methods.WAYS.methods}
        alone = {"ntkd_raw_ft": space["ntkd_raw_ft"]}
        cells = {
            "perfect": methods.device_cell(p, digits, "ntkd", 0, strength=0.0),
            "faulty": methods.device_cell(p, digits, "ntkd", 0, space, strength=0.4),
            "alone": methods.device_cell(p, digits, "ntkd", 0, alone, strength=0.4),
            "theory": theory.cell(data=digits, seed=0, widest=p.widest),
        }
    cells |= cells["perfect"].needs
    run = run_cells(cells.values(), CellStore(tmp_path_factory.mktemp("cells")), workers=1, progress="none")
    return {name: run[cell.name] for name, cell in cells.items()}


def test_a_device_without_errors_is_its_design(records) -> None:
    perfect = records["perfect"].values
    assert perfect["psf_error"] == 0
    design, test = work.restore_design(records["design"]), load("mnist-5k", "test")
    frames = Device().frames(test.images.float() / 255, design.psfs(Device()))
    back = CapturedStudent(restore_student(records["student"]).back)
    reached = work.accuracy_through({"back": back}, frames, design.gains, test.labels)
    assert perfect["recoveries"]["uncompensated"]["accuracy"] == reached["back"]


def test_every_way_to_recover_is_tested(records) -> None:
    ways = records["faulty"].values["recoveries"]
    assert set(ways) == {"uncompensated", *methods.WAYS.methods}
    assert all(0 <= each[part] <= 100 for each in ways.values() for part in ("accuracy", "validation"))
    assert records["faulty"].values["psf_error"] > 0.1


def test_a_recovery_depends_on_no_other(records) -> None:
    together, alone = (records[name].values["recoveries"]["ntkd_raw_ft"] for name in ("faulty", "alone"))
    assert together == alone


def test_theory_has_every_width_and_reading(records) -> None:
    values = records["theory"].values
    assert values["filters"] == [8, 16]
    assert values["weight"][0] == pytest.approx(values["total"][0], rel=2)
    rows = [(name, change) for name in theory_page.LABELS for change in values[name]]
    assert len(rows) == 6
    assert all(0 < change < 1 for _, change in rows)


@pytest.mark.parametrize("group, strength", [("hard", 0.6), ("usual", 0.1875), ("shared", 0.1875)])
def test_devices_are_recovered_as_registered(monkeypatch, group: str, strength: float) -> None:
    book, space = load_claims(), f"ntkd.fab.mnist.{group}_tuning"
    parameters = {part: book.protocols[f"{group} mnist{part}"].parameters for part in hard.PARTS}
    strengths = hard.strength_arms(parameters[" strengths"], 1000, "0" * 64)
    (trials,) = {len(arm.cells[0].arguments["recoveries"]) for arm in strengths.values()}
    own = parameters[""]
    assert trials == own["trials"]
    monkeypatch.setattr(hard, "calibrated", lambda _: (strength, {"lr": 0.005, "weight_decay": 0.01}))
    tuning = hard.tuning_arms(parameters[" tuning"], 1000, "0" * 64)
    ways = Counter(name.removeprefix(f"{space}.").split(".")[0] for name in tuning)
    assert ways == dict.fromkeys(own["arms"], trials)
    lr = parameters[" tuning"]["trials"]["e2e_ft"]["lr"][1]
    labels = tuning[f"{space}.e2e_ft.lr_{lr}.weight_decay_0.1.validation"]
    same = strengths[f"{space}.strength_{strength}.e2e_ft.lr_{lr}.weight_decay_0.1.validation"]
    assert [cell.name for cell in labels.cells] == [cell.name for cell in same.cells]
    chosen = {"kd_ft": {"temperature": 2.0, "weight": 0.6}, "ntkd_ft": {"form": "raw", "weight": 1.0}}
    monkeypatch.setattr(hard, "choose", lambda _, space, way: chosen.get(way, {}))
    arms = hard.confirmed_arms(own, 4, "0" * 64)
    assert {n for c in book.claims for n in c.metric_names if f".mnist.{group}." in n} < set(arms)
    cells = arms[hard.metric_name("ntkd_ft", group=group)].cells
    assert [cell.arguments["number"] for cell in cells] == list(range(own["devices"]))
    assert {cell.arguments["strength"] for cell in cells} == {strength}
    ways = cells[0].arguments["recoveries"]
    assert {(r["settings"]["lr"], r["settings"]["weight_decay"]) for r in ways.values()} == {(0.005, 0.01)}
    assert ways["ntkd_ft"]["objective"] == "tangent_raw"


def test_the_strength_is_that_at_which_labels_recover_the_paper_s_value(monkeypatch) -> None:
    best = {0.5: ({"lr": 1}, 96.0), 0.6: ({"lr": 2}, 93.5), 0.7: ({"lr": 3}, 92.0)}
    monkeypatch.setattr(hard, "best_trials", lambda name, *, complete: best)
    assert hard.calibrated({"strength_of": "hard mnist strengths", "labels_recover": 93.2}) == (
        0.6,
        {"lr": 2},
    )


def test_a_hard_way_is_its_mean_over_devices_and_on_a_plateau_on_all_of_them() -> None:
    def device(accuracy: float, *, converged: bool) -> Record:
        ways = {"ntkd_ft": {"accuracy": accuracy, "converged": converged}}
        ways["uncompensated"] = {"accuracy": 80.0, "converged": None}
        return Record("a" * 64, "made", {"recoveries": ways}, {}, {})

    both = [device(90.0, converged=True), device(94.0, converged=False)]
    assert hard.mean_of("ntkd_ft", "accuracy", *both) == 92.0
    assert hard.all_converged("ntkd_ft", *both) is False
    assert hard.all_converged("uncompensated", *both) is None
