"""Students of colour images, their cells, and the searches for both kinds of images."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

import pandas as pd

from ntkd_lib.chapters.classification import NOTEBOOK
from ntkd_lib.chapters.classification.parameters import ClassificationParameters
from ntkd_lib.chapters.optical_students import classification_teachers as teachers
from ntkd_lib.chapters.optical_students.classification import student
from ntkd_lib.chapters.optical_students.classification_cells import SPEED, digit_student
from ntkd_lib.chapters.optical_students.classification_methods import (
    DIGITS,
    UNTRAINED,
    Comparison,
    Method,
    digit_method,
    draw_settings,
)
from ntkd_lib.chapters.optical_students.classification_setting import Hybrid, Partition
from ntkd_lib.chapters.run import Run
from ntkd_lib.distill.training import Schedule
from ntkd_lib.lab import Cell, Data, Label, derive_seed, load_parameters
from ntkd_lib.lab.search import Range, RunCells, Search, by_name, draw, run_trials, spaces

HIDDEN = (360, 200)
RATES: Mapping[str, Range] = {"lr": (4e-4, 4e-3, "log"), "weight_decay": (1e-2, 1.0, "log")}
SINGLE: Mapping[str, Range] = {"lr": (5e-4, 5e-2, "log"), "weight_decay": (1e-4, 1.0, "log")}
TANGENT: Mapping[str, Range] = {"weight": (1e-3, 1.0, "log")}
TEMPERATURE: Mapping[str, Range] = {"temperature": (1.0, 8.0, "log")}
SOFT: Mapping[str, Range] = {"weight": (0.5, 1.0, "linear"), **TEMPERATURE}
BOTH: Mapping[str, Range] = {"soft_weight": (0.5, 1.0, "linear"), **TEMPERATURE, **TANGENT}
# The best kernel loss on digits: searching all three would give NTKD three times the trials of soft labels.
KERNEL: Mapping[str, Any] = {"objective": "tangent_normalised", "teacher": "trained"}

# Teachers: learning rate, weight decay and batch, which are not tuned, and epochs relative to the others'.
RECIPES: Mapping[teachers.Network, tuple[float, float, int, int]] = {
    "compact": (6e-3, 2e-2, 256, 1),
    "wide": (3e-3, 2e-2, 256, 3),
    "alexnet": (1e-3, 5e-2, 128, 1),
    "resnet18": (2e-3, 5e-2, 128, 2),
}
TEACHER_SEED = 0
SPLIT = {"seed": 0, "validation": 1 / 10}  # one for all: the teacher was trained on the rest
SHIFT = 2
FRONT_RATE = 10  # filters of unit spread are larger than weights of the back end, and learn in larger steps
TRIALS, TUNING_SEEDS = {"digits": 6, "colours": 4}, (1000,)
LENGTHS = {"colour_epochs": 3, "colour_single_epochs": 6}
DIMENSIONS = 5  # of the largest space


_method = partial(Method, hidden=HIDDEN)
_single = partial(Method, space=SINGLE, hidden=(), length="single")
COLOURS = Comparison(
    by_name(
        _method("none", "labels only", RATES),
        _method("kd", "soft-label KD", {**RATES, **SOFT}, objective="soft_labels", teacher="trained"),
        _method("ntkd", "NTKD", {**RATES, **TANGENT}, **KERNEL),
        _method("ntkd_kd", "NTKD + KD", {**RATES, **BOTH}, objective="tangent_soft", teacher="trained"),
        _method("ideal_lens", "ideal lens, NTKD", settings_of="ntkd", optics="lens", **KERNEL),
        _method("random_frozen", "random signed filters", settings_of="none", optics="random"),
        _method("linear", "no ReLU", settings_of="none", rectified="none"),
        _single("f8", "8 random PSFs, one dense layer", optics="random-positive"),
        _single("f8_centred", "8 random PSFs, captures centred", optics="random-centred"),
    ),
    search="01_ntkd_classification_cifar",
    leaders=dict.fromkeys(("kd", "ntkd", "ntkd_kd"), "none"),
)
STRONG_TWIN = _method(
    "ntkd_strong_teacher", "NTKD, stronger teacher", settings_of="ntkd", **{**KERNEL, "teacher": "strong"}
)
CORE = ("none", "kd", "ntkd", "f8")
SHARES, TRANSFERS = (0.01, 0.1), ("none", "kd", "ntkd")  # few labels, and the students that train with them


def colour_common(p: ClassificationParameters, data: Data, seed: int = TEACHER_SEED) -> dict[str, Any]:
    """Collect the common arguments of cells on colour images; all seeds share one split and one teacher."""
    split = Partition(**SPLIT, images=p.colour_images)
    return {"data": data, "seed": seed, "split": split, "device": p.device}


def colour_teacher(p: ClassificationParameters, data: Data, network: teachers.Network) -> Cell:
    """Describe the training of a teacher on shifted and mirrored images in bfloat16."""
    lr, decay, batch, longer = RECIPES[network]
    augmented = {"shift": SHIFT, "mirror": True, "mixed": True, "evaluations": 1}
    schedule = Schedule(p.colour_teacher_epochs * longer, batch, lr=lr, weight_decay=decay, **augmented)
    return teachers.teacher.cell(**colour_common(p, data), network=network, schedule=schedule)


def colour_soft_labels(p: ClassificationParameters, data: Data, network: teachers.Network) -> Cell:
    """Describe the logits of a teacher for images and mirrored images."""
    own = colour_teacher(p, data, network)
    return teachers.soft_labels.cell(
        **colour_common(p, data), network=network, teacher=own, mirrored=True, mixed=True
    )


def colour_kernel(p: ClassificationParameters, data: Data, network: teachers.Network) -> Cell:
    """Describe the sketch of a teacher's tangent kernel."""
    return teachers.sketched_kernel.cell(
        **colour_common(p, data),
        network=network,
        feature_count=p.sketch,
        kernel_images=p.colour_kernel_images,
        teacher=colour_teacher(p, data, network),
    )


def colour_student(
    p: ClassificationParameters,
    data: Data,
    method: Method,
    seed: int,
    settings: Mapping[str, float | None] | None = None,
    labels: Mapping[str, Label] | None = None,
    **changes: Any,
) -> Cell:
    """Describe the training of a student of colour images, by default at the settings of its search."""
    settings = COLOURS.settings(method.source) if settings is None else settings
    rest = {name: value for name, value in settings.items() if name not in SPEED}
    if method.uses_kernel:
        rest |= {"kernel_batch": p.kernel_batch, "kernel_every": p.colour_kernel_every}
    return student.cell(
        {"method": method.name, "question": "main", **(labels or {})},
        **colour_common(p, data, seed),
        parts=colour_parts(method),
        objective=method.objective,
        schedule=_schedule(p, method, settings),
        settings=rest,
        watched=method.length != "single",
        **_needs(p, data, method),
        **changes,
    )


def colour_parts(method: Method = COLOURS.methods["ntkd"]) -> Hybrid:
    """Describe the parts of a student of colour images."""
    shape = {"filters": 16 if method.hidden else 8, "size": 32, "colours": 3, "grid": (35, 39)}
    return Hybrid(method.optics, method.rectified, method.hidden, **shape, spread=True)


def _schedule(p: ClassificationParameters, method: Method, settings: Mapping[str, float | None]) -> Schedule:
    speed = {"lr": settings["lr"], "weight_decay": settings["weight_decay"], "front_rate": FRONT_RATE}
    if method.length == "single":
        return Schedule(p.colour_single_epochs, p.batch, **speed, evaluations=1)
    return Schedule(p.colour_epochs, p.batch, **speed, shift=SHIFT, mirror=True, mixed=True, evaluations=1)


def _needs(p: ClassificationParameters, data: Data, method: Method) -> dict[str, Cell]:
    """List the teacher's cells that a student is trained on or compared with."""
    if method.length == "single":
        return {}
    network = p.strong_teacher if method.teacher == "strong" else p.colour_teacher
    followed = {"tangent": colour_kernel(p, data, network)}
    if method.objective not in ("soft_labels", "tangent_soft"):
        return followed
    return {**followed, "soft_labels": colour_soft_labels(p, data, network)}


def draw_colours(method: Method, trial: int) -> dict[str, float]:
    """Draw the settings of a trial on colour images: the first coordinates of a sequence that all share."""
    seed = derive_seed("search", "colour")
    return draw(method.space, seed, trial, points=TRIALS["colours"], dimensions=DIMENSIONS)


def search_digits(data: Mapping[str, Data], run: RunCells) -> dict[str, Any]:
    """Try the same number of settings for each student of digits."""
    p = ClassificationParameters(tier="cpu")
    return _conduct(p, DIGITS, partial(digit_student, p, data[p.data]), draw_settings, TRIALS["digits"], run)


def search_colours(data: Mapping[str, Data], run: RunCells) -> dict[str, Any]:
    """Try the same number of settings for each student of colour images, for a few epochs."""
    p = load_parameters(ClassificationParameters, NOTEBOOK, "cpu", LENGTHS)
    train = partial(colour_student, p, data[p.colour])
    return _conduct(p, COLOURS, train, draw_colours, TRIALS["colours"], run)


def _conduct(
    p: ClassificationParameters,
    of: Comparison,
    student_cell: Callable[..., Cell],
    draw_trial: Callable[[Method, int], dict[str, float]],
    trials: int,
    run: RunCells,
) -> dict[str, Any]:
    untested, methods = partial(student_cell, tested=False), of.methods.values()
    rows = run_trials(methods, trials, TUNING_SEEDS, draw_trial, untested, run)
    budget = {"trials": trials, "seeds": list(TUNING_SEEDS)}
    return {"budget": budget, "parameters": p.model_dump(), "space": spaces(methods), "trials": rows}


SEARCHES = (
    Search(DIGITS.search, ("mnist",), search_digits),
    Search(COLOURS.search, ("cifar-10",), search_colours),
)


def colour_methods(p: ClassificationParameters) -> list[Method]:
    """List the students of colour images in a run."""
    methods = COLOURS.methods
    chosen = methods if p.colour_students == "all" else CORE
    return [methods[name] for name in chosen] + ([STRONG_TWIN] if p.strong_teacher != "none" else [])


def digit_methods() -> list[Method]:
    """List the students of digits in a run, the control with an untrained teacher among them."""
    return [*DIGITS.methods.values(), digit_method(UNTRAINED)]


def digit_labels() -> dict[str, str]:
    """List the labels of the students of digits in tables."""
    return {method.name: method.label for method in digit_methods()}


def few_labels(p: ClassificationParameters) -> tuple[float, ...]:
    """List the shares of labels of colour images in a run, without the full share."""
    return SHARES if p.colour_students == "all" else ()


def metric_name(data: Literal["mnist", "cifar10"], method: str, share: float = 1) -> str:
    """Name the metric of a student's test accuracy."""
    if share < 1:
        return f"ntkd.{data}.{method}.labels_{share}.accuracy"
    random = method == "f8" or (data, method) == ("cifar10", "f8_centred")
    return f"ntkd.{'random.' if random else ''}{data}.{method}.accuracy"


def students(run: Run, data: str, question: str = "main", **labels: Label) -> pd.DataFrame:
    """List the students of a run that belong to a question and have labels, one row per student and seed."""
    return run.frame(student, data=data, question=question, **labels)
