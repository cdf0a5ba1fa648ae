"""The controls of notebook 01: designs, layout, estimates, and regressions on random filters."""

import numpy as np
import pytest
import torch

from ntkd_lib.chapters.ntkd_classification.parameters import ClassificationParameters
from ntkd_lib.chapters.ntkd_classification.settings import chosen_form, training_settings
from ntkd_lib.chapters.ntkd_controls import design
from ntkd_lib.chapters.ntkd_controls.plan import asked_architecture, controls_plan
from ntkd_lib.chapters.ntkd_controls.regression import RIDGES, choose, hits
from ntkd_lib.lab.cells import Cell
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.parameters import ParameterError, load_parameters
from ntkd_lib.lab.store import CellStore

TINY = {
    "data": "mnist-5k",
    "seeds": [0, 1],
    "epochs": 1,
    "estimate_images": 100,
    "random_images": 50,
    "random_filters": [2, 3],
}


def asked(**changes: object) -> ClassificationParameters:
    return ClassificationParameters(tier="smoke", **(TINY | changes))


def planned(**changes: object) -> dict[str, Cell]:
    return {cell.name.removeprefix("mnist-5k/"): cell for cell in controls_plan(asked(**changes))}


def test_surfaces_hold_what_their_names_say() -> None:
    found = {a.name: a.filters for a in design.ARCHITECTURES}
    assert found["none"] == found["deep"] == found["small"] == 8
    assert (found["four"], found["two"]) == (4, 2)
    assert len(found) >= 8


def test_controls_run_for_their_own_seeds() -> None:
    cells = planned()
    for name in ("stage1/two", "labels/kd_labels0.01", f"size/ntkd_hidden{design.QUARTER}"):
        assert f"{name}/seed=0" in cells
        assert f"{name}/seed=1" not in cells
    assert not any(name.startswith("depth/") for name in cells)
    assert any(name.startswith("depth/") for name in planned(optical_depth=True))


def test_quarter_has_a_quarter_of_the_back_ends_parameters() -> None:
    whole, quarter = (1568 * h + h + 10 * h + 10 for h in (32, design.QUARTER))
    assert quarter / whole == pytest.approx(0.25, abs=0.001)
    assert len(design.HIDDEN_SIZES) >= 6


def test_variants_take_the_settings_of_the_student_that_they_follow() -> None:
    cells = planned()
    kernel = cells[f"size/ntkd_hidden{design.QUARTER}/seed=0"].arguments
    assert training_settings(chosen_form()).items() <= kernel["settings"].items()
    assert kernel["hidden"] == [design.QUARTER]
    assert cells["labels/kd_labels0.1/seed=0"].arguments["settings"] == training_settings("kd")


def test_surfaces_without_room_and_even_filters_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"surface_height = 50.0 .* no room for a pair of filters of 7"):
        asked_architecture(asked(surface_height=50.0))
    with pytest.raises(ParameterError, match="filter_size = 4 is even; allowed: odd sizes"):
        asked_architecture(asked(filter_size=4))
    assert asked_architecture(asked(surface_height=720.0))[1] == 16


def test_paper_tier_uses_all_images_and_repeats_controls() -> None:
    paper = load_parameters(ClassificationParameters, "01_ntkd_classification", "paper", {})
    assert paper.random_images == 50_000
    assert len(paper.control_seeds) >= 5
    assert paper.optical_depth


def test_regression_finds_separable_classes_and_the_better_ridge() -> None:
    torch.manual_seed(0)
    labels = torch.arange(40) % 2
    points = torch.randn(40, 3) + 5 * labels[:, None]
    theta = points @ points.T + 1
    chosen = choose(theta[:30, :30], labels[:30], theta[30:, :30], labels[30:])
    assert chosen.validation == 100
    assert chosen.ridge == max(RIDGES)
    assert hits(theta[:30, :30], labels[:30], theta[30:, :30], 1 - labels[30:], chosen.ridge) == 0


def test_cells_run_end_to_end(tmp_path) -> None:
    wanted = (
        "labels/none_labels0.1",
        "read-out/none_block14",
        "read-out/lens_block7",
        "depth/absorber_sensor",
    )
    cells = [
        cell
        for name, cell in planned(optical_depth=True).items()
        if name.rpartition("/")[0] in (*wanted, "estimate") or name.startswith("random/")
    ]
    records = run_cells(cells, CellStore(tmp_path), workers=1, progress="none")
    values = {name.removeprefix("mnist-5k/"): r.values for name, r in records.items()}
    assert values["read-out/none_block14/seed=0"]["parameters"] == 8 * 49 + 8 * 32 + 32 + 330
    assert values["read-out/lens_block7/seed=0"]["parameters"] == 32 * 32 + 32 + 330
    assert values["labels/none_labels0.1/seed=0"]["accuracy"] > 20
    estimates = {k: v["estimate"] for k, v in values.items() if k.startswith("estimate/")}
    assert len(estimates) == len(design.ARCHITECTURES) + 1
    assert min(estimates.values()) > 40
    assert estimates["estimate/asked"] == estimates["estimate/none"]
    assert {v["images"] for k, v in values.items() if k.startswith("random/")} == {50}
    assert np.isfinite(values["random/infinite/seed=0"]["nngp"])
