"""The colour images of notebook 01: who is trained with what, equal budgets, and one run on a stand-in."""

import numpy as np
import pytest
import torch

from ntkd_lib.chapters.classification import methods
from ntkd_lib.chapters.classification.methods import COLOURS, colour_student
from ntkd_lib.chapters.classification.parameters import ClassificationParameters
from ntkd_lib.chapters.classification.plan import colour_cells
from ntkd_lib.chapters.optical_students import classification_teachers as teachers
from ntkd_lib.chapters.run import locate_data, with_needs
from ntkd_lib.data.load import load
from ntkd_lib.distill.training import predict
from ntkd_lib.lab.cells import Cell, Record
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.parameters import load_parameters
from ntkd_lib.lab.store import CellStore
from ntkd_lib.lab.work import Data
from ntkd_lib.nets.colour_teachers import NETS, WHITENED, colour_teacher
from ntkd_lib.nets.compact_resnet import whiten_first
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


pytestmark = pytest.mark.usefixtures("stand_in")


def small(**changes: object) -> ClassificationParameters:
    return ClassificationParameters(tier="smoke", **(TINY | {"data": "mnist-5k"} | changes))


def images() -> Data:
    return locate_data("cifar-10")["cifar-10"]


def cell(name: str) -> Cell:
    return colour_student(small(), images(), COLOURS.methods[name], 0)


def test_all_students_train_alike() -> None:
    names = ("none", "kd", "ntkd", "ntkd_kd")
    differ = ("objective", "settings", "soft_labels")
    parts = [{k: v for k, v in cell(name).arguments.items() if k not in differ} for name in names]
    assert all(arguments == parts[0] for arguments in parts)


def test_soft_labels_come_from_the_teacher_and_kernels_from_its_sketch() -> None:
    assert set(cell("kd").needs) == set(cell("ntkd_kd").needs) == {"tangent", "soft_labels"}
    assert set(cell("none").needs) == {"tangent"}  # followed, not trained on
    assert cell("none").arguments["objective"] == "labels"
    assert cell("f8").needs == {}


def test_paper_tier_has_both_teachers_and_every_control() -> None:
    paper = load_parameters(ClassificationParameters, "01_ntkd_classification", "paper", {})
    names = {method.name for method in methods.colour_methods(paper)}
    assert names == {*COLOURS.methods, "ntkd_strong_teacher"}
    cells = {
        (c.labels["method"], c.labels["label_share"], c.labels["seed"]): c
        for c in colour_cells(paper, images())
        if c.labels.get("question") == "main"
    }
    strong = cells["ntkd_strong_teacher", 1, 0].needs["tangent"]
    assert strong.arguments["network"] == "resnet18"
    weak = cells["kd", 1, 0].needs["tangent"]
    epochs = [kernel.needs["teacher"].arguments["schedule"]["epochs"] for kernel in (weak, strong)]
    assert epochs == [paper.colour_teacher_epochs, 2 * paper.colour_teacher_epochs]
    assert cells["kd", 1, 0].needs["soft_labels"].arguments["network"] == "alexnet"
    assert cells["kd", 0.01, 4].arguments["label_share"] == 0.01


def test_recorded_trials_are_those_that_the_sequence_draws() -> None:
    for method in COLOURS.methods.values():
        if method.space is not None:
            own = [trial["settings"] for trial in COLOURS.trials() if trial["method"] == method.name]
            assert own == [methods.draw_colours(method, n) for n in range(methods.TRIALS["colours"])]


def test_trials_of_one_number_share_learning_rate_and_weight_decay() -> None:
    for trial in range(methods.TRIALS["colours"]):
        pairs = {
            (drawn["lr"], drawn["weight_decay"])
            for name in ("none", "kd", "ntkd", "ntkd_kd")
            for drawn in [methods.draw_colours(COLOURS.methods[name], trial)]
        }
        assert len(pairs) == 1


def test_every_teacher_can_be_trained_and_sketched() -> None:
    for table in (methods.RECIPES, teachers.EXACT, {**teachers.SECONDS}):
        assert table.keys() - {"lenet"} == NETS.keys()


@pytest.mark.parametrize("name", WHITENED)
def test_training_starts_at_whitened_patches(name) -> None:
    sample = torch.rand(50, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    started = teachers._initialise_teacher(name, sample)
    torch.manual_seed(0)
    plain = colour_teacher(name)
    whiten_first(plain[1], plain[0](sample))
    torch.testing.assert_close(started[1][0].weight, plain[1][0].weight)


def test_cells_run_end_to_end(tmp_path) -> None:
    cells = with_needs(colour_cells(small(), images()))
    records = run_cells(cells, CellStore(tmp_path / "cells"), workers=1, progress="none")
    kd = records[cell("kd").name]
    assert kd.values["parameters"] == 1_551_482
    assert len(kd.values["alignment"]) == len(kd.values["curve"]) == 1
    assert kd.arrays["guesses"].shape == (60,)
    plane = next(r for name, r in records.items() if name.startswith("embedding/")).arrays
    assert all(plane[name].shape == (60, 2) for name in ("none", "kd", "ntkd"))
    needs = cell("kd").needs
    teacher = records[needs["tangent"].needs["teacher"].name]
    assert_sketch(records[needs["tangent"].name], teacher)
    assert_soft_labels(records[needs["soft_labels"].name].arrays["logits"], teacher)


def assert_soft_labels(logits, teacher: Record) -> None:
    """Hold the logits of images and mirror images against those of the restored teacher."""
    model = teachers.restore_teacher(teacher, "compact")
    sample = load("cifar-10", "train").images[:300].float() / 255
    assert logits.shape == (600, 10)
    exact = torch.cat([predict(model, sample), predict(model, sample.flip(3))]).numpy()
    error = np.linalg.norm(logits - exact)
    assert error < 0.05 * np.linalg.norm(exact)  # bfloat16
    assert error < np.linalg.norm(logits - np.roll(exact, 300, 0)) / 5


def assert_sketch(tangent: Record, teacher: Record) -> None:
    """Hold the sketched kernel of some images against the exact one."""
    model = teachers.restore_teacher(teacher, "compact")
    sample = load("cifar-10", "train").images[torch.tensor(tangent.arrays["rows"][:12])].float() / 255
    exact = empirical_ntk(model, sample, kind="trace").detach().numpy()
    features = tangent.arrays["features"][:12].astype(np.float32)
    rebuilt = tangent.values["mean_diagonal"] * features @ features.T
    cosine = (exact * rebuilt).sum() / np.linalg.norm(exact) / np.linalg.norm(rebuilt)
    assert cosine > 0.98
    assert tangent.values["cosine"] > 0.98
    assert np.linalg.norm(rebuilt - exact) < 0.25 * np.linalg.norm(exact)
