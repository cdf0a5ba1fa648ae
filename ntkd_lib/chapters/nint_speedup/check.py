"""Independent checks at the end of notebook 07: another way to the same numbers."""

from __future__ import annotations

import numpy as np
import torch

from ntkd_lib.chapters.nint_speedup.methods import METHODS
from ntkd_lib.chapters.nint_speedup.studies import fitted, image_of, race_record
from ntkd_lib.chapters.run import Run
from ntkd_lib.inr.clock import Clock
from ntkd_lib.inr.network import wrap
from ntkd_lib.inr.networks import build
from ntkd_lib.inr.samplers.error_memory import ErrorMemory
from ntkd_lib.inr.samplers.nint import Nint
from ntkd_lib.inr.samplers.uniform import UniformDraw
from ntkd_lib.inr.scores import fused
from ntkd_lib.inr.signals import Signal
from ntkd_lib.inr.stack import DenseStack
from ntkd_lib.inr.training import TrainingContext
from ntkd_lib.ntk.reference import reference_ntk


def score_error(points: int = 40) -> float:
    """Compare ``J (J^T g)`` with the explicit kernel of a small SIREN, one backward pass a value, in float64.

    Args:
        points: Number of coordinates.

    Returns:
        Relative error, Frobenius.
    """
    torch.manual_seed(0)
    net = build("siren", 2, 3, 16, 2).double()
    x = 2 * torch.rand(points, 2, dtype=torch.float64) - 1
    y = torch.rand(points, 3, dtype=torch.float64)
    found = fused(DenseStack(net, chunk=64), x, y)
    exact = torch.einsum("ijab,jb->ia", reference_ntk(net, x), found.residuals)
    return ((found.change - exact).norm() / exact.norm()).item()


def released_difference() -> float:
    """Compare the released score with what its code computes: the first output of a JVP, the function value.

    Returns:
        Largest difference between the two over the points.
    """
    torch.manual_seed(0)
    signal = Signal(torch.rand(64, 3), (8, 8))
    net = build("mlp", 2, 3, 8, 2)
    value = net(signal.coordinates).detach().square().sum(1)
    score = TrainingContext(wrap(net), signal, Clock()).score("prediction")
    return (score - value).abs().max().item()


def same_indices(run: Run) -> bool:
    """Say whether samplers choose the same points for the same seed."""
    signal = Signal(torch.rand(run.parameters.side**2, 3), (run.parameters.side,) * 2)
    view = TrainingContext(wrap(build("siren", 2, 3, 8, 1)), signal, Clock())
    batch = max(1, len(signal.values) // 5)
    pairs = [(kind(signal, batch, 7), kind(signal, batch, 7)) for kind in (UniformDraw, Nint, ErrorMemory)]
    return all(torch.equal(a.indices(0, view), b.indices(0, view)) for a, b in pairs)


def psnr_difference(run: Run) -> float:
    """Compare the last PSNR of every curve of the first race with that of its stored fit, by NumPy."""
    curves, image = race_record(run).values["curves"], image_of(run).astype(float)
    found = fitted(run, tuple(m for m in METHODS if m in curves))
    again = {m: -10 * np.log10(np.mean((f - image) ** 2)) for m, f in found.items()}
    return max(abs(again[m] - curves[m]["quality"][-1]) for m in found)
