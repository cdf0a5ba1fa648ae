"""The side questions of notebook 01: designs, layout, estimates, and regressions on random filters."""

import pytest
import torch

from ntkd_lib.chapters.classification import plan
from ntkd_lib.chapters.classification.parameters import ClassificationParameters
from ntkd_lib.chapters.classification.studies import alignment, random_filters, read_outs, sizes, stage1
from ntkd_lib.chapters.classification.studies.ridge import RIDGES, accuracy_of_fit, choose_ridge
from ntkd_lib.chapters.optical_students.classification_methods import DIGITS
from ntkd_lib.chapters.run import locate_data
from ntkd_lib.lab.cells import Cell
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.parameters import ParameterError, load_parameters
from ntkd_lib.lab.store import CellStore
from ntkd_lib.lab.work import Data

TINY = {
    "data": "mnist-5k",
    "seeds": [0, 1],
    "epochs": 1,
    "estimate_images": 100,
    "random_images": 50,
    "random_filters": [2, 3],
}


def small(**changes: object) -> ClassificationParameters:
    return ClassificationParameters(tier="smoke", **(TINY | changes))


def digits() -> Data:
    return locate_data("mnist-5k")["mnist-5k"]


def planned(**changes: object) -> list[Cell]:
    parameters = small(**changes)
    return plan.plan(parameters, locate_data(*parameters.datasets))


def test_kernels_are_compared_by_direction_and_by_size() -> None:
    teacher = torch.tensor([[2.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 4.0]])
    assert alignment.compare(3 * teacher + 1, teacher) == pytest.approx((1, 3 + 1 / 3))  # mean diagonal 3
    assert alignment.compare(torch.ones(3, 3) - teacher, teacher)[0] == pytest.approx(-1)


def test_surfaces_hold_what_their_names_say() -> None:
    filters = {a.name: a.filters for a in stage1.ARCHITECTURES}
    assert filters["none"] == filters["deep"] == filters["small"] == 8
    assert (filters["four"], filters["two"]) == (4, 2)
    assert len(filters) >= 8


def test_controls_run_for_their_own_seeds() -> None:
    for deep in (False, True):
        cells = [c for c in planned(optical_depth=deep) if c.labels["data"] == "mnist-5k"]
        questions = {c.labels.get("question") for c in cells} - {None, "main"}
        assert questions == {"stage1", "size", "read-out", *(["depth"] if deep else [])}
        controls = [c for c in cells if c.labels.get("question") in questions]
        few = [c for c in cells if c.labels.get("label_share", 1) < 1]
        assert {c.labels["seed"] for c in controls} == {c.labels["seed"] for c in few} == {0}


def test_quarter_has_a_quarter_of_the_back_ends_parameters() -> None:
    whole, quarter = (1568 * h + h + 10 * h + 10 for h in (32, sizes.QUARTER))
    assert quarter / whole == pytest.approx(0.25, abs=0.001)
    assert len(sizes.HIDDEN) >= 6


def test_variants_take_the_settings_of_the_student_that_they_follow() -> None:
    kernel = sizes.small(small(), digits(), "ntkd", sizes.QUARTER, 0).arguments
    chosen = DIGITS.settings(DIGITS.chosen_form())
    assert {**kernel["settings"], **kernel["schedule"]}.items() >= chosen.items()
    assert kernel["parts"]["hidden"] == [sizes.QUARTER]
    few = next(c for c in planned() if c.labels.get("label_share") == 0.1 and c.labels["method"] == "kd")
    assert {**few.arguments["settings"], **few.arguments["schedule"]}.items() >= DIGITS.settings("kd").items()


def test_surfaces_without_room_and_even_filters_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"surface_height = 50.0 .* no room for a pair of filters of 7"):
        planned(surface_height=50.0)
    with pytest.raises(ParameterError, match="filter_size = 4 is even; allowed: odd sizes"):
        planned(filter_size=4)
    assert stage1.surface_of(small(surface_height=720.0)).filters == 16


def test_paper_tier_uses_all_images_and_repeats_controls() -> None:
    paper = load_parameters(ClassificationParameters, "01_ntkd_classification", "paper", {})
    assert paper.random_images == 50_000
    assert len(paper.control_seeds) >= 5
    assert paper.optical_depth


def test_regression_separates_classes_and_chooses_the_better_ridge() -> None:
    torch.manual_seed(0)
    labels = torch.arange(40) % 2
    points = torch.randn(40, 3) + 5 * labels[:, None]
    theta = points @ points.T + 1
    ridge, validation = choose_ridge(theta[:30, :30], labels[:30], theta[30:, :30], labels[30:])
    assert validation == 100
    assert ridge == max(RIDGES)
    wrong = 1 - labels[30:]
    assert accuracy_of_fit(theta[:30, :30], labels[:30], theta[30:, :30], wrong, ridge) == 0


def test_cells_run_end_to_end(tmp_path) -> None:
    p, data = small(optical_depth=True), digits()
    front = "one optical layer, absorber before the sensor"
    cells = {
        "few": next(c for c in plan.digit_cells(p, data) if c.labels.get("label_share") == 0.1),
        "filters": read_outs.read_out_cell(p, data, "none", 14, 0),
        "lens": read_outs.read_out_cell(p, data, "lens", 7, 0),
        "absorber": read_outs.depth_cell(p, data, front, 0),
    }
    names = [a.name for a in (*stage1.ARCHITECTURES, stage1.surface_of(p))]
    estimates = [c for c in stage1.plan(p, data) if c.labels.get("architecture") in names]
    cells |= {c.labels["architecture"]: c for c in estimates if c.name.startswith("estimate/")}
    random = random_filters.plan(p, {"mnist-5k": data, "cifar-10": data})
    every = [*cells.values(), *{c.name: c for c in random}.values()]
    records = run_cells(every, CellStore(tmp_path), workers=1, progress="none")
    values = {name: records[cell.name].values for name, cell in cells.items()}
    assert values["filters"]["parameters"] == 8 * 49 + 8 * 32 + 32 + 330
    assert values["lens"]["parameters"] == 32 * 32 + 32 + 330
    assert values["few"]["accuracy"] > 20
    assert values["absorber"]["accuracy"] > 0
    reached = {name: values[name]["estimate"] for name in names}
    assert len(reached) == len(stage1.ARCHITECTURES) + 1
    assert min(reached.values()) > 40
    assert reached["surface"] == reached["none"]
    regressions = [records[cell.name].values for cell in random]
    assert {one["images"] for one in regressions} == {50}
