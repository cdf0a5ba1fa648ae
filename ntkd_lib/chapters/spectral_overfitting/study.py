"""Cells that make the spectral students of the six networks, and their controls, for one seed."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestRegressor

from ntkd_lib.chapters.spectral_overfitting.diagnosis import SpectralLabels, spectral_labels
from ntkd_lib.chapters.spectral_overfitting.fits import job_sample
from ntkd_lib.chapters.spectral_overfitting.problems import Sample
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.spectral.basis import Basis, eigenbasis
from ntkd_lib.spectral.fit import SpectralFit, fit_outputs
from ntkd_lib.spectral.kernels import gaussian_kernels
from ntkd_lib.spectral.modes import count_above, kept_share, largest
from ntkd_lib.spectral.optimism import tail_statistic
from ntkd_lib.spectral.shrinkage import ridge_grid

PLATEAU = 0.01  # relative gain of validation RMSE in the last eighth that still counts as a plateau
TREES = 200
POPULATION = "64-32"  # the network whose outputs on test inputs the certificates are tried on


def study(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Distil each network at the end of training and at its best validation epoch.

    Args:
        arguments: As of `fits.train`; the first job is the one that is distilled.
        needs: Fits of each network, by its name.

    Returns:
        ``networks``: measurements by network; ``labels`` and ``forest``: of the controls; ``kstar``; arrays
        ``labels``, ``values``, ``kept``: the labels' coefficients, eigenvalues and shrinkage, and for each
        network ``fitted/<name>``; ``teacher`` and ``student``: outputs of one network and of its student on
        the test inputs.
    """
    sample = job_sample(arguments, arguments["jobs"][0])
    labels = spectral_labels(sample)
    bases = [eigenbasis(kernel, sample.x) for kernel in gaussian_kernels(sample.x)]
    networks = {name: _network(record, sample, labels, bases) for name, record in needs.items()}
    basis = labels.fit.basis
    arrays = {
        f"fitted/{name}": basis.coefficients(_centred(_outputs(record, "train", -1)))
        for name, record in needs.items()
    }
    arrays |= {"labels": labels.fit.coefficients[:, 0], "values": basis.values, "kept": labels.fit.shares}
    arrays |= _population(needs[POPULATION], sample, bases)
    control = {
        "rmse": _rmse(labels.fit.predict(sample.x_test)[:, 0], sample.y_test),
        "effective": labels.fit.effective_parameters,
    }
    values = {
        "networks": networks,
        "labels": control,
        "forest": _forest(arguments["seed"], sample, bases),
        "kstar": labels.cut.kstar,
        "noise": labels.cut.noise,
    }
    return CellResult(values, arrays)


def _network(record: Record, sample: Sample, labels: SpectralLabels, bases: list[Basis]) -> dict[str, float]:
    curve = [
        _rmse(_outputs(record, "validation", place), sample.y_validation)
        for place in range(len(record.values["epochs"]))
    ]
    best = int(np.argmin(curve))
    early = _distilled(record, best, sample, bases)
    modes = labels.fit.basis.coefficients(_centred(_outputs(record, "train", -1)))
    kstar, noise = labels.cut
    top = np.arange(len(modes)) < kstar
    return {
        **_distilled(record, -1, sample, bases),
        "early_teacher": early["teacher"],
        "early_student": early["student"],
        "early_epoch": record.values["epochs"][best],
        "train": _rmse(_outputs(record, "train", -1), sample.y),
        "net_modes": int(count_above(modes, noise)),
        "z": float(tail_statistic(modes, labels.fit.coefficients[:, 0], kstar, noise)),
        "greedy_gap": 100 * (kept_share(modes, largest(modes, kstar)) - kept_share(modes, top)),
        "converged": _plateau(record.values["epochs"], curve),
    }


def _distilled(record: Record, place: int, sample: Sample, bases: list[Basis]) -> dict[str, float]:
    """Distil one checkpoint."""
    new = _outputs(record, "test", place)
    return distil(_outputs(record, "train", place), new, sample, bases)


def distil(fitted: np.ndarray, new: np.ndarray, sample: Sample, bases: list[Basis]) -> dict[str, float]:
    """Make the spectral student of outputs and measure it."""
    fit = fit_outputs(bases, fitted[:, None])
    guess = fit.predict(sample.x_test)[:, 0]
    return {
        "teacher": _rmse(new, sample.y_test),
        "student": _rmse(guess, sample.y_test),
        "oracle": _oracle(fit, sample),
        "r2": 100 * (1 - float(((guess - new) ** 2).mean() / new.var())),
        "r2_train": 100 * (1 - float(fit.certificate[0] ** 2 / fitted.var())),
        "effective": fit.effective_parameters,
        "stored": fit.stored_size,
        "certificate": float(fit.certificate[0]),
        "difference": _rmse(guess, new),
    }


def _oracle(fit: SpectralFit, sample: Sample) -> float:
    """Give the test RMSE of the best of all ridges in the chosen basis."""
    ridges = ridge_grid(fit.basis.values)
    weights = fit.coefficients / (fit.basis.values[:, None] + ridges)
    guesses = fit.mean + fit.basis.expand(sample.x_test, weights)
    return float(np.sqrt(((guesses - sample.y_test[:, None]) ** 2).mean(axis=0)).min())


def _population(record: Record, sample: Sample, bases: list[Basis]) -> dict[str, np.ndarray]:
    fit = fit_outputs(bases, _outputs(record, "train", -1)[:, None])
    return {"teacher": _outputs(record, "test", -1), "student": fit.predict(sample.x_test)[:, 0]}


def _forest(seed: int, sample: Sample, bases: list[Basis]) -> dict[str, float]:
    """Distil a random forest, the teacher of a sister paper."""
    forest = RandomForestRegressor(TREES, random_state=seed).fit(sample.x, sample.y)
    nodes = sum(tree.tree_.node_count for tree in forest.estimators_)
    return {**distil(forest.predict(sample.x), forest.predict(sample.x_test), sample, bases), "nodes": nodes}


def _plateau(epochs: list[int], curve: list[float]) -> bool:
    """Say whether the last eighth of training lowered the validation RMSE by at most one per cent."""
    late = np.array(epochs) > 7 / 8 * epochs[-1]
    errors = np.array(curve)
    return bool(errors[late].min() >= (1 - PLATEAU) * errors[~late].min())


def _outputs(record: Record, split: str, place: int) -> np.ndarray:
    return record.arrays[split][0, place].astype(float)


def _centred(outputs: np.ndarray) -> np.ndarray:
    return outputs - outputs.mean()


def _rmse(guess: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(((guess - truth) ** 2).mean()))
