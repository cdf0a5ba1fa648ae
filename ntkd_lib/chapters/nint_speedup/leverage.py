"""Cells that train for a while and look at the diagonal of the tangent kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from ntkd_lib.chapters.nint_speedup.subject import make_signal
from ntkd_lib.inr.network import StackNetwork
from ntkd_lib.inr.networks import build
from ntkd_lib.inr.samplers.nint import Nint
from ntkd_lib.inr.scores import fused, leverage
from ntkd_lib.inr.training import TrainingRun
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.memory import keep_freed_memory
from ntkd_lib.lab.seeds import derive_seed, deterministic


def run(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Train a network as NINT does, and look at ``theta(x, x)`` and the scores at some steps.

    Args:
        arguments: ``subject``, ``sha256``, ``seed``, ``network``, ``share``, ``lr``, ``looks`` (steps).

    Returns:
        For each look the ratio of the 99th to the 1st percentile of the diagonal, the rank correlation of
        the diagonal with the image's gradient, and that of the true score with the prediction's norm (which
        the released code takes) and with the error; the diagonals of the first and the last look.
    """
    del needs
    deterministic(arguments["seed"])
    keep_freed_memory()
    signal = make_signal(arguments["subject"], arguments["sha256"])
    torch.manual_seed(derive_seed("nint", "network", arguments["seed"]))
    spec = arguments["network"]
    net = build(spec["name"], 2, signal.values.shape[1], spec["width"], spec["hidden"])
    sampler = Nint(
        signal, int(arguments["share"] * len(signal.values)), derive_seed("nint", "draws", arguments["seed"])
    )
    fit = TrainingRun(StackNetwork(net), signal, sampler, arguments["lr"])
    looks, maps = [], {}
    for step in arguments["looks"]:
        fit.advance(step - fit.step)
        diagonal = leverage(fit.network, signal.coordinates).numpy()
        looks.append({"step": step, **_look(fit, diagonal)})
        maps[f"diagonal.{step}"] = diagonal.astype(np.float32)
    return CellResult({"looks": looks}, maps)


def _look(fit: TrainingRun, diagonal: np.ndarray) -> dict[str, float]:
    signal = fit.signal
    moved = fused(fit.network, signal.coordinates, signal.values)
    prediction = (moved.residuals + signal.values).norm(dim=1).numpy()
    low, high = np.percentile(diagonal, [1, 99])
    score = moved.norms.numpy()
    return {
        "ratio": float(high / low),
        "edges": _rank(diagonal, signal.edges.numpy()),
        "prediction": _rank(score, prediction),
        "error": _rank(score, moved.residuals.norm(dim=1).numpy()),
    }


def _rank(first: np.ndarray, second: np.ndarray) -> float:
    """Rank correlation; 0 where one of them is constant."""
    return 0.0 if np.ptp(first) == 0 or np.ptp(second) == 0 else float(spearmanr(first, second).statistic)
