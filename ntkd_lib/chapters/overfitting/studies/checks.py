"""Independent checks at the end of notebook 05: another way to the same numbers."""

import numpy as np
from sklearn.kernel_ridge import KernelRidge

from ntkd_lib.chapters.overfitting.problems import Problem, Sizes, draw
from ntkd_lib.chapters.overfitting.studies.detection import HARM, area, grid_points
from ntkd_lib.chapters.run import Run
from ntkd_lib.spectral.student import SpectralStudent

ROWS, SIZES = 150, Sizes(150, 100)


def student_differences() -> tuple[float, float]:
    """Compare a student with scikit-learn's centred kernel ridge regression, and tr H with its solution."""
    sample = draw(Problem(), SIZES, seed=99)
    student = SpectralStudent().fit(sample.x, sample.y)
    kernel, size = student.fit_.basis.kernel, student.fit_.ridge
    gram, cross = kernel(sample.x, sample.x), kernel(sample.x_test, sample.x)
    middle = np.eye(ROWS) - 1 / ROWS
    centred = middle @ gram @ middle
    ridge = KernelRidge(alpha=size, kernel="precomputed").fit(centred, sample.y - sample.y.mean())
    guess = ridge.predict((cross - gram.mean(axis=0)) @ middle) + sample.y.mean()
    hat = np.linalg.solve(centred + size * np.eye(ROWS), centred)
    differences = np.abs(guess - student.predict(sample.x_test))
    return float(differences.max()), float(abs(np.trace(hat) - student.effective_parameters_))


def rank_area(run: Run) -> tuple[float, float]:
    """Count the area under the ROC curve of z pair by pair, for the first seed."""
    points = grid_points(run)
    points = points[points["seed"] == run.parameters.all_seeds[0]]
    harmful = points["risk"] > HARM * points.groupby(["rows", "setting", "network"])["risk"].cummin()
    bad, good = (points.loc[kind, "z"].to_numpy() for kind in (harmful, ~harmful))
    if not (len(bad) and len(good)):
        return 0.5, 0.5
    above = (bad[:, None] > good).mean() + (bad[:, None] == good).mean() / 2
    return float(above), area(points, "z", "harmful")
