"""The spectral test and its alternatives on every fit of the grid."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ntkd_lib.chapters.overfitting import problems
from ntkd_lib.chapters.overfitting.work import train
from ntkd_lib.lab.cells import Cell, CellResult, Record
from ntkd_lib.lab.work import work
from ntkd_lib.spectral.basis import Basis, eigenbasis
from ntkd_lib.spectral.fit import SpectralFit, fit_outputs
from ntkd_lib.spectral.kernels import gaussian_kernels
from ntkd_lib.spectral.modes import RelevantDimension, count_above, relevant_dimension
from ntkd_lib.spectral.optimism import estimated_optimism, generalised_degrees, tail_statistic
from ntkd_lib.spectral.shrinkage import choose_ridge, shrinkage

COLUMNS = (
    *("setting", "network", "epoch", "train", "risk", "z", "optimism", "modes", "trace", "gdf"),
    *("kstar", "noise", "true_noise", "cv", "holdout", "holdout_risk", "gdf_risk"),
)


@dataclass(frozen=True)
class SpectralLabels:
    """Labels in the basis of their ridge fit with the lowest GCV score, and the cut after the signal."""

    bases: list[Basis]  # of all kernels
    fit: SpectralFit
    cut: RelevantDimension


def spectral_labels(sample: problems.Sample) -> SpectralLabels:
    """Fit the labels, and estimate the cut between signal and noise."""
    bases = [eigenbasis(kernel, sample.x) for kernel in gaussian_kernels(sample.x)]
    fit = fit_outputs(bases, sample.y[:, None])
    return SpectralLabels(bases, fit, relevant_dimension(fit.coefficients[:, 0]))


@work(cost=lambda **_: 3.0)
def diagnose(
    seed: int, settings: list[problems.GridSetting], sizes: problems.Sizes, fits: Mapping[str, Record]
) -> CellResult:
    """Compute `COLUMNS` for every setting, network and checkpoint; NaN if an alternative was not run."""
    roles = problems.fit_roles(settings)
    rows: list[dict[str, float]] = []
    for place, setting in enumerate(settings):
        sample = problems.draw(setting.problem, sizes, seed)
        labels = spectral_labels(sample)
        numbers = {role: i for i, (owner, role) in enumerate(roles) if owner == place}
        for network, name in enumerate(problems.NETWORKS):
            columns = _measure(sample, labels, fits[name], numbers, seed)
            rows += [
                {"setting": place, "network": network, **dict(zip(columns, row, strict=True))}
                for row in zip(*columns.values(), strict=True)
            ]
    arrays = {name: np.array([float(row.get(name, np.nan)) for row in rows]) for name in COLUMNS}
    return CellResult({"points": len(rows)}, arrays)


def diagnosis(
    labels: dict[str, Any],
    seed: int,
    settings: list[problems.GridSetting],
    sizes: problems.Sizes,
    epochs: int,
    rate: float,
) -> Cell:
    """Describe the diagnosis of all networks, each trained for its share of the epochs."""
    common = {"seed": seed, "settings": settings, "sizes": sizes}
    fits = {}
    for name, network in problems.NETWORKS.items():
        schedule = problems.Schedule(max(8, round(network.share * epochs)), rate)
        fits[name] = train.cell(labels, **common, network=network, schedule=schedule)
    return diagnose.cell(labels, **common, fits=fits)


def _measure(
    sample: problems.Sample, labels: SpectralLabels, record: Record, numbers: Mapping[str, int], seed: int
) -> dict[str, np.ndarray]:
    """Compute the columns of one network on one problem, an entry per checkpoint."""
    outputs = {role: record.arrays["train"][place].astype(float) for role, place in numbers.items()}
    errors = {role: record.arrays["test"][place] - sample.f_test for role, place in numbers.items()}
    risks = {role: (error**2).mean(axis=1) + sample.noise_variance for role, error in errors.items()}
    fitted, kstar, noise = outputs["all"], *labels.cut
    modes = labels.fit.basis.coefficients((fitted - fitted.mean(axis=1, keepdims=True)).T)
    target = labels.fit.coefficients[:, 0]
    constants = {"kstar": kstar, "noise": noise, "true_noise": sample.noise_variance**0.5}
    columns = {
        **{name: np.full(len(fitted), value) for name, value in constants.items()},
        "epoch": np.array(record.values["epochs"], dtype=float),
        "train": ((fitted - sample.y) ** 2).mean(axis=1),
        "risk": risks["all"],
        "z": tail_statistic(modes, target, kstar, noise),
        "optimism": estimated_optimism(modes, target, kstar, noise),
        "modes": count_above(modes, noise),
        "trace": _traces(labels.fit.basis.values, modes),
    }
    if len(numbers) == 1:
        return columns
    return columns | _alternatives(outputs, sample.y, noise, seed) | {"holdout_risk": risks["holdout"]}


def _traces(values: np.ndarray, modes: np.ndarray) -> np.ndarray:
    """Compute tr H of the GCV fit to each column."""
    ridges = [choose_ridge(values, column[:, None]).ridge for column in modes.T]
    return np.array([shrinkage(values, ridge).sum() for ridge in ridges])


def _alternatives(
    outputs: Mapping[str, np.ndarray], y: np.ndarray, noise: float, seed: int
) -> dict[str, np.ndarray]:
    """Estimate the risk by cross-validation, a holdout, and generalised degrees of freedom."""
    squares = {role: (fitted - y) ** 2 for role, fitted in outputs.items()}
    out = {role: problems.trained_on(role, len(y), seed) == 0 for role in outputs}
    folds = [squares[f"fold{i}"][:, out[f"fold{i}"]].sum(axis=1) for i in range(problems.FOLDS)]
    change = np.broadcast_to(problems.label_change(y, seed), outputs["all"].shape)
    degrees = generalised_degrees(outputs["all"], outputs["perturbed"], change)
    return {
        "cv": np.sum(folds, axis=0) / len(y),
        "holdout": squares["holdout"][:, out["holdout"]].mean(axis=1),
        "gdf": degrees,
        "gdf_risk": squares["all"].mean(axis=1) + 2 * noise**2 * degrees / len(y),
    }
