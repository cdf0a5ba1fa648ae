"""Notebook 04's plan, search and cells: who depends on what, equal budgets, and one run end to end."""

import numpy as np
import pandas as pd
import pytest
import torch

from ntkd_lib.chapters.koopman import methods, plan
from ntkd_lib.chapters.koopman.inputs import (
    Inputs,
    Part,
    build_teacher,
    forget_running_means,
    labelled_places,
    principal_scores,
    read_inputs,
    teacher,
)
from ntkd_lib.chapters.koopman.parameters import KoopmanParameters
from ntkd_lib.chapters.koopman.studies import dictionaries, first_search, teachers
from ntkd_lib.chapters.koopman.studies.course import adam_course
from ntkd_lib.chapters.koopman.studies.hardware import faulty_accuracy
from ntkd_lib.chapters.koopman.studies.stability import refits
from ntkd_lib.chapters.koopman.work import (
    LinearFit,
    Objective,
    least_squares,
    pixel_student,
    pose_problem,
    student,
)
from ntkd_lib.chapters.run import locate_data, with_needs
from ntkd_lib.distill.training import predict
from ntkd_lib.koopman.dictionaries import Monomials
from ntkd_lib.lab.cells import Cell, Record
from ntkd_lib.lab.evidence import Metric
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.parameters import ParameterError, load_parameters
from ntkd_lib.lab.search import read_search
from ntkd_lib.lab.sources import module_sources
from ntkd_lib.lab.store import CellStore
from ntkd_lib.lab.work import Data, Work

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
DATA = {name: Data(name, "0" * 64) for name in ("mnist-5k", "mnist", "fashion-mnist")}
KD, CE = Objective(0.5, 2.0, 1e-3), Objective(0.0, 1.0, 1e-3)


def smoke(**changes: object) -> KoopmanParameters:
    return KoopmanParameters(tier="smoke", **(SMALL | changes))


def planned(**changes: object) -> list[Cell]:
    return with_needs(plan.plan(smoke(**changes), DATA))


def pick(cells: list[Cell], work: Work, **labels: object) -> Cell:
    """Return the one cell of a work on digits that has some labels."""
    labels = {"data": "mnist-5k", **labels}
    (cell,) = (c for c in cells if c.work == work.path and labels.items() <= c.labels.items())
    return cell


def test_methods_of_one_seed_share_teacher_and_scores() -> None:
    cells = planned()
    kd, ce = (pick(cells, student, method=name, degree=2) for name in ("kd", "ce"))
    linear = pick(cells, least_squares, degree=2)
    assert kd.needs["inputs"] is not None
    assert kd.needs["inputs"] == ce.needs["inputs"] == linear.needs["inputs"]
    assert kd.needs["teacher"] == linear.needs["teacher"]
    assert "teacher" not in ce.needs
    assert kd.needs["start"] == ce  # never the other way: what has no teacher must not lean on one
    assert "start" not in ce.needs


def test_teachers_do_not_depend_on_any_solver_and_no_cell_on_labels_or_drawing() -> None:
    cells = planned()
    for work in (teacher, principal_scores):
        sources = module_sources((pick(cells, work).work.partition(":")[0],))
        assert not {"ntkd_lib.koopman.newton", "ntkd_lib.koopman.edmd", "ntkd_lib.koopman.problem"} & set(
            sources
        )
    for module in {cell.work.partition(":")[0] for cell in cells}:
        sources = set(module_sources((module,)))
        assert "ntkd_lib.chapters.koopman.methods" not in sources
        assert not {name for name in sources if name.startswith("ntkd_lib.show")}


def test_claims_get_all_seeds_and_other_sizes_the_first() -> None:
    parameters = smoke(seeds=[3, 4, 5], quadratic=[10, 20, 40], grid_seeds=2)
    for data in parameters.datasets:
        seeds = plan.seeds_of_students(parameters, data, 2)
        for method in ("kd", "ce"):
            own = methods.chosen_size(parameters, data, 2, method)
            assert seeds[method, own] == [3, 4, 5]
            assert all(len(listed) >= 2 for (name, _), listed in seeds.items() if name == method)


def test_controls_are_planned_and_a_residual_teacher_on_request() -> None:
    cells = planned()
    assert pick(cells, pixel_student).needs == {}
    assert pick(cells, student, method="ce", degree=1).labels["components"] == 8
    assert not [cell for cell in cells if cell.labels.get("network") == "resnet18"]
    cells = [cell for cell in planned(resnet_seeds=1) if cell.labels.get("network") == "resnet18"]
    assert {cell.work for cell in cells} == {work.path for work in (teacher, student, least_squares)}
    trained = pick(cells, teacher)
    assert pick(cells, student).needs["teacher"] == pick(cells, least_squares).needs["teacher"] == trained


def test_hardware_is_tested_with_four_methods_of_the_same_size() -> None:
    tests = [cell for cell in planned() if cell.work == faulty_accuracy.path]
    assert [cell.labels["method"] for cell in tests] == ["kd", "ce", "naive", "ls_logits"]
    for cell in tests[2:]:
        fit = cell.needs["solution"].arguments["fits"][
            int(cell.arguments["weights"].removeprefix("weights."))
        ]
        assert (fit["method"], fit["components"]) == (cell.labels["method"], cell.labels["components"])


def test_one_seed_replaces_the_list() -> None:
    assert {cell.arguments["seed"] for cell in planned(seed=7)} == {7}


def test_search_gives_every_student_the_same_trials_and_another_seed() -> None:
    record = read_search(NOTEBOOK)
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
            for t in read_search(NOTEBOOK)["trials"]
            if (t["data"], t["degree"], t["method"]) == ("mnist", 2, name)
        ]
        drawn = [first_search.draw_settings(method, trial) for trial in range(first_search.TRIALS)]
        assert trials[: first_search.TRIALS] == drawn


def test_the_search_tries_what_was_recorded() -> None:
    """The same search on recorded validation scores gives the same trials."""
    record = read_search(NOTEBOOK)
    scores = {_trial_key(trial): trial["validation"] for trial in record["trials"]}

    def look_up(cells: list[Cell]) -> list[Record]:
        return [Record("", cell.name, _recorded_values(cell, scores), {}, {}) for cell in cells]

    content = first_search.conduct({name: DATA[name] for name in ("mnist", "fashion-mnist")}, look_up)
    tried = [_trial_key(trial) for trial in content["trials"]]
    assert len(set(tried)) == len(tried)
    assert scores.keys() == set(tried)
    assert content["budget"] == record["budget"]
    assert content["space"].keys() == record["space"].keys()


def _trial_key(trial: dict) -> tuple:
    settings = tuple(sorted(trial["settings"].items()))
    return trial["data"], trial["degree"], trial["method"], trial["components"], settings


def _recorded_values(cell: Cell, scores: dict) -> dict:
    """Return the recorded validation scores of a cell's trials."""
    data = cell.labels["data"]
    if cell.work == least_squares.path:
        fits = cell.arguments["fits"]
        keys = [
            (
                data,
                cell.labels["degree"],
                fit["method"],
                fit["components"],
                (("rank", fit["rank"]), ("ridge", fit["ridge"])),
            )
            for fit in fits
        ]
        return {"fits": [{**f, "validation": scores[k]} for f, k in zip(fits, keys, strict=True)]}
    assert cell.arguments["seed"] == first_search.TUNING_SEED
    settings = {name: value for name, value in cell.arguments["objective"].items() if value is not None}
    degree, components = cell.labels.get("degree", 1), cell.labels.get("components", 784)
    key = (data, degree, cell.labels["method"], components, tuple(sorted(settings.items())))
    return {"validation": scores[key]}


@pytest.mark.parametrize("method", methods.STUDENTS.values(), ids=lambda method: method.name)
def test_drawn_settings_stay_in_their_space(method: methods.StudentMethod) -> None:
    for trial in range(first_search.TRIALS):
        drawn = first_search.draw_settings(method, trial)
        assert drawn.keys() == method.space.keys() | method.fixed.keys()
        for name, (low, high, _) in method.space.items():
            assert low * 0.99 <= drawn[name] <= high * 1.01


def test_best_trial_wins_on_validation_and_unknown_sizes_take_the_nearest() -> None:
    best = methods.best_trial("mnist", 2, "kd")
    trials = [t for t in read_search(NOTEBOOK)["trials"] if t["method"] == "kd" and t["degree"] == 2]
    assert best["validation"] == max(t["validation"] for t in trials if t["data"] == "mnist")
    near = methods.best_trial("mnist-5k", 2, "kd", [11])
    assert near["components"] == 11
    assert near["settings"] == methods.best_trial("mnist", 2, "kd", [10])["settings"]


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


def small_cells() -> dict[str, Cell]:
    """Describe a small run on digits."""
    parameters, digits = smoke(), locate_data("mnist-5k")["mnist-5k"]
    read = {"inputs": methods.scores_cell(parameters, digits, 0)}
    both = {**read, "teacher": methods.teacher_cell(parameters, digits, 0)}
    naive = LinearFit("naive", 4, 0.0, 64)
    size = {"degree": 2, "components": 8}
    kd, ce = (
        methods.student_cell(parameters, digits, name, 0, objective, **size)
        for name, objective in (("kd", KD), ("ce", CE))
    )
    return {
        "kd": kd,
        "ce": ce,
        "led": methods.student_cell(parameters, digits, "kd", 0, KD, **size, start=ce),
        "radial": methods.student_cell(
            parameters, digits, methods.RADIAL, 0, Objective(0.5, 2.0, 1e-3, 1.0), degree=2, components=4
        ),
        "linear": plan.linear_cells(parameters, digits, 2)[0],
        "refits": refits.cell(seed=0, degree=2, repeats=2, students={"kd": KD}, naive=naive, **both),
        "course": adam_course.cell(seed=0, degree=2, components=4, objective=KD, epochs=2, orders=2, **both),
        "hardware": faulty_accuracy.cell(seed=0, **size, weights="weights", solution=kd, **read),
        "scores": read["inputs"],
        "pixels": methods.pixel_cell(parameters, digits, seed=0, objective=CE),
    }


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Return the records of a small run on digits, and those of its repetition, by short name."""
    cells = small_cells()
    runs = []
    for name in "ab":
        store = CellStore(tmp_path_factory.mktemp(name))
        records = run_cells(cells.values(), store, workers=1, progress="none")
        runs.append({short: records[cell.name] for short, cell in cells.items()})
    return runs


def test_cells_repeat_bit_for_bit(ran) -> None:
    first, second = ran
    for name, record in first.items():
        if name != "course":  # which records seconds
            assert record.values == second[name].values
        assert all(np.array_equal(a, second[name].arrays[k]) for k, a in record.arrays.items())


def test_students_are_certified_and_better_than_guessing(ran) -> None:
    for name, functions in (("kd", 45), ("ce", 45), ("pixels", 785)):
        values = ran[0][name].values
        assert values["gradient"] <= 1e-6
        assert values["converged"]
        assert values["functions"] == functions
        assert values["accuracy"] > 60


def test_radial_functions_are_as_many_as_monomials(ran) -> None:
    assert ran[0]["radial"].values["functions"] == 15


def test_a_start_changes_the_path_and_not_the_optimum(ran) -> None:
    led, alone = (ran[0][name] for name in ("led", "kd"))
    assert led.values["loss"] == pytest.approx(alone.values["loss"], rel=1e-6)
    assert np.abs(led.arrays["weights"] - alone.arrays["weights"]).max() < 1e-2


def test_a_residual_teacher_keeps_what_enters_its_last_layer(tmp_path) -> None:
    parameters, digits = smoke(images=500, resnet_epochs=1), locate_data("mnist-5k")["mnist-5k"]
    cell = methods.linear_cell(parameters, digits, 0, 2, [LinearFit("naive", 4, 1e-3, 20)], "resnet18")
    records = run_cells([cell, *cell.needs.values()], CellStore(tmp_path), workers=1, progress="none")
    arrays = records[cell.needs["teacher"].name].arrays
    assert arrays["hidden"].shape == (500, 512)
    logits = arrays["hidden"] @ arrays["weight"].T + arrays["bias"]
    np.testing.assert_allclose(logits, arrays["logits"], atol=1e-3 * np.abs(logits).max())
    assert records[cell.name].values["fits"][0]["rank"] == 20


def test_outputs_of_a_residual_teacher_are_normalised_by_the_images_that_are_predicted_together() -> None:
    torch.manual_seed(0)
    model, images = build_teacher("resnet18"), torch.rand(12, 1, 28, 28)
    with torch.no_grad():
        expected = torch.cat([model(part) for part in images.split(8)])  # in training mode
    forget_running_means(model)
    assert torch.equal(predict(model, images, chunk=8), expected)
    assert not torch.allclose(predict(model, images), expected, atol=1e-3)


def test_edmd_with_all_components_is_least_squares_to_the_logits(ran) -> None:
    values = ran[0]["linear"].values
    fits = {fit["method"]: fit for fit in values["fits"]}
    naive, logits = fits["naive"], fits["ls_logits"]
    if naive["rank"] == 64 and naive["ridge"] == logits["ridge"]:
        assert naive["accuracy"] == logits["accuracy"]
    assert {row["components"] for row in values["conditions"]} == {8}
    assert all(row["common"] >= 1 for row in values["conditions"])


def test_many_bits_and_little_noise_cost_little(ran) -> None:
    values, accuracy = ran[0]["hardware"].values, ran[0]["kd"].values["accuracy"]
    assert abs(values["bits"]["8"] - accuracy) < 2
    assert abs(values["noise"]["0.01"] - accuracy) < 2
    assert values["noise"]["0.3"] < accuracy


def test_adam_stays_above_the_minimum(ran) -> None:
    values = ran[0]["course"].values
    assert all(loss >= values["optimum"] - values["optimum_gap"] for run in values["losses"] for loss in run)


def test_parts_of_the_data_do_not_overlap(ran) -> None:
    record = ran[0]["scores"]
    rows, held_out = (set(record.arrays[name].tolist()) for name in ("rows", "held_out"))
    assert not rows & held_out
    assert len(rows | held_out) == 1500
    inputs = read_inputs(record, 3)
    assert inputs.train.scores.shape == (1250, 3)
    assert inputs.train.scores[:, 0].std().item() == pytest.approx(1, rel=1e-2)


LABELS1 = {
    f"koopman.mnist.labels1.{arm}.accuracy": Metric(seeds=[0, 1], values=values, cells=["a", "b"])
    for arm, values in {"kd": [90.5, 91.5], "ce": [89.5, 90.5]}.items()
}


def test_both_arms_of_a_contest_get_as_many_trials_and_the_best_of_them_is_judged(monkeypatch) -> None:
    def run(cells: list[Cell]) -> list[Record]:
        # the score is highest at a ridge of 1e-3, for a ResNet-18 and a mixing weight near one half
        return [Record("", cell.name, {"validation": score(cell)}, {}, {}) for cell in cells]

    def score(cell: Cell) -> float:
        objective = cell.arguments["objective"]
        away = abs(np.log10(objective["ridge"]) + 3) + abs(objective["alpha"] - 0.5)
        return 90 - away + ("ResNet" in cell.labels["network"]) + cell.arguments["seed"] % 2

    content = teachers.conduct(DATA, run)
    counts = pd.DataFrame(content["trials"]).groupby(["contest", "method"]).size()
    assert set(counts) == {content["budget"]["trials"]}
    monkeypatch.setattr(teachers, "searched_trials", lambda *_: content["trials"])
    best = {method: teachers.chosen("labels1", method) for method in teachers.SPACES}
    assert best["kd"]["teacher"] == "ResNet-18"
    for trial in best.values():
        assert 3e-4 < trial["settings"]["ridge"] < 3e-3
    monkeypatch.setattr(teachers, "recorded_metrics", {"04_labels1": LABELS1, "04_fashion": {}}.get)
    listed = teachers.best_trials().set_index(["contest", "teacher"])
    assert listed.groupby("contest")["trials"].sum().to_dict() == {"fashion": 128, "labels1": 128}
    tested = listed["mean"].dropna().to_dict()
    assert tested == {("labels1", "ResNet-18"): 91.0, ("labels1", "none"): 90.0}
    assert listed.loc[("labels1", "none"), "validation"] == np.mean(best["ce"]["validation"])
    parameters = {"degree": 2, "components": 40, "labels": 0.01, "search": "04_teachers"}
    arms = teachers.contest_arms("labels1", parameters, 7, "0" * 64)
    kd, ce = (arms[f"koopman.mnist.labels1.{method}.accuracy"].cells[0] for method in ("kd", "ce"))
    assert kd.needs["inputs"] == ce.needs["inputs"]
    assert kd.arguments["labelled"] == ce.arguments["labelled"] == 500
    assert kd.needs["teacher"].arguments["labelled"] == 500
    with pytest.raises(ValueError, match=r"labels = 1; allowed: 0\.01"):
        teachers.contest_arms("labels1", parameters | {"labels": 1}, 7, "0" * 64)


def test_few_labels_are_read_where_they_may_be_and_the_teacher_stands_in_elsewhere() -> None:
    generator = torch.Generator().manual_seed(0)
    scores, labels = torch.randn(60, 3, generator=generator), torch.arange(60) % 10
    part = Part(scores, labels)
    parts = Inputs(part, part, part, torch.arange(60).flip(0))
    logits = torch.randn(60, 10, generator=generator)
    taught = Record("", "", {}, {"logits": logits.numpy()}, {})
    places = labelled_places(60, 20, seed=0)
    problem = pose_problem(Monomials(3, 2), parts, KD, taught, places)
    others = sorted(set(range(60)) - set(places.tolist()))
    assert len(others) == 40
    assert torch.equal(problem.labels[:, places].argmax(0), labels[places])
    assert torch.equal(problem.labels[:, places].max(0).values, torch.ones(20))
    torch.testing.assert_close(problem.labels[:, others].T, logits.flip(0)[others].softmax(1))
    own = parts.restrict(places)
    assert torch.equal(own.train.labels, labels[places])
    assert torch.equal(own.rows, 59 - places)


def test_dictionaries_get_as_many_trials_and_are_fitted_to_their_optimum(monkeypatch, tmp_path) -> None:
    def run(cells: list[Cell]) -> list[Record]:
        return [Record("", cell.name, {"validation": 1.0}, {}, {"seconds": 1.0}) for cell in cells]

    data = {name: DATA[name] for name in ("mnist", "fashion-mnist")}
    content = dictionaries.conduct(data, run)
    counts = pd.DataFrame(content["trials"]).groupby(["data", "method"]).size()
    assert set(counts) == {dictionaries.TRIALS}
    assert len(counts) == 2 * len(dictionaries.ENTRANTS)
    monkeypatch.setattr(dictionaries, "searched_trials", lambda *_: content["trials"])
    parameters = {"data": "mnist", "functions": 231, "search": "04_dictionaries"}
    arms = dictionaries.arms("mnist", parameters, 3, "0" * 64)
    assert len(arms) == len(dictionaries.ENTRANTS)
    assert len({arm.cells[0].needs["inputs"].name for arm in arms.values()}) == 1
    with pytest.raises(ValueError, match="allowed: mnist, 231 functions, 04_dictionaries"):
        dictionaries.arms("mnist", parameters | {"functions": 10}, 3, "0" * 64)


@pytest.mark.parametrize("name", ["degree_3", "gaussians", "intensity", "absorber", "relu"])
def test_each_dictionary_learns_digits(ran, name: str) -> None:
    scores = ran[0]["scores"]
    arrays = {**scores.arrays, "scores": np.pad(scores.arrays["scores"], ((0, 0), (0, 12)))}
    arrays["test_scores"] = np.pad(scores.arrays["test_scores"], ((0, 0), (0, 12)))
    inputs = Record("", "scores", scores.values, arrays, {})
    result = dictionaries.dictionary_student(0, name=name, ridge=1e-4, scale=1.0, inputs=inputs)
    assert result.values["functions"] in (220, 231)
    assert result.values["converged"]
    assert result.values["accuracy"] > 60
