"""Notebook 03's plan, search and cells: shared students, equal budgets, and one run end to end."""

import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch

from ntkd_lib.chapters.classification.parameters import ClassificationParameters
from ntkd_lib.chapters.classification.plan import digit_cells
from ntkd_lib.chapters.fabrication_recovery import methods, plan, search, settings, summary, theory_summary
from ntkd_lib.chapters.fabrication_recovery.cells import RecoveryMaker
from ntkd_lib.chapters.fabrication_recovery.parameters import RecoveryParameters
from ntkd_lib.chapters.fabrication_recovery.theory import filter_sum, pooled_patches
from ntkd_lib.chapters.run import locate_data
from ntkd_lib.data.registry import locate
from ntkd_lib.lab.cells import Cell, cell_key
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.parameters import load_parameters
from ntkd_lib.lab.sources import module_sources
from ntkd_lib.lab.store import CellStore

NOTEBOOK = "03_fabrication_recovery"


def smoke(**changes: object) -> RecoveryParameters:
    return load_parameters(RecoveryParameters, NOTEBOOK, "smoke", changes)


def maker(**changes: object) -> RecoveryMaker:
    return RecoveryMaker(smoke(**changes), locate("mnist-5k").sha256)


def modules_of(cell: Cell) -> set[str]:
    return set(module_sources((cell.work.partition(":")[0], *cell.uses)))


def test_students_are_the_very_cells_of_notebook_01() -> None:
    asked = load_parameters(ClassificationParameters, "01_ntkd_classification", "smoke", {})
    theirs = {cell_key(cell) for cell in digit_cells(asked, locate_data(asked.data)[asked.data])}
    make = maker()
    for name in ("ntkd", "kd"):
        assert cell_key(make.student(name, 0)) in theirs
    assert cell_key(make.student("vaccinated", 0, 0.2)) not in theirs


def test_every_cell_has_a_name_of_its_own_and_comes_after_its_needs() -> None:
    cells = plan.plan(smoke())
    names = [cell.name for cell in cells]
    assert len(set(names)) == len(names)
    for place, cell in enumerate(cells):
        assert {need.name for need in cell.needs.values()} <= set(names[:place])


def test_recoveries_of_a_device_share_everything_but_loss_and_settings() -> None:
    device = maker().device("ntkd", 0, 0, 0.2, {n: {"lr": 1e-3} for n in methods.METHODS})
    assert len(device.arguments["recoveries"]) == len(methods.METHODS)
    assert {"steps", "captures", "strength"} <= device.arguments.keys()
    hears = [r["name"] for r in device.arguments["recoveries"] if "kernel_batch" in r["settings"]]
    assert tuple(hears) == methods.FORMS


def test_a_device_depends_on_the_losses_that_it_uses() -> None:
    found = modules_of(maker().device("ntkd", 0, 0, 0.2, {"e2e_ft": {"lr": 1e-3}}))
    assert "ntkd_lib.distill.labels" in found
    assert not {"ntkd_lib.distill.tangent_raw", "ntkd_lib.distill.soft_labels"} & found


def test_tiers_are_valid_and_cpu_is_the_default() -> None:
    tiers = {t: load_parameters(RecoveryParameters, NOTEBOOK, t, {}) for t in ("smoke", "cpu", "paper")}
    assert tiers["cpu"] == RecoveryParameters()
    assert len(tiers["cpu"].all_seeds) >= 5
    assert tiers["cpu"].theory_seeds >= 10
    assert tiers["cpu"].widest == 2048
    assert {0.6, 1.0} <= set(tiers["cpu"].strengths)


def test_the_strength_was_set_before_and_apart_from_any_recovery() -> None:
    record = settings.search()
    trials = record["severity"]["trials"]
    nearest = min(trials, key=lambda trial: abs(trial["drop"] - search.PAPER_DROP))
    assert settings.severity() == nearest["strength"]
    assert abs(nearest["drop"] - search.PAPER_DROP) < 1
    assert record["budget"]["seed"] not in RecoveryParameters().seeds


def test_search_gives_every_way_the_same_number_of_trials_and_no_test_data() -> None:
    record = settings.search()
    counts = Counter(trial["method"] for trial in record["trials"])
    assert set(counts) == {method.name for method in search.tuned_methods()}
    assert set(counts.values()) == {record["budget"]["trials"]}
    assert "accuracy" not in json.dumps(record["trials"])
    best = {form: np.mean(settings.best_trial(form)["validation"]) for form in methods.FORMS}
    assert best[settings.chosen_form()] == max(best.values())
    assert settings.best_trial("clean_ft") == settings.best_trial("e2e_ft")


@pytest.mark.parametrize("rectify", [True, False])
def test_the_network_kernel_equals_its_definition(rectify: bool) -> None:
    torch.manual_seed(0)
    images = torch.rand(3, 1, 8, 8).double()
    weights, heads = torch.randn(5, 1, 7, 7).double(), torch.randn(2, 5, 16).double()

    def network(w: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        maps = torch.nn.functional.conv2d(images, w / 7, padding=3)
        seen = torch.nn.functional.avg_pool2d(maps.relu() if rectify else maps, 2).flatten(2)
        return torch.einsum("njp,cjp->nc", seen, v) / (5 * 16) ** 0.5

    jacobians = torch.autograd.functional.jacobian(network, (weights, heads))
    exact = sum(torch.einsum("ncp,mcp->nm", j.flatten(2), j.flatten(2)) for j in jacobians)
    patches = pooled_patches(images) if rectify else pooled_patches(images).mean(2, keepdim=True)
    with torch.no_grad():
        found = filter_sum(patches, weights.flatten(1), heads, rectify=rectify) / (5 * 16)
    torch.testing.assert_close(found, exact)


def test_slopes_of_a_power_law() -> None:
    filters = [8, 16, 32, 64]
    rows = [
        {"reading": "total", "label": "a", "filters": m, "seed": s, "change": (1 + s) * m**-0.75}
        for m in filters
        for s in (0, 1)
    ]
    (found,) = theory_summary.slopes(pd.DataFrame(rows)).itertuples()
    assert (found.slope, found.low, found.high, found.last) == pytest.approx((-0.75,) * 4)


def test_where_compensation_stops_working() -> None:
    shares = {10.0: 90.0, 20.0: 40.0, 30.0: 60.0, 40.0: 45.0, 50.0: 20.0}
    rows = pd.DataFrame({"way": "ntkd_ft", "x": x, "share": share} for x, share in shares.items())
    assert summary.stops_working(rows) == 40.0
    assert summary.stops_working(rows[rows["x"] < 40]) is None


def test_shares_of_the_paper() -> None:
    assert summary.share_of(93.2, 89.2, 97.3) == pytest.approx(49.4, abs=0.1)
    assert np.isnan(summary.share_of(97.0, 97.0, 97.0))


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """Run a design, devices without and with errors, and every way to recover."""
    make = maker(design_steps=3, captures=40, steps=8)
    small = {"data": "mnist-5k", "epochs": 1, "teacher_epochs": 1, "landmarks": 16, "kernel_images": 100}
    make.students = ClassificationParameters(tier="smoke", kernel_batch=8, **small)
    make.kernel = {"kernel_batch": 8, "kernel_every": 2}
    space = {n: {"lr": 1e-3, "weight": 0.5, "temperature": 2.0} for n in methods.METHODS}
    cells = {
        "design": make.design("ntkd", 0),
        "perfect": make.device("ntkd", 0, 0, 0.0, {}),
        "faulty": make.device("ntkd", 0, 0, 0.4, space),
        "alone": make.device("ntkd", 0, 0, 0.4, {"ntkd_raw_ft": space["ntkd_raw_ft"]}, tag="/alone"),
        "theory": make.theory(0),
    }
    found = run_cells(cells.values(), CellStore(tmp_path_factory.mktemp("cells")), workers=1, progress="none")
    return {name: found[cell.name] for name, cell in cells.items()}


def test_a_device_without_errors_is_its_design(records) -> None:
    perfect = records["perfect"].values
    assert perfect["psf_error"] == 0
    assert perfect["recoveries"]["uncompensated"]["accuracy"] == records["design"].values["accuracy"]


def test_every_way_to_recover_is_tested(records) -> None:
    found = records["faulty"].values["recoveries"]
    assert set(found) == {"uncompensated", *methods.METHODS}
    assert all(0 <= f["accuracy"] <= 100 and 0 <= f["validation"] <= 100 for f in found.values())
    assert records["faulty"].values["psf_error"] > 0.1


def test_a_recovery_depends_on_no_other(records) -> None:
    together, alone = (records[name].values["recoveries"]["ntkd_raw_ft"] for name in ("faulty", "alone"))
    assert together == alone


def test_theory_has_every_width_and_reading(records) -> None:
    values = records["theory"].values
    assert values["filters"] == [8, 16]
    assert values["weight"][0] == pytest.approx(values["total"][0], rel=2)
    rows = [(name, change) for name in theory_summary.LABELS for change in values[name]]
    assert len(rows) == 6
    assert all(0 < change < 1 for _, change in rows)
