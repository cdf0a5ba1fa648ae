"""Few labels at matched settings: trials on tuning seeds, the choice that code reads off them, and its arms.

All arms of a seed share split, labels, start, order of batches, learning rate, weight decay and length. The
last three are those of the labels arm's best trial. Every other arm then has as many trials of its own as any
other; the best mean validation accuracy over tuning seeds wins, the first of equals. No trial reads a test
image. The chosen arms are trained once more on fresh seeds and tested there.

Rule, written before any fresh seed was trained: *the kernel helps* if its claim's rule holds, and Holm's p of
"NTKD is above" labels alone, an untrained teacher's kernel and the trace is below 0.05 for labels alone; *no
kernel helps* if the upper ends of the max-t intervals of every kernel arm minus labels alone are below +0.3
points; else it is open. It is *the teacher's* kernel, or *more than its size*, by the rules of their claims.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ntkd_lib.chapters.classification import NOTEBOOK
from ntkd_lib.chapters.classification.parameters import ClassificationParameters
from ntkd_lib.chapters.optical_students import classification_cells as digits
from ntkd_lib.chapters.optical_students import kernel_sources as sources
from ntkd_lib.chapters.optical_students.classification import student
from ntkd_lib.chapters.optical_students.classification_setting import Hybrid
from ntkd_lib.distill.training import Schedule
from ntkd_lib.lab import Arm, Cell, Data, Work, load_parameters
from ntkd_lib.lab.trials import choose, trial_arms
from ntkd_lib.show import Column, Contest, contest

Settings = Mapping[str, Any]
SPACE, METRIC = "ntkd.mnist.labels1_tuning", "ntkd.mnist.labels1.{}.accuracy"  # of trials, of an arm
TANGENT, LOGITS = digits.digit_kernel, digits.digit_soft_labels
KERNEL = ("kernel_batch", "kernel_every")
ALL = 60_000  # kernel images; the landmarks are not among them


@dataclass(frozen=True)
class Place:
    """Where a student is trained: registered parameters of the run, data and seed."""

    run: ClassificationParameters
    data: Data
    seed: int
    share: float

    @property
    def common(self) -> dict[str, Any]:
        """Arguments that all cells of a seed share."""
        return digits.digit_common(self.run, self.data, self.seed)

    def need(self, describe: Callable[..., Cell], **more: Any) -> Cell:
        """Describe what a student is trained on, or is made from."""
        return describe(self.run, self.data, self.seed, **more)

    def pseudo_labels(self, ridge: float) -> Cell:
        """Describe a regression of the known labels on the teacher's kernel of all images."""
        run = self.run.model_copy(update={"kernel_images": ALL})
        tangent = digits.digit_kernel(run, self.data, self.seed)
        return self.source(sources.kernel_regression, label_share=self.share, ridge=ridge, tangent=tangent)

    def source(self, kind: Work, **more: Any) -> Cell:
        """Describe what is made of the teacher's kernel, on the same images."""
        shared = {key: value for key, value in self.common.items() if key != "device"}
        return kind.cell(**shared, **{"tangent": self.need(TANGENT), **more})


@dataclass(frozen=True)
class FewArm:
    """One way to train with few labels: its label in tables, and what its student needs."""

    label: str
    objective: str = "labels"  # name in OBJECTIVES, to which a chosen form is added
    needs: Callable[[Place, Settings], dict[str, Cell]] = lambda place, settings: {}  # noqa: ARG005


def _tangent(label: str, **kernel: bool) -> FewArm:
    return FewArm(label, "tangent", lambda place, _: {"tangent": place.need(TANGENT, **kernel)})


def _other(label: str, kind: Work) -> FewArm:
    return FewArm(label, "tangent", lambda place, _: {"tangent": place.source(kind)})


ARMS: Mapping[str, FewArm] = {
    "none": FewArm("labels only"),
    "ntkd": _tangent("NTKD"),
    "weight_zero": _tangent("NTKD, weight 0"),
    "ntkd_untrained_teacher": _tangent("NTKD, untrained teacher", trained=False),
    "trace_only": _tangent("trace only"),
    "kd": FewArm("soft-label KD", "soft_labels", lambda place, _: {"soft_labels": place.need(LOGITS)}),
    "ntkd_kd": FewArm(
        "NTKD + KD",
        "tangent_soft",
        lambda place, _: {"tangent": place.need(TANGENT), "soft_labels": place.need(LOGITS)},
    ),
    "label_kernel": _other("kernel of the true labels", sources.label_kernel),
    "permuted": _other("teacher's kernel, classes exchanged", sources.permuted_kernel),
    "conjugate": FewArm(
        "conjugate kernel",
        "conjugate",
        lambda place, _: {
            "tangent": place.source(sources.conjugate_kernel, teacher=place.need(digits.digit_teacher))
        },
    ),
    "pseudo_labels": FewArm(
        "pseudo-labels by kernel regression",
        "soft_labels",
        lambda place, settings: {"soft_labels": place.pseudo_labels(settings["ridge"])},
    ),
}


def few_student(
    parameters: Settings, place: Place, arm: str, point: Settings, settings: Settings, *, tested: bool
) -> Cell:
    """Describe a student of an arm at the common learning rate, weight decay and length."""
    needs, run = ARMS[arm].needs(place, settings), place.run
    numbers = {name: value for name, value in settings.items() if name not in (*point, "form", "ridge")}
    if "tangent" in needs:
        numbers |= {name: getattr(run, name) for name in KERNEL} | {"kernel_clip": parameters["kernel_clip"]}
    speed = {name: point[name] for name in ("lr", "weight_decay")}
    evaluations = parameters["evaluations"] // point["epochs"]
    schedule = Schedule(point["epochs"], run.batch, **speed, evaluations=evaluations)
    return student.cell(
        {"method": arm, "question": "few labels"},
        **place.common,
        parts=Hybrid(),
        objective="_".join([ARMS[arm].objective, *filter(None, [settings.get("form")])]),
        schedule=schedule,
        settings=numbers,
        label_share=place.share,
        tested=tested,
        **needs,
    )


def _place(parameters: Settings, seed: int, sha256: str, share: float | None = None) -> Place:
    run = load_parameters(ClassificationParameters, NOTEBOOK, "cpu", parameters["run"])
    return Place(run, Data(parameters["data"], sha256), seed, share or parameters["labels"])


def _point(parameters: Settings, space: str = SPACE) -> dict[str, Any]:
    return choose(parameters["point"], space, parameters["point_of"])


def _complete(parameters: Settings, arm: str, own: Settings) -> dict[str, Any]:
    """Add what an arm takes over from another's choice: soft labels under a kernel loss are those of KD."""
    if arm != "ntkd_kd":
        return dict(own)
    soft = choose(parameters["soft"], SPACE, "kd")
    return {"temperature": soft["temperature"], "soft_weight": soft["weight"], **own}


def point_arms(parameters: Settings, seed: int, sha256: str) -> dict[str, Arm]:
    """Train labels alone over learning rates, weight decays and lengths, for each share of labels."""
    shares = {f"{phase_space(parameters)}.share_{share}": share for share in parameters.get("shares", ())}
    arms: dict[str, Arm] = {}
    for space, share in (shares or {SPACE: None}).items():
        train = partial(
            few_student, parameters, _place(parameters, seed, sha256, share), settings={}, tested=False
        )
        arms |= trial_arms(space, parameters["trials"], train)
    return arms


def tuning_arms(parameters: Settings, seed: int, sha256: str) -> dict[str, Arm]:
    """Train the trials of every other arm at the labels arm's point."""
    place, point = _place(parameters, seed, sha256), _point(parameters)
    train = partial(few_student, parameters, place, point=point, tested=False)
    tried = partial(_complete, parameters)
    return trial_arms(SPACE, parameters["trials"], lambda arm, own: train(arm, settings=tried(arm, own)))


def confirmed_arms(parameters: Settings, seed: int, sha256: str) -> dict[str, Arm]:
    """Train and test every arm at its chosen settings; `arms` names the protocols of each arm's trials."""
    place, point = _place(parameters, seed, sha256), _point(parameters)
    chosen = {
        arm: _complete(parameters, arm, choose(protocols, SPACE, arm))
        for arm, protocols in parameters["arms"].items()
    }
    train = partial(few_student, parameters, place, point=point, tested=True)
    return {METRIC.format(arm): Arm((train(arm, settings=own),)) for arm, own in chosen.items()}


def phase_space(parameters: Settings) -> str:
    """Name what the metrics of a phase diagram begin with."""
    return f"ntkd.{parameters['data'].replace('-', '_')}.phase"


def phase_arms(parameters: Settings, seed: int, sha256: str) -> dict[str, Arm]:
    """Train and test every arm at every setting, for each share of labels at its own labels arm's point."""
    arms: dict[str, Arm] = {}
    for share in parameters["shares"]:
        space, place = f"{phase_space(parameters)}.share_{share}", _place(parameters, seed, sha256, share)
        train = partial(few_student, parameters, place, point=_point(parameters, space), tested=True)
        tried = parameters["arms"]
        arms |= trial_arms(space, tried, lambda arm, own, train=train: train(arm, settings=own), "accuracy")
    return arms


LABELS = {name: arm.label for name, arm in ARMS.items()}
LENGTHS = {  # epochs of all students
    epochs: Contest(SPACE, LABELS, protocols, METRIC, base="none")
    for epochs, protocols in (
        (16, ["labels1-longer-matched"]),
        (8, ["labels1-long-matched"]),
        (4, ["labels1-matched", "labels1-others"]),
    )
}
PAIRS = tuple(("ntkd", other) for other in ("none", "ntkd_untrained_teacher", "trace_only"))
EPOCHS = Column("Epochs", "{epochs}")
SCORES = (EPOCHS, *contest.score_columns("Student", "labels only", "%"))
GAPS = (EPOCHS, *contest.GAPS)
TRIALS = (EPOCHS, *contest.trial_columns("Student", "Validation", "%"))
every_length = partial(contest.stack, LENGTHS, "epochs")
