"""Notebook 01's plan, search and cells: who depends on what, equal budgets, and one run end to end."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from ntkd_lib.chapters.ntkd_classification import methods, plan, search, settings, student
from ntkd_lib.chapters.ntkd_classification.cells import CellMaker
from ntkd_lib.chapters.ntkd_classification.parameters import ClassificationParameters
from ntkd_lib.chapters.ntkd_classification.tangent import restore_teacher
from ntkd_lib.data.load import load
from ntkd_lib.data.registry import locate
from ntkd_lib.lab.cells import Cell, Record, cell_key
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.parameters import ParameterError, load_parameters
from ntkd_lib.lab.sources import module_sources
from ntkd_lib.lab.store import CellStore
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.landmarks import landmark_gram

LOSSES = {method.objective for method in methods.METHODS.values()}
SMOKE = {"data": "mnist-5k", "seeds": [0]}

RECORDED_SEEDS = (0, 1, 2, 3, 4)


def smoke(**changes: object) -> ClassificationParameters:
    return ClassificationParameters(tier="smoke", **(SMOKE | changes))


def maker(**changes: object) -> CellMaker:
    return CellMaker(smoke(**changes), locate("mnist-5k").sha256)


def planned(**changes: object) -> dict[str, Cell]:
    return {cell.name.removeprefix("mnist-5k/"): cell for cell in plan.plan(smoke(**changes))}


def modules_of(cell: Cell) -> set[str]:
    return set(module_sources((cell.work.partition(":")[0], *cell.uses)))


@pytest.mark.parametrize("name", methods.METHODS)
def test_a_student_depends_on_its_own_loss_only(name: str) -> None:
    found = modules_of(planned()[f"{name}/seed=0"])
    losses = {loss for loss in LOSSES if f"ntkd_lib.distill.{loss}" in found}
    assert losses == {methods.METHODS[name].objective}


def test_kernel_code_is_no_part_of_students_that_hear_no_kernel() -> None:
    cells = planned()
    for name in ("none", "kd", "none_tuned", "f8"):
        assert not {"ntkd_lib.optics.tangent", "ntkd_lib.ntk.landmarks"} & modules_of(cells[f"{name}/seed=0"])
    assert "ntkd_lib.optics.tangent" in modules_of(cells["ntkd_cosine/seed=0"])


def test_teachers_do_not_depend_on_any_loss_of_students() -> None:
    cells = planned()
    for name in ("teacher/trained/seed=0", "tangent/trained/seed=0"):
        assert not {f"ntkd_lib.distill.{loss}" for loss in LOSSES} & modules_of(cells[name])


def test_every_student_runs_for_its_seeds() -> None:
    names = [cell.name for cell in plan.plan(smoke(seeds=[3, 5], control_seeds=[5]))]
    assert len(set(names)) == len(names)
    for method in plan.compared_methods():
        seeds = [seed for seed in (3, 5) if f"mnist-5k/{method.name}/seed={seed}" in names]
        assert seeds == ([3, 5] if method.every_seed or method.name == settings.chosen_form() else [5])


def test_one_seed_replaces_the_list() -> None:
    for cell in plan.plan(smoke(seed=7)):
        of_teacher = ("/teacher/", "/soft_labels/", "/tangent/")
        shared = any(part in cell.name for part in of_teacher)  # colour images have one teacher
        assert cell.arguments["seed"] == (0 if shared and cell.name.startswith("cifar") else 7)


def test_compared_students_share_everything_but_loss_and_settings() -> None:
    cells = planned()
    kd, ntkd = (dict(cells[f"{name}/seed=0"].arguments) for name in ("kd", "ntkd_cosine"))
    for arguments in (kd, ntkd):
        del arguments["objective"], arguments["settings"]
    assert kd == ntkd


def test_kernel_batch_above_its_images_is_refused() -> None:
    with pytest.raises(
        ParameterError, match="kernel_batch = 64 is more than kernel_images = 32; allowed: at most"
    ):
        plan.plan(smoke(kernel_images=32, kernel_batch=64))


def test_controls_without_their_counterpart_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"control_seeds has 7, allowed: some of seeds = \[3, 5\]"):
        plan.plan(smoke(seeds=[3, 5], control_seeds=[5, 7]))


def test_search_gives_every_method_the_same_number_of_trials_and_other_seeds() -> None:
    record = settings.search()
    counts = Counter(trial["method"] for trial in record["trials"])
    assert set(counts) == {method.name for method in search.tuned_methods()}
    assert set(counts.values()) == {record["budget"]["trials"]}
    assert not set(record["budget"]["seeds"]) & {*ClassificationParameters().seeds, *RECORDED_SEEDS}
    assert "accuracy" not in json.dumps(record["trials"])


def test_recorded_trials_are_those_that_the_sequence_draws() -> None:
    for number, trial in enumerate(settings.search()["trials"]):
        drawn = search.draw_settings(methods.METHODS[trial["method"]], number % search.TRIALS)
        assert trial["settings"] == drawn


@pytest.mark.parametrize("method", search.tuned_methods(), ids=lambda method: method.name)
def test_drawn_settings_stay_in_their_space(method: methods.Method) -> None:
    for trial in range(search.TRIALS):
        drawn = search.draw_settings(method, trial)
        assert drawn.keys() == method.space.keys()
        for name, (low, high, _) in method.space.items():
            assert low * 0.99 <= drawn[name] <= high * 1.01


def test_best_trial_wins_on_validation() -> None:
    for method in search.tuned_methods():
        values = [np.mean(t["validation"]) for t in settings.search()["trials"] if t["method"] == method.name]
        assert np.mean(settings.best_trial(method.name)["validation"]) == max(values)
    best = {form: np.mean(settings.best_trial(form)["validation"]) for form in methods.FORMS}
    assert best[settings.chosen_form()] == max(best.values())


def test_untrained_teacher_control_differs_in_the_teacher_alone() -> None:
    control, ntkd = (
        planned()[f"{name}/seed=0"] for name in ("ntkd_untrained_teacher", settings.chosen_form())
    )
    assert control.arguments == ntkd.arguments
    assert control.needs["tangent"].needs["teacher"].arguments["epochs"] == 0
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


def assert_in_the_units_of_the_kernel(make: CellMaker, tangent: Record, store: Path) -> None:
    """Check that students hear of the teacher's kernel in the units of the one that they compute."""
    teacher = restore_teacher(CellStore(store).load(cell_key(make.teacher(0))), "cpu")
    rows = torch.tensor(tangent.arrays["rows"][:6])
    images = load("mnist-5k", "train").images[rows].float() / 255
    exact = empirical_ntk(teacher, images, kind="trace").detach()
    features, diagonal = (torch.tensor(tangent.arrays[name][:6]).float() for name in ("features", "diagonal"))
    torch.testing.assert_close(diagonal, exact.diagonal(), rtol=1e-4, atol=0)
    assert (landmark_gram(features, diagonal) - exact).norm() < 0.3 * exact.norm()
    assert tangent.values["mean_diagonal"] == pytest.approx(tangent.arrays["diagonal"].mean(), rel=1e-5)


def test_read_outs_of_fixed_optics_train_the_same_student(tmp_path, monkeypatch) -> None:
    make = maker(epochs=1)
    chosen = {"lr": 0.01, "weight_decay": 1e-4}
    cell = make.student(methods.METHODS["random_frozen"], 0, chosen)
    fast = run_cells([cell], CellStore(tmp_path / "fast"), workers=1, progress="none")[cell.name]
    monkeypatch.setattr(student, "_trained_part", lambda model, data, schedule: (model, data))
    slow = run_cells([cell], CellStore(tmp_path / "slow"), workers=1, progress="none")[cell.name]
    for name in ("weights.back.0.weight", "weights.back.2.bias"):
        np.testing.assert_allclose(fast.arrays[name], slow.arrays[name], rtol=1e-3, atol=1e-4)


def test_cells_run_end_to_end_and_repeat_bit_for_bit(tmp_path) -> None:
    make = maker(
        epochs=1,
        single_epochs=2,
        teacher_epochs=1,
        landmarks=16,
        kernel_batch=8,
        kernel_every=8,
        kernel_images=500,
    )
    chosen = [methods.METHODS[name] for name in ("none", "kd", "ntkd_cosine", "ntkd_sap", "f8_centred")]
    cells = [make.student(m, 0, settings.best_trial(m.settings_of)["settings"]) for m in chosen]
    cells.append(make.tangent(0))
    first, second = (
        run_cells(cells, CellStore(tmp_path / name), workers=1, progress="none") for name in "ab"
    )
    for name, record in first.items():
        assert record.values == second[name].values
        assert all(np.array_equal(a, second[name].arrays[k]) for k, a in record.arrays.items())
    tangent = first["mnist-5k/tangent/trained/seed=0"]
    assert_in_the_units_of_the_kernel(make, tangent, tmp_path / "a")
    assert tangent.values["cosine"] > 0.9
    assert tangent.arrays["features"].shape[0] == tangent.arrays["rows"].shape[0] == 500
    plain = first["mnist-5k/none/seed=0"]
    assert plain.values["parameters"] == 50_930
    assert plain.arrays["guesses"].shape == (1000,)
    assert plain.values["accuracy"] > 30
