"""Compared fits of the linear map of notebook 04, their cells, and the search for their settings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from ntkd_lib.chapters.koopman import NOTEBOOK, work
from ntkd_lib.chapters.koopman.inputs import Network, principal_scores, teacher
from ntkd_lib.chapters.koopman.parameters import KoopmanParameters
from ntkd_lib.lab import Cell, Data, Range, SearchedMethod, by_name, read_search

DEGREES = (1, 2, 3)
RIDGE: Mapping[str, Range] = {"ridge": (1e-6, 1e-3, "log")}
TEMPERATURE: Mapping[str, Range] = {"temperature": (1.0, 8.0, "log")}
SHARE: Mapping[str, Range] = {"alpha": (0.1, 0.9, "linear")}


@dataclass(frozen=True)
class StudentMethod(SearchedMethod):
    """One loss of students, with its fixed settings."""

    fixed: Mapping[str, float] = field(default_factory=dict)


STUDENTS: Mapping[str, StudentMethod] = by_name(
    StudentMethod("kd", "distilled (KL + CE)", {**RIDGE, **TEMPERATURE, **SHARE}),
    StudentMethod("ce", "cross-entropy, no teacher", RIDGE, {"alpha": 0.0, "temperature": 1.0}),
    StudentMethod("kd_only", "KL to the teacher alone", {**RIDGE, **TEMPERATURE}, {"alpha": 1.0}),
)
PIXELS = StudentMethod("pixels", "cross-entropy on raw pixels", RIDGE, {"alpha": 0.0, "temperature": 1.0})
LEAST_SQUARES: Mapping[work.LinearMethod, str] = {
    "naive": "EDMD, best ridge and rank",
    "naive_published": "EDMD, pseudo-inverse, d' = d",
    "ls_logits": "least squares to teacher logits",
    "ls_onehot": "least squares to labels",
}
RADIAL = "kd_rbf"
LABELS = {method.name: method.label for method in (*STUDENTS.values(), PIXELS)} | LEAST_SQUARES
RIDGES = (0.0, 1e-8, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
RANKS = (10, 20, 40, 64)
VALIDATION = itemgetter("validation")


def best_trial(data: str, degree: int, method: str, sizes: Iterable[int] | None = None) -> dict[str, Any]:
    """Select the best recorded trial by validation accuracy; an untried size takes the nearest tried one."""
    trials = [t for t in read_search(NOTEBOOK)["trials"] if t["method"] == method and t["degree"] == degree]
    source = data if data in {t["data"] for t in trials} else "mnist"
    trials = [t for t in trials if t["data"] == source]
    if sizes is None:
        return max(trials, key=VALIDATION)
    tried = {t["components"] for t in trials}
    nearest = {d: min(tried, key=lambda size, d=d: (abs(size - d), size)) for d in sizes}
    fitting = [{**t, "components": d} for d in sizes for t in trials if t["components"] == nearest[d]]
    return max(fitting, key=itemgetter("validation", "components"))


def chosen_size(parameters: KoopmanParameters, data: str, degree: int, method: str) -> int:
    """Select the number of components with a method's best accuracy on validation images of the search."""
    return best_trial(data, degree, method, parameters.sizes(degree))["components"]


def chosen_objective(data: str, degree: int, method: str, components: int) -> work.Objective:
    """Read the objective that the search chose at a size."""
    return work.Objective(**best_trial(data, degree, method, [components])["settings"])


def teacher_cell(parameters: KoopmanParameters, data: Data, seed: int, network: Network = "mlp") -> Cell:
    """Describe the training of a teacher."""
    epochs = parameters.teacher_epochs if network == "mlp" else parameters.resnet_epochs
    return teacher.cell(data=data, seed=seed, images=parameters.images, epochs=epochs, network=network)


def scores_cell(parameters: KoopmanParameters, data: Data, seed: int) -> Cell:
    """Describe the PCA scores that all fits of a seed read, with the most components of the run."""
    count = max([*parameters.quadratic, *parameters.cubic])
    return principal_scores.cell(data=data, seed=seed, images=parameters.images, components=count)


def student_cell(
    parameters: KoopmanParameters,
    data: Data,
    method: str,
    seed: int,
    objective: work.Objective,
    network: Network = "mlp",
    **arguments: Any,
) -> Cell:
    """Describe a student; it reads the teacher's logits if their share in its loss is positive."""
    labels = {"data": data.name, "method": method, "network": network}
    if objective.alpha > 0:
        arguments["teacher"] = teacher_cell(parameters, data, seed, network)
    return work.student.cell(
        labels, seed=seed, objective=objective, inputs=scores_cell(parameters, data, seed), **arguments
    )


def linear_cell(
    parameters: KoopmanParameters,
    data: Data,
    seed: int,
    degree: int,
    fits: list[work.LinearFit],
    network: Network = "mlp",
    *,
    condition: bool = False,
) -> Cell:
    """Describe all least-squares fits of a degree."""
    return work.least_squares.cell(
        {"data": data.name, "network": network},
        seed=seed,
        degree=degree,
        fits=fits,
        condition=condition,
        inputs=scores_cell(parameters, data, seed),
        teacher=teacher_cell(parameters, data, seed, network),
    )


def pixel_cell(parameters: KoopmanParameters, data: Data, **arguments: Any) -> Cell:
    """Describe the student of raw pixels."""
    return work.pixel_student.cell({"method": PIXELS.name}, data=data, images=parameters.images, **arguments)
