"""Diagonal of the tangent kernel during training with NINT, and rank correlations of scores."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import spearmanr

from ntkd_lib.chapters.nint.methods import LR, SHARE
from ntkd_lib.chapters.nint.parameters import NintParameters
from ntkd_lib.chapters.nint.work import NetworkShape, Subject, make_network, make_signal, pass_seconds
from ntkd_lib.inr import Nint, TrainingRun
from ntkd_lib.inr.network import StackNetwork
from ntkd_lib.inr.scores import fused
from ntkd_lib.inr.scores import leverage as kernel_diagonal
from ntkd_lib.lab import Cell, CellResult, derive_seed, deterministic, keep_freed_memory
from ntkd_lib.lab.work import Data, work

LOOKS = (0, 50, 400)


@work(cost=lambda subject, network, looks, **_: 1 + 1.9 * pass_seconds(subject, network) * looks[-1])
def leverage(data: Data, subject: Subject, seed: int, network: NetworkShape, looks: list[int]) -> CellResult:
    """Train a network with NINT; measure its kernel's diagonal and agreement of scores at some steps."""
    deterministic(seed)
    keep_freed_memory()
    signal = make_signal(subject, data)
    batch = int(SHARE * len(signal.values))
    sampler = Nint(signal, batch, derive_seed("nint", "draws", seed))
    fit = TrainingRun(StackNetwork(make_network(network, signal, seed)), signal, sampler, LR)
    rows, maps = [], {}
    for step in looks:
        fit.advance(step - fit.step)
        diagonal = kernel_diagonal(fit.network, signal.coordinates).numpy()
        rows.append({"step": step, **_look(fit, diagonal)})
        maps[f"diagonal.{step}"] = diagonal.astype(np.float32)
    return CellResult({"looks": rows}, maps)


def _look(fit: TrainingRun, diagonal: np.ndarray) -> dict[str, float]:
    signal = fit.signal
    refresh = fused(fit.network, signal.coordinates, signal.values)
    prediction = (refresh.residuals + signal.values).norm(dim=1).numpy()
    low, high = np.percentile(diagonal, [1, 99])
    score = refresh.norms.numpy()
    return {
        "ratio": float(high / low),
        "edges": _rank(diagonal, signal.edges.numpy()),
        "prediction": _rank(score, prediction),  # what the released code takes
        "error": _rank(score, refresh.residuals.norm(dim=1).numpy()),
    }


def _rank(first: np.ndarray, second: np.ndarray) -> float:
    """Compute the rank correlation; 0 if one of them is constant."""
    return 0.0 if np.ptp(first) == 0 or np.ptp(second) == 0 else float(spearmanr(first, second).statistic)


def cells(p: NintParameters, signals: Data, images: Sequence[str]) -> list[Cell]:
    """Describe the looks at each image and seed."""
    return [
        leverage.cell(
            data=signals,
            subject=Subject("image", p.side, name),
            seed=seed,
            network=NetworkShape("siren", p.width),
            looks=sorted({min(look, p.steps) for look in LOOKS}),
        )
        for seed in p.all_seeds
        for name in images
    ]
