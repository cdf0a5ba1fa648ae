"""The spectral students of the six networks, and their controls, for one seed."""

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from ntkd_lib.chapters.overfitting.problems import Problem, Sample, Sizes, draw, rmse
from ntkd_lib.chapters.overfitting.studies.grid import SpectralLabels, spectral_labels
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.work import work
from ntkd_lib.spectral.basis import Basis
from ntkd_lib.spectral.fit import SpectralFit, fit_outputs
from ntkd_lib.spectral.modes import count_above, kept_share, largest
from ntkd_lib.spectral.optimism import tail_statistic
from ntkd_lib.spectral.shrinkage import ridge_grid

PLATEAU = 0.01  # relative gain of validation RMSE in the last eighth that still counts as a plateau
TREES = 200
POPULATION = "64-32"  # its outputs on test inputs are the population of the certificates' trials


@work(cost=lambda **_: 3.0)
def distil_six(seed: int, sizes: Sizes, ended: dict[str, Record], stopped: dict[str, Record]) -> CellResult:
    """Distil each network at the end of training and where it is stopped, and fit the controls."""
    sample = draw(Problem(), sizes, seed)
    labels = spectral_labels(sample)
    basis, fit, bases = labels.fit.basis, labels.fit, labels.bases
    last = {name: network_outputs(record, "train") for name, record in ended.items()}
    arrays = {f"fitted/{name}": basis.coefficients(each - each.mean()) for name, each in last.items()}
    population = fit_outputs(bases, last[POPULATION][:, None])
    arrays |= {
        "labels": fit.coefficients[:, 0],
        "values": basis.values,
        "shares": fit.shares,
        "teacher": network_outputs(ended[POPULATION], "test"),
        "student": population.predict(sample.x_test)[:, 0],
    }
    control = rmse(fit.predict(sample.x_test)[:, 0], sample.y_test)
    values = {
        "networks": {name: _network(ended[name], stopped[name], sample, labels) for name in ended},
        "control": {"rmse": control, "effective": fit.effective_parameters},
        "forest": _forest(seed, sample, bases),
        "kstar": labels.cut.kstar,
        "noise": labels.cut.noise,
    }
    return CellResult(values, arrays)


def network_outputs(record: Record, split: str, place: int = -1) -> np.ndarray:
    """Read a network's outputs on a part of the samples at a checkpoint, the last by default."""
    return record.arrays[split][0, place].astype(float)


def distil(fitted: np.ndarray, new: np.ndarray, sample: Sample, bases: list[Basis]) -> dict[str, float]:
    """Fit the spectral student of outputs and compute its errors and size."""
    fit = fit_outputs(bases, fitted[:, None])
    guess = fit.predict(sample.x_test)[:, 0]
    return {
        "teacher": rmse(new, sample.y_test),
        "student": rmse(guess, sample.y_test),
        "oracle": _oracle(fit, sample),
        "r2": 100 * (1 - float(((guess - new) ** 2).mean() / new.var())),
        "r2_train": 100 * (1 - float(fit.certificate[0] ** 2 / fitted.var())),
        "effective": fit.effective_parameters,
        "stored": fit.stored_size,
        "certificate": float(fit.certificate[0]),
        "difference": rmse(guess, new),
    }


def _network(ended: Record, stopped: Record, sample: Sample, labels: SpectralLabels) -> dict[str, float]:
    best, epochs = int(np.argmin(_curve(stopped, sample))), ended.values["epochs"]
    late, early = (
        distil(*(network_outputs(record, part, place) for part in ("train", "test")), sample, labels.bases)
        for record, place in ((ended, -1), (stopped, best))
    )
    fitted, (kstar, noise) = network_outputs(ended, "train"), labels.cut
    modes = labels.fit.basis.coefficients(fitted - fitted.mean())
    top = np.arange(len(modes)) < kstar
    return {
        **late,
        "early_teacher": early["teacher"],
        "early_student": early["student"],
        "early_epoch": epochs[best],
        "train": rmse(fitted, sample.y),
        "net_modes": int(count_above(modes, noise)),
        "z": float(tail_statistic(modes, labels.fit.coefficients[:, 0], kstar, noise)),
        "greedy_gap": 100 * (kept_share(modes, largest(modes, kstar)) - kept_share(modes, top)),
        "converged": _plateau(epochs, _curve(ended, sample)),
    }


def _curve(record: Record, sample: Sample) -> list[float]:
    """Compute the validation RMSE at every checkpoint."""
    places = range(len(record.values["epochs"]))
    return [rmse(network_outputs(record, "validation", place), sample.y_validation) for place in places]


def _oracle(fit: SpectralFit, sample: Sample) -> float:
    """Compute the test RMSE of the best of all ridges in the chosen basis."""
    weights = fit.coefficients / (fit.basis.values[:, None] + ridge_grid(fit.basis.values))
    guesses = fit.mean + fit.basis.expand(sample.x_test, weights)
    return float(np.sqrt(((guesses - sample.y_test[:, None]) ** 2).mean(axis=0)).min())


def _forest(seed: int, sample: Sample, bases: list[Basis]) -> dict[str, float]:
    forest = RandomForestRegressor(TREES, random_state=seed).fit(sample.x, sample.y)
    nodes = sum(tree.tree_.node_count for tree in forest.estimators_)
    return {**distil(forest.predict(sample.x), forest.predict(sample.x_test), sample, bases), "nodes": nodes}


def _plateau(epochs: list[int], curve: list[float]) -> bool:
    """Check that the last eighth of training lowered the validation RMSE by at most one per cent."""
    late = np.array(epochs) > 7 / 8 * epochs[-1]
    errors = np.array(curve)
    return bool(errors[late].min() >= (1 - PLATEAU) * errors[~late].min())
