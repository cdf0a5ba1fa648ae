"""Notebook 01's plan, search and cells: who depends on what, equal budgets, and one run end to end."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from ntkd_lib.chapters.classification import methods, plan
from ntkd_lib.chapters.classification.parameters import ClassificationParameters
from ntkd_lib.chapters.optical_students import classification, classification_methods
from ntkd_lib.chapters.optical_students.classification_cells import (
    digit_kernel,
    digit_student,
    digit_teacher,
)
from ntkd_lib.chapters.optical_students.classification_methods import (
    DIGITS,
    FORMS,
    UNTRAINED,
    Method,
    digit_method,
    draw_settings,
)
from ntkd_lib.chapters.optical_students.classification_teachers import restore_teacher
from ntkd_lib.chapters.run import locate_data, with_needs
from ntkd_lib.data.load import load
from ntkd_lib.distill.objectives import OBJECTIVES
from ntkd_lib.lab.cells import Cell, Record, cell_key
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.parameters import ParameterError, load_parameters
from ntkd_lib.lab.search import read_search
from ntkd_lib.lab.sources import module_sources
from ntkd_lib.lab.store import CellStore
from ntkd_lib.lab.work import Data
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.landmarks import landmark_gram

SMOKE = {"data": "mnist-5k", "seeds": [0]}
RECORDED_SEEDS = (0, 1, 2, 3, 4)
TUNED = [method for method in DIGITS.methods.values() if method.space is not None]


def smoke(**changes: object) -> ClassificationParameters:
    return ClassificationParameters(tier="smoke", **(SMOKE | changes))


def digits() -> Data:
    return locate_data("mnist-5k")["mnist-5k"]


def planned(**changes: object) -> list[Cell]:
    parameters = smoke(**changes)
    return with_needs(plan.plan(parameters, locate_data(*parameters.datasets)))


def students(cells: list[Cell], data: str = "mnist-5k") -> list[Cell]:
    """Select the students of the main comparison that know all labels."""
    main = [cell for cell in cells if cell.labels.get("question") == "main" and cell.labels["data"] == data]
    return [cell for cell in main if cell.labels["label_share"] == 1]


def student(name: str, **changes: object) -> Cell:
    return digit_student(smoke(**changes), digits(), digit_method(name), 0)


def test_every_student_has_an_objective_and_teachers_depend_on_none() -> None:
    assert {m.objective for m in (*DIGITS.methods.values(), *methods.COLOURS.methods.values())} <= set(
        OBJECTIVES
    )
    for cell in (digit_teacher(smoke(), digits(), 0), digit_kernel(smoke(), digits(), 0)):
        assert cell.work.startswith("ntkd_lib.chapters.optical_students.classification_teachers:")


def test_work_draws_no_figures() -> None:
    modules = {cell.work.partition(":")[0] for cell in planned()}
    assert not [name for name in module_sources(sorted(modules)) if name.startswith("ntkd_lib.show")]


def test_every_student_runs_for_its_seeds() -> None:
    cells = planned(seeds=[3, 5], control_seeds=[5])
    names = [cell.name for cell in cells]
    assert len(set(names)) == len(names)
    for method in methods.digit_methods():
        seeds = [c.labels["seed"] for c in students(cells) if c.labels["method"] == method.name]
        assert seeds == ([3, 5] if method.every_seed or method.name == DIGITS.chosen_form() else [5])


def test_one_seed_replaces_the_list() -> None:
    for cell in planned(seed=7):
        shared = "classification_teachers" in cell.work and cell.labels["data"] == "cifar-10"
        assert cell.arguments["seed"] == (0 if shared else 7)  # colour images have one teacher


def test_compared_students_share_everything_but_loss_and_settings() -> None:
    kd, ntkd = (dict(student(name).arguments) for name in ("kd", "ntkd_cosine"))
    for arguments in (kd, ntkd):
        del arguments["objective"], arguments["settings"]
    assert {k: v for k, v in kd.items() if v is not None} == {k: v for k, v in ntkd.items() if v is not None}


def test_kernel_batch_above_its_images_is_refused() -> None:
    with pytest.raises(
        ParameterError, match="kernel_batch = 64 is more than kernel_images = 32; allowed: at most"
    ):
        planned(kernel_images=32, kernel_batch=64)


def test_controls_without_their_counterpart_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"control_seeds has 7, allowed: some of seeds = \[3, 5\]"):
        planned(seeds=[3, 5], control_seeds=[5, 7])


def test_search_gives_every_method_the_same_number_of_trials_and_other_seeds() -> None:
    record = read_search(DIGITS.search)
    counts = Counter(trial["method"] for trial in record["trials"])
    assert set(counts) == {method.name for method in TUNED}
    assert set(counts.values()) == {record["budget"]["trials"]}
    assert not set(record["budget"]["seeds"]) & {*ClassificationParameters().seeds, *RECORDED_SEEDS}
    assert "accuracy" not in json.dumps(record["trials"])


def test_recorded_trials_are_those_that_the_sequence_draws() -> None:
    for number, trial in enumerate(DIGITS.trials()):
        drawn = draw_settings(DIGITS.methods[trial["method"]], number % methods.TRIALS["digits"])
        assert trial["settings"] == drawn


@pytest.mark.parametrize("method", TUNED, ids=lambda method: method.name)
def test_drawn_settings_stay_in_their_space(method: Method) -> None:
    for trial in range(methods.TRIALS["digits"]):
        drawn = draw_settings(method, trial)
        assert drawn.keys() == method.space.keys()
        for name, (low, high, _) in method.space.items():
            assert low * 0.99 <= drawn[name] <= high * 1.01


def test_best_trial_wins_on_validation() -> None:
    for method in TUNED:
        values = [np.mean(t["validation"]) for t in DIGITS.trials() if t["method"] == method.name]
        assert np.mean(DIGITS.best_trial(method.name)["validation"]) == max(values)
    best = {form: np.mean(DIGITS.best_trial(form)["validation"]) for form in FORMS}
    assert best[DIGITS.chosen_form()] == max(best.values())


def test_compared_students_train_at_the_speed_of_their_leader(monkeypatch) -> None:
    def trial(method: str, lr: float, value: float) -> dict[str, object]:
        own = {"lr": lr, "weight_decay": lr / 10, "weight": 7 * lr}
        return {"method": method, "settings": own, "validation": [value]}

    found = {"trials": [trial("none", 1.0, 73.0), trial("ntkd", 2.0, 72.0), trial("ntkd", 3.0, 71.0)]}
    monkeypatch.setattr(classification_methods, "read_search", lambda name: found)
    assert methods.COLOURS.settings("ntkd") == {"lr": 1.0, "weight_decay": 0.1, "weight": 14.0}


@pytest.mark.parametrize("search", methods.SEARCHES, ids=lambda search: search.name)
def test_searches_try_each_student_as_often_on_validation_data_of_other_seeds(search) -> None:
    tried = []

    def run(cells) -> list[Record]:
        tried.extend(cells)
        return [Record("a" * 64, c.name, {"validation": 50.0}, {}, {"seconds": 1.0}) for c in tried]

    data = {name: Data(name, "0" * 64) for name in search.data}
    content = search.conduct(data, run)
    budget = content["budget"]
    assert {cell.labels["tested"] for cell in tried} == {False}
    assert {cell.labels["seed"] for cell in tried} == set(budget["seeds"])
    counts = Counter(cell.labels["method"] for cell in tried)
    assert counts.keys() == content["space"].keys()
    assert set(counts.values()) == {budget["trials"]}
    assert len(content["trials"]) == len(tried) == len({cell.name for cell in tried})


def test_untrained_teacher_control_differs_in_the_teacher_alone() -> None:
    control, ntkd = student(UNTRAINED), student(DIGITS.chosen_form())
    assert control.arguments == ntkd.arguments
    assert control.needs["tangent"].needs["teacher"].arguments["schedule"]["epochs"] == 0
    assert cell_key(control) != cell_key(ntkd)


def test_tiers_are_valid_and_cpu_is_the_default() -> None:
    notebook = "01_ntkd_classification"
    tiers = {t: load_parameters(ClassificationParameters, notebook, t, {}) for t in ("smoke", "cpu", "paper")}
    assert tiers["cpu"] == ClassificationParameters()
    assert (
        len(tiers["paper"].all_seeds) >= len(RECORDED_SEEDS) >= 5
    )  # what verdicts need; the live run has fewer
    assert tiers["smoke"].data == "mnist-5k"
    assert tiers["paper"].epochs > tiers["cpu"].epochs


def assert_in_the_units_of_the_kernel(teacher: Record, tangent: Record) -> None:
    """Check that students are trained with the teacher's kernel in the units of the one that they compute."""
    rows = torch.tensor(tangent.arrays["rows"][:6])
    images = load("mnist-5k", "train").images[rows].float() / 255
    exact = empirical_ntk(restore_teacher(teacher), images, kind="trace").detach()
    features, diagonal = (torch.tensor(tangent.arrays[name][:6]).float() for name in ("features", "diagonal"))
    torch.testing.assert_close(diagonal, exact.diagonal(), rtol=1e-4, atol=0)
    assert (landmark_gram(features, diagonal) - exact).norm() < 0.3 * exact.norm()
    assert tangent.values["mean_diagonal"] == pytest.approx(tangent.arrays["diagonal"].mean(), rel=1e-5)


def run_once(cells: list[Cell], folder: Path) -> dict[str, Record]:
    return run_cells(with_needs(cells), CellStore(folder), workers=1, progress="none")


def test_read_outs_of_fixed_optics_train_the_same_student(tmp_path, monkeypatch) -> None:
    chosen, method = {"lr": 0.01, "weight_decay": 1e-4}, DIGITS.methods["random_frozen"]
    cell = digit_student(smoke(epochs=1), digits(), method, 0, chosen)
    fast = run_once([cell], tmp_path / "fast")[cell.name]
    monkeypatch.setattr(classification, "_select_trained_part", lambda model, data, schedule: (model, data))
    slow = run_once([cell], tmp_path / "slow")[cell.name]
    for name in ("weights.back.0.weight", "weights.back.2.bias"):
        np.testing.assert_allclose(fast.arrays[name], slow.arrays[name], rtol=1e-3, atol=1e-4)


def test_cells_run_end_to_end_and_repeat_bit_for_bit(tmp_path) -> None:
    small = {"landmarks": 16, "kernel_batch": 8, "kernel_every": 8, "kernel_images": 500}
    p = smoke(epochs=1, single_epochs=2, teacher_epochs=1, **small)
    names = ("none", "kd", "ntkd_cosine", "ntkd_sap", "f8_centred")
    cells = {name: digit_student(p, digits(), digit_method(name), 0) for name in names}
    cells["tangent"], cells["teacher"] = digit_kernel(p, digits(), 0), digit_teacher(p, digits(), 0)
    first, second = (run_once(list(cells.values()), tmp_path / name) for name in "ab")
    for name, record in first.items():
        assert record.values == second[name].values
        assert all(np.array_equal(a, second[name].arrays[k]) for k, a in record.arrays.items())
    records = {name: first[cell.name] for name, cell in cells.items()}
    assert_in_the_units_of_the_kernel(records["teacher"], records["tangent"])
    assert records["tangent"].values["cosine"] > 0.9
    arrays = records["tangent"].arrays
    assert arrays["features"].shape[0] == arrays["rows"].shape[0] == 500
    assert records["none"].values["parameters"] == 50_930
    assert records["none"].arrays["guesses"].shape == (1000,)
    assert records["none"].values["accuracy"] > 30
