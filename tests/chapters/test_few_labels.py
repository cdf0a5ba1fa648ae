"""Few labels at matched settings: choices from recorded trials, arms that differ in one thing, sources."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from ntkd_lib.chapters.classification.studies import few_labels, phase_page
from ntkd_lib.chapters.classification.studies.few_labels import ARMS, SPACE
from ntkd_lib.chapters.optical_students import kernel_sources as sources
from ntkd_lib.chapters.optical_students.classification_setting import digit_partition, prepare
from ntkd_lib.chapters.run import locate_data
from ntkd_lib.distill.training import WITHHELD, withhold
from ntkd_lib.lab import trials as lab_trials
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.evidence import Metric
from ntkd_lib.lab.protocols import ProtocolError
from ntkd_lib.lab.trials import choose, trial_name, trials
from ntkd_lib.lab.work import Data
from ntkd_lib.show import contest
from ntkd_lib.show.columns import show_table
from ntkd_lib.show.contest import Contest

POINTS = "labels1-tuning-labels"
SEED, SHARE = 3, 0.1


@pytest.fixture(scope="module")
def digits() -> Data:
    return locate_data("mnist-5k")["mnist-5k"]


@pytest.fixture(scope="module")
def tangent(digits) -> Record:
    """Build a kernel of 300 training images, as a teacher's compressed one is kept."""
    rows = prepare(digits, digit_partition(SEED), SEED).rows[:300]
    features = np.random.default_rng(0).normal(size=(300, 20)).astype(np.float32)
    arrays = {"rows": rows.numpy(), "features": features, "diagonal": (features**2).sum(1)}
    return Record("a" * 64, "kernel", {}, arrays, {})


def recorded(values) -> dict[str, Metric]:
    points = trials(load_claims().protocols[POINTS].parameters["trials"]["none"])
    return {
        trial_name(f"{SPACE}.none", p): Metric(seeds=[1000, 1001], values=v)
        for p, v in zip(points, values, strict=True)
    }


def test_the_best_mean_over_tuning_seeds_is_chosen_and_the_first_of_equals(monkeypatch) -> None:
    values = [[80.0, 80.0]] * 27
    values[5], values[11], values[20] = [90.0, 70.0], [79.0, 85.0], [85.0, 79.0]
    monkeypatch.setattr(lab_trials, "recorded_metrics", lambda file: recorded(values))
    assert choose([POINTS], SPACE, "none") == {"epochs": 2, "lr": 0.003, "weight_decay": 1.0}


def test_no_choice_is_made_before_all_trials_are_recorded(monkeypatch) -> None:
    metrics = recorded([[80.0, 80.0]] * 27)
    del metrics[next(iter(metrics))]
    monkeypatch.setattr(lab_trials, "recorded_metrics", lambda file: metrics)
    with pytest.raises(
        ProtocolError, match=f"{POINTS}: 26 of 27 trials of the arm 'none' are recorded; all are needed"
    ):
        choose([POINTS], SPACE, "none")


@pytest.fixture
def confirmed(monkeypatch) -> None:
    """Record made-up trials and eight fresh seeds, in which NTKD is one point above labels alone."""
    ladder = np.arange(8.0)
    tests = {"none": 90 + ladder, "ntkd": 91 + ladder + 0.1 * (ladder % 2), "trace_only": 90 + ladder**2 / 50}

    def metrics(file: str) -> dict[str, Metric]:
        entry = load_claims().protocols[file.removeprefix("01_")]
        if "other" in file or "both" in file:
            return {}
        names = [
            trial_name(f"{SPACE}.{arm}", s)
            for arm, axes in entry.parameters.get("trials", {}).items()
            for s in trials(axes)
        ]
        tried = {n: Metric(seeds=[1000, 1001], values=[80.0, 81.0 + i / 10]) for i, n in enumerate(names)}
        fresh = {
            few_labels.METRIC.format(a): Metric(seeds=list(range(10, 18)), values=list(v))
            for a, v in tests.items()
        }
        return tried or fresh

    monkeypatch.setattr(lab_trials, "recorded_metrics", metrics)
    monkeypatch.setattr(contest, "recorded_metrics", metrics)


@pytest.mark.usefixtures("confirmed")
def test_every_trial_and_every_arm_is_listed() -> None:
    table = few_labels.LENGTHS[4].trials()
    counts = table["label"].value_counts()
    assert counts["NTKD"] == counts["NTKD, untrained teacher"] == counts["trace only"] == 18
    assert counts["labels only"] == 35
    assert (table[table["chosen"]].groupby("label").size() == 1).all()
    scores = few_labels.LENGTHS[4].scores().set_index("label")
    assert list(scores["trials"]) == [35, 18, 18]
    assert scores["gap"]["NTKD"] == pytest.approx(1.05)
    assert np.isnan(scores["gap"]["labels only"])
    text = str(show_table(few_labels.every_length(Contest.scores), few_labels.SCORES, "arms"))
    assert "+1.05" in text


@pytest.mark.usefixtures("confirmed")
def test_gaps_have_intervals_that_hold_at_once_and_holms_p() -> None:
    gaps = few_labels.LENGTHS[4].gaps([("ntkd", "none"), ("ntkd", "trace_only"), ("ntkd", "kd")])
    assert list(gaps["label"]) == ["NTKD − labels only", "NTKD − trace only"]
    assert (gaps["low"] < gaps["mean"]).all()
    assert gaps["p"][0] < 1e-6


@pytest.mark.parametrize("arms", [few_labels.tuning_arms, few_labels.confirmed_arms])
def test_no_arm_is_described_before_its_settings_are_recorded(monkeypatch, arms) -> None:
    monkeypatch.setattr(lab_trials, "recorded_metrics", lambda file: {})
    parameters = {"data": "mnist", "labels": 0.01, "run": {}, "point": [POINTS], "point_of": "none"}
    with pytest.raises(ProtocolError, match=f"{POINTS}: 0 of 27 trials of the arm 'none' are recorded"):
        arms(parameters, 0, "0" * 64)


def test_the_kernel_of_labels_is_one_between_images_of_a_class(digits, tangent) -> None:
    made = sources.label_kernel(digits, SEED, digit_partition(SEED), tangent=tangent)
    labels = prepare(digits, digit_partition(SEED), SEED).train.labels[tangent.arrays["rows"]].numpy()
    features = made.arrays["features"]
    np.testing.assert_array_equal(features @ features.T, labels[:, None] == labels)
    np.testing.assert_array_equal(made.arrays["diagonal"], 1)


def test_exchanged_classes_give_an_image_the_features_of_the_next_class(digits, tangent) -> None:
    made = sources.permuted_kernel(digits, SEED, digit_partition(SEED), tangent=tangent)
    labels = prepare(digits, digit_partition(SEED), SEED).train.labels[tangent.arrays["rows"]].numpy()
    places = [
        np.flatnonzero((tangent.arrays["features"] == row).all(1))[0] for row in made.arrays["features"]
    ]
    np.testing.assert_array_equal(labels[places], (labels + 1) % 10)
    assert max(np.bincount(places)) <= -(-max(np.bincount(labels)) // min(np.bincount(labels)))


def test_pseudo_labels_are_kernel_regression_on_the_known_labels_alone(digits, tangent) -> None:
    split, ridge = digit_partition(SEED), 0.01
    made = sources.kernel_regression(digits, SEED, split, label_share=SHARE, ridge=ridge, tangent=tangent)
    setting = prepare(digits, split, SEED)
    labels = withhold(setting.train, setting.rows, SHARE, SEED)[0].labels[tangent.arrays["rows"]]
    fitted = (labels != WITHHELD).numpy()
    features = tangent.arrays["features"].astype(float)
    targets = np.eye(10)[labels.numpy()[fitted]] - 0.1
    gram, size = features @ features[fitted].T, ridge * fitted.sum() * tangent.arrays["diagonal"].mean()
    dual = gram @ np.linalg.solve(gram[fitted] + size * np.eye(fitted.sum()), targets)
    np.testing.assert_allclose(made.arrays["logits"][tangent.arrays["rows"]], 10 * dual, rtol=1e-4, atol=1e-4)
    others = np.setdiff1d(np.arange(len(made.arrays["logits"])), tangent.arrays["rows"])
    assert not made.arrays["logits"][others].any()


def test_arms_of_a_seed_differ_in_loss_and_source_alone() -> None:
    parameters = {"data": "mnist", "evaluations": 8, "kernel_clip": 1.0, "labels": 0.01, "run": {"batch": 64}}
    place = few_labels._place(parameters, 10, "0" * 64)
    point = {"epochs": 2, "lr": 0.01, "weight_decay": 0.1}
    cells = {
        arm: few_labels.few_student(
            parameters, place, arm, point, {"form": "raw", "ridge": 0.1, "weight": 0.1}, tested=True
        )
        for arm in ARMS
    }
    of_the_loss = ("objective", "settings", "soft_labels", "tangent")
    alike = [{k: v for k, v in c.arguments.items() if k not in of_the_loss} for c in cells.values()]
    assert all(each == alike[0] for each in alike)
    counts = {arm: cell.needs["tangent"] for arm, cell in cells.items() if "tangent" in cell.needs}
    kernels = {c.needs.get("tangent", c).arguments["kernel_images"] for c in counts.values()}
    assert len(kernels) == 1
    assert all(cells[arm].arguments["settings"]["kernel_clip"] == 1.0 for arm in counts)


def test_conjugate_students_see_the_teacher_s_last_hidden_layer(digits, tangent) -> None:
    from ntkd_lib.chapters.optical_students.classification_setting import weights_of
    from ntkd_lib.nets.two_convolutions import lenet

    torch.manual_seed(0)
    network = lenet().eval()
    teacher = Record("b" * 64, "teacher", {}, weights_of(network), {})
    split = digit_partition(SEED)
    made = sources.conjugate_kernel(digits, SEED, split, teacher=teacher, tangent=tangent)
    images = prepare(digits, split, SEED).train.images[tangent.arrays["rows"][:5]]
    for p in network[:-1].parameters():
        p.requires_grad_(requires_grad=False)
    from ntkd_lib.ntk.reference import reference_ntk

    trace = reference_ntk(network, images).diagonal(dim1=2, dim2=3).sum(-1)
    features = made.arrays["features"][:5]
    np.testing.assert_allclose(10 * features @ features.T, trace.numpy(), rtol=1e-4)


@pytest.mark.parametrize(("gains", "words"), [((3.0, 1.0, 2.0), "+2.0"), ((0.3, -0.1, 0.1), "(+0.10)")])
def test_the_phase_diagram_has_brackets_where_seeds_differ_in_sign(monkeypatch, gains, words):
    rows = {
        "none": (90.0, 91.0, 92.0),
        "ntkd.form_cosine.weight_1.0": [base + gain for base, gain in zip((90, 91, 92), gains, strict=True)],
        "kd.temperature_3.0.weight_0.9": (90.5, 91.5, 92.5),
    }
    recorded = {
        f"ntkd.mnist.phase.share_0.01.{name}.accuracy": Metric(seeds=[20, 21, 22], values=list(values))
        for name, values in rows.items()
    }
    monkeypatch.setattr(
        phase_page, "recorded_metrics", lambda file: recorded if file[3:] == "phase-mnist" else {}
    )
    table = phase_page.gaps()
    assert set(table["setting"]) == {"centred cosine, weight 1", "soft-label KD"}
    assert set(table["data"]) == {"MNIST"}
    assert list(table[table["setting"] == "soft-label KD"]["gap"]) == [0.5] * 3
    figure = phase_page.draw(table)
    assert [text.get_text() for text in figure.axes[0].texts] == [words, "+0.50"]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["1"]
    plt.close(figure)
