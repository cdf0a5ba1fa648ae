"""Synthetic regression problems: targets, noise, and the draws of a seed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.distance import cdist

from ntkd_lib.lab.seeds import derive_seed

INPUTS = 14
SCALE = 4.9  # standard deviation of Friedman-1; the other targets are scaled to it
_ROUGH = 0.5  # length scale of the rough process, as a share of the median distance


@dataclass(frozen=True)
class Problem:
    """One way to draw data.

    Attributes:
        target: Name of a noise-free target.
        noise: Root mean square of the noise; Friedman-1 has a standard deviation of 4.9.
        kind: ``plain``; ``heteroscedastic``, noise that grows with the first input; ``shuffled``, labels in
            random order.
    """

    target: str = "friedman1"
    noise: float = 1.0
    kind: str = "plain"


@dataclass(frozen=True)
class Sample:
    """Draws of one seed.

    Attributes:
        x: Training inputs, standardised.
        y: Training labels.
        x_validation: Fresh inputs for early stopping.
        y_validation: Their labels.
        x_test: Fresh test inputs.
        y_test: Their labels.
        f_test: What a perfect predictor would say of them.
        noise_variance: Mean square of the noise of labels.
    """

    x: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, " n"]
    x_validation: Float[np.ndarray, "v d"]
    y_validation: Float[np.ndarray, " v"]
    x_test: Float[np.ndarray, "m d"]
    y_test: Float[np.ndarray, " m"]
    f_test: Float[np.ndarray, " m"]
    noise_variance: float


def _friedman1(u: np.ndarray) -> np.ndarray:
    return 10 * np.sin(np.pi * u[:, 0] * u[:, 1]) + 20 * (u[:, 2] - 0.5) ** 2 + 10 * u[:, 3] + 5 * u[:, 4]


def _resistor(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give resistance and reactance of the alternating-current circuit of Friedman-2 and -3."""
    resistance, capacity = 100 * u[:, 0], 1 + 10 * u[:, 3]
    frequency = 40 * np.pi + 520 * np.pi * u[:, 1]
    return resistance, frequency * u[:, 2] - 1 / (frequency * capacity)


def _friedman2(u: np.ndarray) -> np.ndarray:
    return np.hypot(*_resistor(u))


def _friedman3(u: np.ndarray) -> np.ndarray:
    resistance, reactance = _resistor(u)
    return np.arctan2(reactance, resistance)


def _additive(u: np.ndarray) -> np.ndarray:
    return 3 * np.sin(2 * np.pi * u[:, 0]) + np.exp(2 * u[:, 1]) + 8 * np.abs(u[:, 2] - 0.5) + 4 * u[:, 3]


FORMULAS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "friedman1": _friedman1,
    "friedman2": _friedman2,
    "friedman3": _friedman3,
    "additive": _additive,
}
PROCESSES = ("gp_same", "gp_rough")
TARGETS = (*FORMULAS, *PROCESSES)


def draw(problem: Problem, rows: int, test: int, validation: int, seed: int) -> Sample:
    """Draw training, validation and test data.

    Inputs are uniform on [0, 1]^14, then standardised by the training inputs. ``gp_same`` is a draw from the
    Gaussian process whose kernel is among the students' (Gaussian, median width), ``gp_rough`` from one with
    the kernel ``exp(-|x - x'| / l)``.

    Source: Friedman (1991) for the first three targets, with nine or ten inputs that play no part.
    """
    rng = np.random.default_rng(derive_seed("problem", problem.target, problem.noise, problem.kind, seed))
    u = rng.random((rows + validation + test, INPUTS))
    x = (u - u[:rows].mean(axis=0)) / u[:rows].std(axis=0)
    f = _target(problem.target, u, x, rng)
    y = f + problem.noise * _noise(problem.kind, u, rng)
    variance = problem.noise**2
    if problem.kind == "shuffled":
        y, variance = rng.permutation(y), float(y.var())
        f = np.full_like(f, y.mean())
    train, held, new = slice(rows), slice(rows, rows + validation), slice(rows + validation, None)
    return Sample(x[train], y[train], x[held], y[held], x[new], y[new], f[new], variance)


def _noise(kind: str, u: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noise = rng.standard_normal(len(u))
    if kind != "heteroscedastic":
        return noise
    size = 0.25 + 1.5 * u[:, 0]
    return noise * size / np.sqrt(1 / 16 + 3 / 8 + 3 / 4)  # mean square 1 over uniform inputs


def _target(name: str, u: np.ndarray, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    f = _process(name, x, rng) if name in PROCESSES else FORMULAS[name](u)
    return f if name == "friedman1" else f * SCALE / f.std()


def _process(name: str, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    distances = cdist(x, x)
    median = np.median(distances)
    if name == "gp_same":
        gram = np.exp(-0.5 * (distances / median) ** 2)
    else:
        gram = np.exp(-distances / (_ROUGH * median))
    gram[np.diag_indices_from(gram)] += 1e-8
    return np.linalg.cholesky(gram) @ rng.standard_normal(len(x))
