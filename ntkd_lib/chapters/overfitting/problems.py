"""Problems, networks, grid settings and refits of notebook 05."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.distance import cdist

from ntkd_lib.data.tables import TABLES, load_table
from ntkd_lib.lab.seeds import derive_seed

INPUTS = 14
SCALE = 4.9  # standard deviation of Friedman-1; the other targets are scaled to it
_ROUGH = 0.5  # length scale of the rough process, as a share of the median distance
FOLDS = 5
DECAY = 0.3
CHANGE = 0.1  # of the labels' standard deviation
REFITS = (*(f"fold{i}" for i in range(FOLDS)), "holdout", "perturbed")


@dataclass(frozen=True)
class Problem:
    """One distribution of data: target, noise, and kind of noise; or a real table."""

    target: str = "friedman1"  # or the name of a table
    noise: float = 1.0  # root mean square; Friedman-1 has a standard deviation of 4.9
    kind: str = (
        "plain"  # or heteroscedastic: grows with the first input; or shuffled labels; or a table's digest
    )


@dataclass(frozen=True)
class Sizes:
    """Numbers of samples for training, test and early stopping."""

    rows: int
    test: int
    validation: int = 0


@dataclass(frozen=True)
class Sample:
    """Draws of one seed: standardised inputs, labels, and the test inputs' noise-free targets `f_test`."""

    x: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, " n"]
    x_validation: Float[np.ndarray, "v d"]
    y_validation: Float[np.ndarray, " v"]
    x_test: Float[np.ndarray, "m d"]
    y_test: Float[np.ndarray, " m"]
    f_test: Float[np.ndarray, " m"]
    noise_variance: float


@dataclass(frozen=True)
class Network:
    """A network by the widths of its hidden layers, with its share of the grid's epochs."""

    name: str
    widths: tuple[int, ...]
    share: float  # wide networks reach zero training error sooner


@dataclass(frozen=True)
class Schedule:
    """Full-batch training: epochs, learning rate, whether it falls to zero, and number of checkpoints."""

    epochs: int
    rate: float
    falling: bool = False
    checkpoints: int = 8

    @property
    def times(self) -> list[int]:
        """List the epochs of the checkpoints: evenly spaced logarithms, from 1/64 of training to its end."""
        spaced = np.geomspace(self.epochs / 64, self.epochs, self.checkpoints)
        return sorted({max(1, round(epoch)) for epoch in spaced})


@dataclass(frozen=True)
class GridSetting:
    """A problem, the weight decay, and whether the detectors that need refits are run."""

    problem: Problem
    decay: float = 0.0
    compared: bool = False

    @property
    def label(self) -> str:
        """Return the label in tables."""
        kind = "" if self.problem.kind == "plain" else f", {self.problem.kind}"
        return f"{self.problem.target}, noise {self.problem.noise:g}{kind}{', decay' if self.decay else ''}"

    @property
    def roles(self) -> tuple[str, ...]:
        """List the fits: on all samples, and the refits."""
        return ("all", *(REFITS if self.compared else ()))


NETWORKS: Mapping[str, Network] = {
    network.name: network
    for network in (
        Network("32", (32,), 1.0),
        Network("16-16", (16, 16), 1.0),
        Network("64-32", (64, 32), 0.375),
        Network("128-64", (128, 64), 0.1875),
        Network("256-128", (256, 128), 0.125),
        Network("512-256", (512, 256), 0.125),
    )
}
LARGEST = "512-256"


def rmse(guess: np.ndarray, truth: np.ndarray) -> float:
    """Compute the root of the mean square error."""
    return float(np.sqrt(((guess - truth) ** 2).mean()))


def fit_roles(settings: Sequence[GridSetting]) -> list[tuple[int, str]]:
    """List the fits of settings: number of the setting, and role."""
    return [(place, role) for place, setting in enumerate(settings) for role in setting.roles]


def small_settings() -> list[GridSetting]:
    """List the settings of every seed at the grid's usual sample size."""
    levels = [*((target, noise) for target in TARGETS for noise in (0.1, 2.0))]
    levels += [*((target, 1.0) for target in TARGETS), ("friedman1", 0.5), ("gp_same", 0.5)]
    compared = {("friedman1", 1.0), ("friedman1", 2.0)}
    return [
        *(GridSetting(Problem(*level), compared=level in compared) for level in levels),
        *(GridSetting(Problem("friedman1", 1.0, kind)) for kind in ("heteroscedastic", "shuffled")),
        *(GridSetting(Problem("friedman1", noise), DECAY) for noise in (1.0, 2.0)),
    ]


def trained_on(role: str, rows: int, seed: int) -> Float[np.ndarray, " n"]:
    """Compute the mask of a fit's training samples."""
    mask = np.ones(rows)
    if role not in ("all", "perturbed"):
        order = np.random.default_rng(derive_seed("folds", seed, rows)).permutation(rows)
        mask[order[0 if role == "holdout" else int(role.removeprefix("fold")) :: FOLDS]] = 0
    return mask


def label_change(y: Float[np.ndarray, " n"], seed: int) -> Float[np.ndarray, " n"]:
    """Draw the label change of a perturbed refit: a tenth of their spread, up or down at random."""
    signs = np.random.default_rng(derive_seed("change", seed, len(y))).choice([-1.0, 1.0], len(y))
    return CHANGE * y.std() * signs


def _friedman1(u: np.ndarray) -> np.ndarray:
    return 10 * np.sin(np.pi * u[:, 0] * u[:, 1]) + 20 * (u[:, 2] - 0.5) ** 2 + 10 * u[:, 3] + 5 * u[:, 4]


def _resistor(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute resistance and reactance of the alternating-current circuit of Friedman-2 and -3."""
    resistance, capacity = 100 * u[:, 0], 1 + 10 * u[:, 3]
    frequency = 40 * np.pi + 520 * np.pi * u[:, 1]
    return resistance, frequency * u[:, 2] - 1 / (frequency * capacity)


def _additive(u: np.ndarray) -> np.ndarray:
    return 3 * np.sin(2 * np.pi * u[:, 0]) + np.exp(2 * u[:, 1]) + 8 * np.abs(u[:, 2] - 0.5) + 4 * u[:, 3]


# Friedman (1991) for the first three, with nine or ten inputs that have no effect
FORMULAS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "friedman1": _friedman1,
    "friedman2": lambda u: np.hypot(*_resistor(u)),
    "friedman3": lambda u: np.arctan2(*reversed(_resistor(u))),
    "additive": _additive,
}
# Gaussian processes with a kernel of the students' (Gaussian, median width), and with exp(-|x - x'| / l)
PROCESSES = ("gp_same", "gp_rough")
TARGETS = (*FORMULAS, *PROCESSES)


def draw(problem: Problem, sizes: Sizes, seed: int) -> Sample:
    """Draw training, validation and test data: uniform inputs, standardised by the training inputs."""
    if problem.target in TABLES:
        return _split_table(problem.target, sizes, seed)
    rng = np.random.default_rng(derive_seed("problem", problem.target, problem.noise, problem.kind, seed))
    rows, end = sizes.rows, sizes.rows + sizes.validation
    u = rng.random((end + sizes.test, INPUTS))
    x = (u - u[:rows].mean(axis=0)) / u[:rows].std(axis=0)
    f = _process(problem.target, x, rng) if problem.target in PROCESSES else FORMULAS[problem.target](u)
    f = f if problem.target == "friedman1" else f * SCALE / f.std()
    y = f + problem.noise * _noise(problem.kind, u, rng)
    variance = problem.noise**2
    if problem.kind == "shuffled":
        y, variance = rng.permutation(y), float(y.var())
        f = np.full_like(f, y.mean())
    held = slice(rows, end)
    return Sample(x[:rows], y[:rows], x[held], y[held], x[end:], y[end:], f[end:], variance)


def _split_table(name: str, sizes: Sizes, seed: int) -> Sample:
    """Split a table at random, labels standardised too; test labels stand for targets without noise."""
    table = load_table(name)
    order = np.random.default_rng(derive_seed("table", name, seed)).permutation(len(table.y))
    train, test = order[: sizes.rows], order[sizes.rows : sizes.rows + sizes.test]
    spread = table.x[train].std(axis=0)
    x = (table.x - table.x[train].mean(axis=0)) / np.where(spread > 0, spread, 1)
    y = (table.y - table.y[train].mean()) / table.y[train].std()
    return Sample(x[train], y[train], x[:0], y[:0], x[test], y[test], y[test], 0.0)


def _noise(kind: str, u: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noise = rng.standard_normal(len(u))
    if kind != "heteroscedastic":
        return noise
    size = 0.25 + 1.5 * u[:, 0]
    return noise * size / np.sqrt(1 / 16 + 3 / 8 + 3 / 4)  # mean square 1 over uniform inputs


def _process(name: str, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    distances = cdist(x, x)
    median = np.median(distances)
    if name == "gp_same":
        gram = np.exp(-0.5 * (distances / median) ** 2)
    else:
        gram = np.exp(-distances / (_ROUGH * median))
    gram[np.diag_indices_from(gram)] += 1e-8
    return np.linalg.cholesky(gram) @ rng.standard_normal(len(x))
