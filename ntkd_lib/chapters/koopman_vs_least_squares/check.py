"""Independent checks at the end of notebook 04: other ways to the same numbers."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.preprocessing import PolynomialFeatures

from ntkd_lib.chapters.koopman_vs_least_squares.inputs import read_inputs
from ntkd_lib.chapters.koopman_vs_least_squares.plan import chosen_size, fits
from ntkd_lib.chapters.koopman_vs_least_squares.summary import student_record
from ntkd_lib.chapters.run import Run
from ntkd_lib.koopman.edmd import EDMDSurrogate

PAIRS = 2000


def accuracy_by_scikit_learn(run: Run) -> tuple[float, float]:
    """Test the first seed's student on digits with scikit-learn's polynomial features in float64."""
    data, seed = run.parameters.digits, run.parameters.all_seeds[0]
    d = chosen_size(run.parameters, data, 2, "kd")
    record = student_record(run, data, 2, "kd", d, seed)
    test = read_inputs(run.records[f"{data}/inputs/seed={seed}"], d).test
    functions = PolynomialFeatures(2).fit_transform(test.scores.double().numpy())
    guesses = (functions @ record.arrays["weights"].T).argmax(1)
    return test.accuracy(torch.from_numpy(guesses)), record.values["accuracy"]


def edmd_error(run: Run) -> float:
    """Compare EDMD with a pseudo-inverse by singular values, on some images of the first seed."""
    data, seed = run.parameters.digits, run.parameters.all_seeds[0]
    d = min(fit["components"] for fit in fits(run.parameters, data, 2))
    inputs = read_inputs(run.records[f"{data}/inputs/seed={seed}"], d)
    teacher = run.records[f"{data}/teacher/seed={seed}"]
    rows = inputs.rows[:PAIRS].numpy()
    hidden = teacher.arrays["hidden"][rows].astype(np.float64)
    scores = inputs.train.scores[:PAIRS].double().numpy()
    surrogate = EDMDSurrogate(degree=2, n_components=d).fit(scores, hidden)
    lifted = PolynomialFeatures(2).fit_transform(surrogate.input_map_.scores(scores))
    direct = lifted @ np.linalg.pinv(lifted) @ hidden
    return float(np.abs(surrogate.predict(scores) - direct).max() / np.abs(direct).max())


def all_certified(run: Run) -> bool:
    """Say whether every student's gradient norm is at most the tolerance that was asked for."""
    found = [record.values for record in run.records.values() if "gradient" in record.values]
    return bool(found) and all(values["converged"] for values in found)
