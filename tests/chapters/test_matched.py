"""Colour students at matched settings: one point for all arms, choices from trials, fair arms."""

import pytest

from ntkd_lib.chapters.classification.studies import matched
from ntkd_lib.lab import trials as lab_trials
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.evidence import Metric
from ntkd_lib.lab.protocols import ProtocolError
from ntkd_lib.lab.trials import trial_name, trials

SHA = "0" * 64
POINT = {"lr": 0.0028, "weight_decay": 0.45}
BEST = {"matched-labels": POINT, "matched-kernels": {"form": "cosine", "weight": 0.3}}
BEST |= {"matched-soft-labels": {"temperature": 3.0, "weight": 0.9}}
BEST |= {"matched-kernels-draws": {"kernel_batch": 64, "colour_kernel_images": 20000}}
OF_THE_LOSS = ("objective", "settings", "soft_labels")


def parameters(name: str) -> dict:
    return load_claims().protocols[name].parameters


def validation(protocol: str, settings: dict) -> float:
    """Make up a score: the last of the best trials is the best of all."""
    return 71.0 + list(BEST).index(protocol) if settings == BEST.get(protocol) else 70.0


@pytest.fixture
def recorded(monkeypatch) -> None:
    """Record made-up scores of all trials of every protocol."""

    def metrics(file: str) -> dict[str, Metric]:
        protocol = file.removeprefix("01_")
        tried = [
            (trial_name(f"{matched.SPACE}.{arm}", own), validation(protocol, own))
            for arm, axes in parameters(protocol)["trials"].items()
            for own in trials(axes)
        ]
        return {name: Metric(seeds=[1000, 1001], values=2 * [score]) for name, score in tried}

    monkeypatch.setattr(lab_trials, "recorded_metrics", metrics)


def cells(name: str, seed: int = 1000) -> dict:
    arms = matched.confirmed_arms if name == "matched-colours" else matched.tuning_arms
    return {key: arm.cells[0] for key, arm in arms(parameters(name), seed, SHA).items()}


def without(cell, *names: str) -> dict:
    return {key: value for key, value in cell.arguments.items() if key not in names}


@pytest.mark.usefixtures("recorded")
def test_soft_labels_have_as_many_trials_as_kernels() -> None:
    kernels = {key for name in BEST if "kernels" in name for key in cells(name)}
    kernels |= {key for part in ("fading", "often") for key in cells(f"matched-kernels-{part}")}
    repeated = 1  # one of the draws is the best of the first fifteen again
    assert len(kernels) - repeated == len(cells("matched-soft-labels")) == 20


@pytest.mark.usefixtures("recorded")
@pytest.mark.parametrize("name", ["matched-soft-labels", "matched-kernels"])
def test_all_trials_train_at_the_point_of_the_labels_arm(name: str) -> None:
    for cell in cells(name).values():
        schedule = cell.arguments["schedule"]
        assert {key: schedule[key] for key in POINT} == POINT
        assert schedule["epochs"] == 36
        assert not cell.arguments["tested"]


@pytest.mark.usefixtures("recorded")
def test_later_trials_change_one_thing_of_the_best_kernel() -> None:
    best = cells("matched-kernels")[trial_name(f"{matched.SPACE}.ntkd", BEST["matched-kernels"])]
    (fading,), (often,) = (cells(f"matched-kernels-{part}").values() for part in ("fading", "often"))
    kept, every = dict(fading.arguments["settings"]), dict(often.arguments["settings"])
    assert kept.pop("kernel_steps") == 6318
    assert every.pop("kernel_every") == 1
    assert kept == best.arguments["settings"]
    assert every == {k: v for k, v in kept.items() if k != "kernel_every"}
    draws = cells("matched-kernels-draws")
    same = draws[trial_name(f"{matched.SPACE}.ntkd", {"kernel_batch": 32, "colour_kernel_images": 2000})]
    assert same.arguments == best.arguments
    more = draws[trial_name(f"{matched.SPACE}.ntkd", BEST["matched-kernels-draws"])]
    assert more.arguments["settings"]["kernel_batch"] == 64
    assert more.needs["tangent"].arguments["kernel_images"] == 20000


@pytest.mark.usefixtures("recorded")
def test_confirmed_arms_of_a_seed_differ_in_loss_and_teacher_alone() -> None:
    arms = {name.split(".")[-2]: cell for name, cell in cells("matched-colours", 10).items()}
    assert list(arms) == ["none", "kd", "ntkd", "ntkd_wide_teacher", "ntkd_kd"]
    assert all(without(cell, *OF_THE_LOSS) == without(arms["none"], *OF_THE_LOSS) for cell in arms.values())
    assert all(cell.arguments["tested"] for cell in arms.values())
    assert arms["none"].arguments["objective"] == "labels"
    ntkd, both = (arms[name].arguments for name in ("ntkd", "ntkd_kd"))
    assert (ntkd["objective"], both["objective"]) == ("tangent_cosine", "tangent_soft_cosine")
    assert ntkd["settings"]["kernel_clip"] == 1.0
    assert both["settings"] == {**ntkd["settings"], "temperature": 3.0, "soft_weight": 0.9}
    assert arms["kd"].arguments["settings"] == {"temperature": 3.0, "weight": 0.9}


@pytest.mark.usefixtures("recorded")
def test_the_wide_teacher_changes_the_teacher_alone() -> None:
    ntkd, wide = (
        cells("matched-colours", 10)[f"ntkd.cifar10.matched.{a}.accuracy"] for a in ("ntkd", matched.WIDE)
    )
    assert ntkd.arguments == wide.arguments
    networks = [cell.needs["tangent"].arguments["network"] for cell in (ntkd, wide)]
    assert networks == ["compact", "wide"]


def test_no_kernel_is_tried_before_the_labels_arm_has_chosen(monkeypatch) -> None:
    monkeypatch.setattr(lab_trials, "recorded_metrics", lambda file: {})
    with pytest.raises(ProtocolError, match="matched-labels: 0 of 12 trials of the arm 'none' are recorded"):
        cells("matched-kernels")
