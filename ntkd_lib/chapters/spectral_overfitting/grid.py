"""The validation grid: problems, weight decay, and the refits that other methods need."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from ntkd_lib.chapters.spectral_overfitting.problems import TARGETS, Problem
from ntkd_lib.lab.seeds import derive_seed

FOLDS = 5
DECAY = 0.3
CHANGE = 0.1  # of the labels' standard deviation
REFITS = (*(f"fold{i}" for i in range(FOLDS)), "holdout", "perturbed")


@dataclass(frozen=True)
class Setting:
    """One problem of the grid.

    Attributes:
        problem: How data are drawn.
        decay: Weight decay.
        compared: Whether the methods that need refits are run too.
    """

    problem: Problem
    decay: float = 0.0
    compared: bool = False

    @property
    def label(self) -> str:
        """Name of the setting."""
        kind = "" if self.problem.kind == "plain" else f", {self.problem.kind}"
        return f"{self.problem.target}, noise {self.problem.noise:g}{kind}{', decay' if self.decay else ''}"


def small_settings() -> list[Setting]:
    """List the settings that every seed runs at the grid's usual sample size."""
    extremes = [Setting(Problem(target, noise)) for target in TARGETS for noise in (0.1, 2.0)]
    compared = {("friedman1", 1.0), ("friedman1", 2.0)}
    plain = [
        *extremes,
        *(Setting(Problem(target, 1.0)) for target in TARGETS),
        *(Setting(Problem(target, 0.5)) for target in ("friedman1", "gp_same")),
    ]
    return [
        *(Setting(s.problem, 0.0, (s.problem.target, s.problem.noise) in compared) for s in plain),
        *(Setting(Problem("friedman1", 1.0, kind)) for kind in ("heteroscedastic", "shuffled")),
        *(Setting(Problem("friedman1", noise), DECAY) for noise in (1.0, 2.0)),
    ]


def large_settings() -> list[Setting]:
    """List the settings of the larger sample sizes."""
    return [Setting(Problem("friedman1", 1.0))]


def jobs(settings: list[Setting]) -> list[dict[str, Any]]:
    """List the fits that settings ask for, as plain data."""
    return [
        {
            "setting": place,
            "target": setting.problem.target,
            "noise": setting.problem.noise,
            "kind": setting.problem.kind,
            "decay": setting.decay,
            "role": role,
        }
        for place, setting in enumerate(settings)
        for role in ("all", *(REFITS if setting.compared else ()))
    ]


def trained_on(role: str, rows: int, seed: int) -> Float[np.ndarray, " n"]:
    """Mark the training samples that a fit may see."""
    if role in ("all", "perturbed"):
        return np.ones(rows)
    order = np.random.default_rng(derive_seed("folds", seed, rows)).permutation(rows)
    left_out = 0 if role == "holdout" else int(role.removeprefix("fold"))
    mask = np.ones(rows)
    mask[order[left_out::FOLDS]] = 0
    return mask


def label_change(y: Float[np.ndarray, " n"], seed: int) -> Float[np.ndarray, " n"]:
    """Give what a perturbed refit adds to the labels: a tenth of their spread, up or down at random."""
    signs = np.random.default_rng(derive_seed("change", seed, len(y))).choice([-1.0, 1.0], len(y))
    return CHANGE * y.std() * signs
