"""Cells that put every fit of the grid before the spectral test and its rivals."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ntkd_lib.chapters.spectral_overfitting.fits import job_sample
from ntkd_lib.chapters.spectral_overfitting.grid import FOLDS, label_change, trained_on
from ntkd_lib.chapters.spectral_overfitting.problems import Sample
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.spectral.basis import eigenbasis
from ntkd_lib.spectral.fit import SpectralFit, fit_outputs
from ntkd_lib.spectral.kernels import gaussian_kernels
from ntkd_lib.spectral.modes import RelevantDimension, count_above, relevant_dimension
from ntkd_lib.spectral.optimism import estimated_optimism, generalised_degrees, tail_statistic
from ntkd_lib.spectral.shrinkage import choose_ridge, shrinkage

RIVALS = ("cv", "holdout", "gdf_risk")
COLUMNS = (
    *("setting", "network", "epoch", "train", "risk", "z", "optimism", "modes", "trace", "gdf"),
    *("kstar", "noise", "true_noise"),
    *RIVALS,
)


def diagnose(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Measure every network and checkpoint of one seed and sample size.

    Args:
        arguments: As of `fits.train`.
        needs: Fits of each network, by its name.

    Returns:
        One array for each of `COLUMNS`, one entry a setting, network and checkpoint; mean-square errors in
        squared units of the labels, NaN where a rival was not run. ``network`` counts the needs from 0.
    """
    rows: list[dict[str, float]] = []
    for job in arguments["jobs"]:
        if job["role"] == "all":
            sample = job_sample(arguments, job)
            labels = spectral_labels(sample)
            for number, record in enumerate(needs.values()):
                rows += _measure(arguments, job, sample, labels, record, number)
    return CellResult(
        {"points": len(rows)},
        {name: np.array([row.get(name, np.nan) for row in rows]) for name in COLUMNS},
    )


@dataclass(frozen=True)
class SpectralLabels:
    """Labels in the basis whose ridge regression on them has the lowest GCV score.

    Attributes:
        fit: That regression.
        cut: Where signal ends.
    """

    fit: SpectralFit
    cut: RelevantDimension


def spectral_labels(sample: Sample) -> SpectralLabels:
    """Fit the labels, and cut them."""
    bases = [eigenbasis(kernel, sample.x) for kernel in gaussian_kernels(sample.x)]
    fit = fit_outputs(bases, sample.y[:, None])
    return SpectralLabels(fit, relevant_dimension(fit.coefficients[:, 0]))


def _measure(
    arguments: Mapping[str, Any],
    job: Mapping[str, Any],
    sample: Sample,
    labels: SpectralLabels,
    record: Record,
    network: int,
) -> list[dict[str, float]]:
    places = {
        other["role"]: place
        for place, other in enumerate(arguments["jobs"])
        if other["setting"] == job["setting"]
    }
    outputs = {role: record.arrays["train"][place].astype(float) for role, place in places.items()}
    fitted, kstar, noise = outputs["all"], *labels.cut
    modes = labels.fit.basis.coefficients((fitted - fitted.mean(axis=1, keepdims=True)).T)
    target = labels.fit.coefficients[:, 0]
    new = record.arrays["test"][places["all"]].astype(float)
    columns = {
        "epoch": np.array(record.values["epochs"], dtype=float),
        "train": ((fitted - sample.y) ** 2).mean(axis=1),
        "risk": ((new - sample.f_test) ** 2).mean(axis=1) + sample.noise_variance,
        "z": tail_statistic(modes, target, kstar, noise),
        "optimism": estimated_optimism(modes, target, kstar, noise),
        "modes": count_above(modes, noise),
        "trace": _traces(labels.fit.basis.values, modes),
    }
    if len(places) > 1:
        columns |= _rivals(outputs, sample.y, noise, arguments["seed"])
    constant = {"setting": job["setting"], "network": network, "kstar": kstar, "noise": noise}
    constant["true_noise"] = sample.noise_variance**0.5
    return [
        {**constant, **{name: float(column[i]) for name, column in columns.items()}}
        for i in range(len(fitted))
    ]


def _traces(values: np.ndarray, modes: np.ndarray) -> np.ndarray:
    """Give tr H of the GCV fit to each column."""
    ridges = [choose_ridge(values, column[:, None]).ridge for column in modes.T]
    return np.array([shrinkage(values, ridge).sum() for ridge in ridges])


def _rivals(
    outputs: Mapping[str, np.ndarray], y: np.ndarray, noise: float, seed: int
) -> dict[str, np.ndarray]:
    """Estimate the risk by cross-validation, a holdout, and generalised degrees of freedom."""
    squares = {role: (fitted - y) ** 2 for role, fitted in outputs.items()}
    out = {role: trained_on(role, len(y), seed) == 0 for role in outputs}
    folds = [squares[f"fold{i}"][:, out[f"fold{i}"]].sum(axis=1) for i in range(FOLDS)]
    change = np.broadcast_to(label_change(y, seed), outputs["all"].shape)
    degrees = generalised_degrees(outputs["all"], outputs["perturbed"], change)
    return {
        "cv": np.sum(folds, axis=0) / len(y),
        "holdout": squares["holdout"][:, out["holdout"]].mean(axis=1),
        "gdf": degrees,
        "gdf_risk": squares["all"].mean(axis=1) + 2 * noise**2 * degrees / len(y),
    }
