"""Independent twins that notebook 04 asserts against."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.preprocessing import PolynomialFeatures

from ntkd_lib.chapters.koopman.inputs import read_inputs
from ntkd_lib.chapters.koopman.methods import chosen_size, scores_cell, teacher_cell
from ntkd_lib.chapters.koopman.plan import students_of
from ntkd_lib.chapters.koopman.work import last_layer, pixel_student, student
from ntkd_lib.chapters.run import Run, locate_data
from ntkd_lib.koopman.edmd import EDMDSurrogate

ROWS = 2000


@dataclass(frozen=True)
class SmallCase:
    """Some images of the first seed: PCA scores, labels, and the teacher's logits and hidden activations."""

    scores: Float[np.ndarray, "n d"]
    labels: Int[np.ndarray, " n"]
    logits: Float[np.ndarray, "n c"]
    hidden: Float[np.ndarray, "n w"]
    last_layer: tuple[np.ndarray, np.ndarray]


def small_case(run: Run) -> tuple[SmallCase, SmallCase]:
    """Read training and validation digits for a fit in seconds."""
    parameters, seed = run.parameters, run.parameters.all_seeds[0]
    digits = locate_data(parameters.digits)[parameters.digits]
    scores, teacher_record = (run.record(f(parameters, digits, seed)) for f in (scores_cell, teacher_cell))
    layer, d = last_layer(teacher_record), min(parameters.quadratic)

    def rows_of(part: str) -> SmallCase:
        rows = scores.arrays[part][:ROWS]
        arrays = (scores.arrays["scores"][rows, :d].astype(np.float64), scores.arrays["labels"][rows])
        return SmallCase(*arrays, *(teacher_record.arrays[n][rows] for n in ("logits", "hidden")), layer)

    return rows_of("rows"), rows_of("held_out")


def accuracy_by_scikit_learn(run: Run) -> tuple[float, float]:
    """Test the first seed's student on digits with scikit-learn's polynomial features in float64."""
    parameters, seed = run.parameters, run.parameters.all_seeds[0]
    digits = locate_data(parameters.digits)[parameters.digits]
    d = chosen_size(parameters, digits.name, 2, "kd")
    record = run.record(students_of(parameters, digits, 2)["kd", d, seed])
    test = read_inputs(run.record(scores_cell(parameters, digits, seed)), d).test
    functions = PolynomialFeatures(2).fit_transform(test.scores.double().numpy())
    guesses = (functions @ record.arrays["weights"].T).argmax(1)
    return test.accuracy(torch.from_numpy(guesses)), record.values["accuracy"]


def edmd_error(run: Run) -> float:
    """Compare EDMD with a pseudo-inverse by singular values: largest relative difference."""
    case, _ = small_case(run)
    hidden = case.hidden.astype(np.float64)
    surrogate = EDMDSurrogate(degree=2, n_components=case.scores.shape[1]).fit(case.scores, hidden)
    lifted = PolynomialFeatures(2).fit_transform(surrogate.input_map_.scores(case.scores))
    direct = lifted @ np.linalg.pinv(lifted) @ hidden
    return float(np.abs(surrogate.predict(case.scores) - direct).max() / np.abs(direct).max())


def all_certified(run: Run) -> bool:
    """Check that every student's gradient norm is at most the tolerance of its cell."""
    states = [*run.frame(student)["converged"], *run.frame(pixel_student)["converged"]]
    return bool(states) and all(states)
