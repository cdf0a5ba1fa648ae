"""Notebook 04's plan, search and cells: who depends on what, equal budgets, and one run end to end."""

import numpy as np
import pandas as pd
import pytest

from ntkd_lib.chapters.koopman_vs_least_squares import methods, plan, search, settings, summary
from ntkd_lib.chapters.koopman_vs_least_squares.cells import CellMaker
from ntkd_lib.chapters.koopman_vs_least_squares.inputs import read_inputs
from ntkd_lib.chapters.koopman_vs_least_squares.parameters import KoopmanParameters
from ntkd_lib.data.registry import locate
from ntkd_lib.lab.cells import Cell
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.parameters import ParameterError, load_parameters
from ntkd_lib.lab.sources import module_sources
from ntkd_lib.lab.store import CellStore

NOTEBOOK = "04_koopman_vs_least_squares"
SMALL = {
    "digits": "mnist-5k",
    "images": 1500,
    "seeds": [0],
    "quadratic": [8],
    "cubic": [4],
    "grid_seeds": 1,
    "teacher_epochs": 2,
}


def smoke(**changes: object) -> KoopmanParameters:
    return KoopmanParameters(tier="smoke", **(SMALL | changes))


def planned(**changes: object) -> dict[str, Cell]:
    return {cell.name: cell for cell in plan.plan(smoke(**changes))}


def test_methods_of_one_seed_share_teacher_and_scores() -> None:
    cells = planned()
    kd, ce = (cells[f"mnist-5k/{name}/q=2/d=8/seed=0"] for name in ("kd", "ce"))
    linear = cells["mnist-5k/linear/q=2/seed=0"]
    assert kd.needs["inputs"] is not None
    assert kd.needs["inputs"] == ce.needs["inputs"] == linear.needs["inputs"]
    assert kd.needs["teacher"] == linear.needs["teacher"]
    assert "teacher" not in ce.needs
    assert kd.needs["start"] == ce  # never the other way: what has no teacher must not lean on one
    assert "start" not in ce.needs


def test_teachers_do_not_depend_on_any_solver() -> None:
    for name in ("teacher", "inputs"):
        cell = planned()[f"mnist-5k/{name}/seed=0"]
        found = set(module_sources((cell.work.partition(":")[0], *cell.uses)))
        assert not {"ntkd_lib.koopman.newton", "ntkd_lib.koopman.edmd", "ntkd_lib.koopman.problem"} & found


def test_claims_get_all_seeds_and_other_sizes_the_first() -> None:
    parameters = smoke(seeds=[3, 4, 5], quadratic=[10, 20, 40], grid_seeds=2)
    for data in plan.data_sets(parameters):
        found = plan.solved(parameters, data, 2)
        for method in ("kd", "ce"):
            own = plan.chosen_size(parameters, data, 2, method)
            assert found[method, own] == [3, 4, 5]
            assert all(len(seeds) >= 2 for (name, _), seeds in found.items() if name == method)


def test_controls_are_planned_and_a_residual_teacher_where_asked_for() -> None:
    assert planned()["mnist-5k/pixels/seed=0"].needs == {}
    assert planned()["mnist-5k/ce/q=1/d=8/seed=0"].arguments["degree"] == 1
    assert not [name for name in planned() if "resnet18" in name]
    cells = planned(resnet_seeds=1)
    found = sorted(name for name in cells if "resnet18" in name)
    assert [name.split("/")[2] for name in found] == ["kd", "linear", "teacher"]
    assert all(cells[name].needs["teacher"] == cells[found[2]] for name in found[:2])


def test_one_seed_replaces_the_list() -> None:
    assert {cell.arguments["seed"] for cell in plan.plan(smoke(seed=7))} == {7}


def test_search_gives_every_student_the_same_trials_and_another_seed() -> None:
    record = settings.search()
    frame = pd.DataFrame(record["trials"])
    students = frame[frame["method"].isin(methods.STUDENTS)]
    for _, part in students.groupby(["data", "degree"]):
        assert part["method"].value_counts().nunique() == 1
        assert part["method"].value_counts().min() >= record["budget"]["trials"]
    assert record["budget"]["seed"] not in KoopmanParameters().seeds
    assert set(frame.columns) == {"data", "degree", "method", "components", "settings", "validation"}


def test_recorded_first_trials_are_those_that_the_sequence_draws() -> None:
    for name, method in methods.STUDENTS.items():
        trials = [
            t["settings"]
            for t in settings.search()["trials"]
            if (t["data"], t["degree"], t["method"]) == ("mnist", 2, name)
        ]
        drawn = [search.draw_settings(method, trial) for trial in range(search.TRIALS)]
        assert trials[: search.TRIALS] == drawn


@pytest.mark.parametrize("method", methods.STUDENTS.values(), ids=lambda method: method.name)
def test_drawn_settings_stay_in_their_space(method: methods.Method) -> None:
    for trial in range(search.TRIALS):
        drawn = search.draw_settings(method, trial)
        assert drawn.keys() == method.space.keys() | method.fixed.keys()
        for name, (low, high, _) in method.space.items():
            assert low * 0.99 <= drawn[name] <= high * 1.01


def test_best_trial_wins_on_validation_and_unknown_sizes_take_the_nearest() -> None:
    best = settings.best_trial("mnist", 2, "kd")
    everything = [t for t in settings.search()["trials"] if t["method"] == "kd" and t["degree"] == 2]
    assert best["validation"] == max(t["validation"] for t in everything if t["data"] == "mnist")
    near = settings.best_trial("mnist-5k", 2, "kd", [11])
    assert near["components"] == 11
    assert near["settings"] == settings.best_trial("mnist", 2, "kd", [10])["settings"]


def test_tiers_are_valid_and_cpu_is_the_default() -> None:
    tiers = {t: load_parameters(KoopmanParameters, NOTEBOOK, t, {}) for t in ("smoke", "cpu", "paper")}
    assert tiers["cpu"] == KoopmanParameters()
    assert len(tiers["cpu"].all_seeds) == 10
    assert tiers["smoke"].digits == "mnist-5k"
    for tier in ("cpu", "paper"):
        assert tiers[tier].quadratic == [10, 15, 20, 30, 40]
        assert tiers[tier].cubic == [10, 15, 20]
    assert tiers["paper"].resnet_seeds == 10


def test_a_size_that_is_given_twice_is_refused() -> None:
    with pytest.raises(ParameterError, match="quadratic"):
        load_parameters(KoopmanParameters, NOTEBOOK, "cpu", {"quadratic": [10, 10]})


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Give the records of a small run on digits, and those of its repetition."""
    maker = CellMaker(smoke(), "mnist-5k", locate("mnist-5k").sha256)
    fits = plan.fits(smoke(), "mnist-5k", 2)
    kd = {"alpha": 0.5, "temperature": 2.0, "ridge": 1e-3}
    ce = {"alpha": 0.0, "temperature": 1.0, "ridge": 1e-3}
    common = {"seed": 0, "components": 4, "degree": 2}
    cells = [
        maker.student("kd", 0, 2, 8, kd, hardware=True),
        maker.student("ce", 0, 2, 8, ce),
        maker.student("kd_rbf", 0, 2, 4, {**kd, "width": 1.0}, dictionary="rbf"),
        maker.linear(0, 2, fits, hardware=8, condition=True),
        maker.stability(
            {**common, "repeats": 2, "students": {"kd": kd}, "naive": {"ridge": 0.0, "rank": 64}}
        ),
        maker.course({**common, "settings": kd, "epochs": 2, "repeats": 2}),
        maker.inputs(0),
        maker.pixels(0, ce),
    ]
    stores = (CellStore(tmp_path_factory.mktemp(name)) for name in "ab")
    return [run_cells(cells, store, workers=1, progress="none") for store in stores]


def test_cells_repeat_bit_for_bit(ran) -> None:
    first, second = ran
    for name, record in first.items():
        if not name.endswith("course"):  # which records seconds
            assert record.values == second[name].values
        assert all(np.array_equal(a, second[name].arrays[k]) for k, a in record.arrays.items())


def test_students_are_certified_and_better_than_guessing(ran) -> None:
    for name, functions in (("kd/q=2/d=8", 45), ("ce/q=2/d=8", 45), ("pixels", 785)):
        values = ran[0][f"mnist-5k/{name}/seed=0"].values
        assert values["gradient"] <= 1e-6
        assert values["converged"]
        assert values["functions"] == functions
        assert values["accuracy"] > 60


def test_a_start_changes_the_path_and_not_the_optimum(ran, tmp_path) -> None:
    maker = CellMaker(smoke(), "mnist-5k", locate("mnist-5k").sha256)
    kd, ce = ({"alpha": alpha, "temperature": 2.0, "ridge": 1e-3} for alpha in (0.5, 0.0))
    cell = maker.student("kd", 0, 2, 8, kd, start=maker.student("ce", 0, 2, 8, ce))
    led = run_cells([cell], CellStore(tmp_path), workers=1, progress="none")[cell.name]
    alone = ran[0][cell.name]
    assert led.values["loss"] == pytest.approx(alone.values["loss"], rel=1e-6)
    assert np.abs(led.arrays["weights"] - alone.arrays["weights"]).max() < 1e-2


def test_a_residual_teacher_keeps_what_enters_its_last_layer(tmp_path) -> None:
    maker = CellMaker(smoke(images=500, resnet_epochs=1), "mnist-5k", locate("mnist-5k").sha256)
    fit = {"method": "naive", "components": 4, "ridge": 1e-3, "rank": 20}
    cell = maker.linear(0, 2, [fit], network="resnet18")
    records = run_cells([cell, *cell.needs.values()], CellStore(tmp_path), workers=1, progress="none")
    arrays = records["mnist-5k/resnet18/teacher/seed=0"].arrays
    assert arrays["hidden"].shape == (500, 512)
    logits = arrays["hidden"] @ arrays["weight"].T + arrays["bias"]
    np.testing.assert_allclose(logits, arrays["logits"], atol=1e-3 * np.abs(logits).max())
    assert records[cell.name].values["fits"][0]["rank"] == 20


def test_edmd_with_all_components_is_least_squares_to_the_logits(ran) -> None:
    record = ran[0]["mnist-5k/linear/q=2/seed=0"]
    fits = {fit["method"]: (fit, number) for number, fit in enumerate(record.values["fits"])}
    naive, logits = fits["naive"], fits["ls_logits"]
    if naive[0]["rank"] == 64 and naive[0]["ridge"] == logits[0]["ridge"]:
        assert naive[0]["accuracy"] == logits[0]["accuracy"]
    assert {row["components"] for row in record.values["condition"]} == {8}
    assert all(row["common"] >= 1 for row in record.values["condition"])


def test_many_bits_and_little_noise_cost_little(ran) -> None:
    values = ran[0]["mnist-5k/kd/q=2/d=8/seed=0"].values
    assert abs(values["hardware"]["bits"]["8"] - values["accuracy"]) < 2
    assert abs(values["hardware"]["noise"]["0.01"] - values["accuracy"]) < 2
    assert values["hardware"]["noise"]["0.3"] < values["accuracy"]


def test_adam_stays_above_the_minimum(ran) -> None:
    values = ran[0]["mnist-5k/course"].values
    assert all(loss >= values["optimum"] - values["optimum_gap"] for run in values["losses"] for loss in run)


def test_parts_of_the_data_do_not_overlap(ran) -> None:
    record = ran[0]["mnist-5k/inputs/seed=0"]
    rows, held_out = (set(record.arrays[name].tolist()) for name in ("rows", "held_out"))
    assert not rows & held_out
    assert len(rows | held_out) == 1500
    inputs = read_inputs(record, 3)
    assert inputs.train.scores.shape == (1250, 3)
    assert inputs.train.scores[:, 0].std().item() == pytest.approx(1, rel=1e-2)


def test_paired_differences_use_shared_seeds_only() -> None:
    rows = [
        {"data": "mnist", "degree": 2, "method": method, "components": 10, "seed": seed, "accuracy": value}
        for method, values in {"kd": (95.0, 96.0, 97.0), "ce": (94.0, 95.5)}.items()
        for seed, value in enumerate(values)
    ]
    (row,) = summary.teacher_share(pd.DataFrame(rows)).itertuples()
    assert (row.seeds, row.functions) == (2, 66)
    assert row.mean == pytest.approx(0.75)
    assert row.smallest == pytest.approx(0.5)
