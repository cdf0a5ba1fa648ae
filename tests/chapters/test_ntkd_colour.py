"""The colour images of notebook 01: who hears whom, equal budgets, and one run end to end on a stand-in."""

import json

import numpy as np
import pytest
import torch

from ntkd_lib.chapters.ntkd_classification.parameters import ClassificationParameters
from ntkd_lib.chapters.ntkd_classification.plan import plan
from ntkd_lib.chapters.ntkd_colour import methods, search, settings
from ntkd_lib.chapters.ntkd_colour.plan import colour_plan, students_of
from ntkd_lib.chapters.ntkd_colour.teacher import restore_teacher
from ntkd_lib.data.registry import forget
from ntkd_lib.distill.training import predict
from ntkd_lib.lab.cells import Cell
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.parameters import load_parameters
from ntkd_lib.lab.store import CellStore
from ntkd_lib.ntk.empirical import empirical_ntk

TINY = {
    "colour_images": 300,
    "colour_epochs": 1,
    "colour_single_epochs": 1,
    "colour_teacher_epochs": 1,
    "colour_kernel_images": 40,
    "sketch": 512,
    "kernel_batch": 8,
}


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """Use drawn textures, whatever this machine has."""
    monkeypatch.delenv("NTKD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    forget()
    yield
    forget()


def asked(**changes: object) -> ClassificationParameters:
    return ClassificationParameters(tier="smoke", **(TINY | {"data": "mnist-5k"} | changes))


def planned(**changes: object) -> dict[str, Cell]:
    return {cell.name.removeprefix("cifar-10/"): cell for cell in colour_plan(asked(**changes))}


def test_all_students_train_alike() -> None:
    cells = planned(colour_students="all")
    kept = [
        {k: v for k, v in cells[f"{name}/seed=0"].arguments.items() if k not in ("objective", "settings")}
        for name in ("none", "kd", "ntkd", "ntkd_kd")
    ]
    assert all(arguments == kept[0] for arguments in kept)


def test_soft_labels_come_from_the_teacher_and_kernels_from_its_sketch() -> None:
    cells = planned(colour_students="all")
    assert set(cells["kd/seed=0"].needs) == {"tangent", "soft_labels"}
    assert set(cells["ntkd_kd/seed=0"].needs) == {"tangent", "soft_labels"}
    assert set(cells["none/seed=0"].needs) == {"tangent"}  # watched, not heard
    assert cells["none/seed=0"].arguments["objective"] == "labels"
    assert cells["f8/seed=0"].needs == {}


def test_paper_tier_has_both_teachers_and_every_control() -> None:
    paper = load_parameters(ClassificationParameters, "01_ntkd_classification", "paper", {})
    names = {method.name for method in students_of(paper)}
    assert names == {*methods.METHODS, "ntkd_strong_teacher"}
    cells = {cell.name: cell for cell in colour_plan(paper)}
    strong = cells["cifar-10/ntkd_strong_teacher/seed=0"]
    assert strong.needs["tangent"].arguments["network"] == "resnet18"
    taught = {name: cells[f"cifar-10/teacher/{name}"].arguments["epochs"] for name in ("alexnet", "resnet18")}
    assert taught == {"alexnet": paper.colour_teacher_epochs, "resnet18": 2 * paper.colour_teacher_epochs}
    assert cells["cifar-10/kd/seed=0"].needs["soft_labels"].arguments["network"] == "alexnet"
    assert cells["cifar-10/kd/labels=0.01/seed=4"].arguments["label_share"] == 0.01


def test_whole_plan_has_each_name_once() -> None:
    names = [cell.name for cell in plan(asked())]
    assert len(names) == len(set(names))


def test_every_method_has_as_many_trials_as_the_budget_says() -> None:
    for method in search.tuned_methods():
        own = [trial for trial in settings.trials() if trial["method"] == method.name]
        assert [trial["settings"] for trial in own] == [
            search.draw_settings(method, number) for number in range(search.TRIALS)
        ]


def test_best_trial_wins(monkeypatch) -> None:
    def trial(method: str, lr: float, value: float) -> dict[str, object]:
        own = {"lr": lr, "weight_decay": lr / 10, "weight": 7 * lr}
        return {"method": method, "settings": own, "validation": [value]}

    found = [trial("none", 1.0, 73.0), trial("ntkd", 2.0, 72.0), trial("ntkd", 3.0, 71.0)]
    monkeypatch.setattr(settings, "trials", lambda: found)
    assert settings.chosen_settings("ntkd") == {"lr": 1.0, "weight_decay": 0.1, "weight": 14.0}


def test_trials_of_one_number_share_learning_rate_and_weight_decay() -> None:
    for trial in range(search.TRIALS):
        pairs = {
            (drawn["lr"], drawn["weight_decay"])
            for name in ("none", "kd", "ntkd", "ntkd_kd")
            for drawn in [search.draw_settings(methods.METHODS[name], trial)]
        }
        assert len(pairs) == 1


def test_every_tuned_student_gets_the_same_number_of_trials() -> None:
    from ntkd_lib.chapters.ntkd_colour.cells import ColourMaker

    cells = search.search_cells(ColourMaker(asked(), "0" * 64))
    assert {m: sum(name == m for name, _ in cells) for m in {n for n, _ in cells}} == dict.fromkeys(
        (method.name for method in search.tuned_methods()), search.TRIALS
    )
    drawn = cells["kd", 2][0].arguments["settings"]
    assert drawn == search.draw_settings(methods.METHODS["kd"], 2)
    assert "accuracy" not in json.dumps(drawn)


def test_cells_run_end_to_end(tmp_path) -> None:
    cells = colour_plan(asked())
    store = CellStore(tmp_path / "cells")
    records = run_cells(cells, store, workers=1, progress="none")
    teacher = records["cifar-10/teacher/compact"]
    kd = records["cifar-10/kd/seed=0"]
    assert kd.values["parameters"] == 1_551_482
    assert len(kd.values["alignment"]) == len(kd.values["curve"]) == 1
    assert kd.arrays["guesses"].shape == (60,)
    plane = records["cifar-10/embedding/seed=0"].arrays
    assert all(plane[name].shape == (60, 2) for name in ("none", "kd", "ntkd"))
    heard = list(next(c for c in cells if c.name == "cifar-10/kd/seed=0").needs.values())
    again = run_cells(heard, store, workers=1, progress="none")
    assert_sketch(again["cifar-10/tangent/compact"], teacher)
    assert_soft_labels(again["cifar-10/soft_labels/compact"].arrays["logits"], teacher)


def assert_soft_labels(logits, teacher) -> None:
    """Hold the logits of images and mirror images against those of the restored teacher."""
    from ntkd_lib.data.load import load

    model = restore_teacher(teacher, "compact", "cpu")
    images = load("cifar-10", "train").images[:300].float() / 255
    assert logits.shape == (600, 10)
    exact = torch.cat([predict(model, images), predict(model, images.flip(3))]).numpy()
    error = np.linalg.norm(logits - exact)
    assert error < 0.05 * np.linalg.norm(exact)  # bfloat16
    assert error < np.linalg.norm(logits - np.roll(exact, 300, 0)) / 5


def assert_sketch(tangent, teacher) -> None:
    """Hold the sketched kernel of some images against the exact one."""
    from ntkd_lib.data.load import load

    model = restore_teacher(teacher, "compact", "cpu")
    images = load("cifar-10", "train").images[torch.tensor(tangent.arrays["rows"][:12])].float() / 255
    exact = empirical_ntk(model, images, kind="trace").detach().numpy()
    features = tangent.arrays["features"][:12].astype(np.float32)
    rebuilt = tangent.values["mean_diagonal"] * features @ features.T
    cosine = (exact * rebuilt).sum() / np.linalg.norm(exact) / np.linalg.norm(rebuilt)
    assert cosine > 0.98
    assert tangent.values["cosine"] > 0.98
    assert np.linalg.norm(rebuilt - exact) < 0.25 * np.linalg.norm(exact)
