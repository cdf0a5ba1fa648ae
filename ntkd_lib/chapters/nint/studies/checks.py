"""Independent twins that notebook 07 asserts against."""

import numpy as np
import torch

from ntkd_lib.chapters.nint.studies.visits import first_race, fits, image
from ntkd_lib.chapters.run import Run
from ntkd_lib.inr import ErrorMemory, Nint, Signal, UniformDraw, build, wrap
from ntkd_lib.inr.scores import fused
from ntkd_lib.inr.stack import DenseStack
from ntkd_lib.inr.training import Clock, TrainingContext
from ntkd_lib.ntk.reference import reference_ntk


def score_error(points: int = 40) -> float:
    """Compare `J (J^T g)` with the explicit kernel of a small SIREN in float64: relative Frobenius error."""
    torch.manual_seed(0)
    net = build("siren", 2, 3, 16, 2).double()
    x = 2 * torch.rand(points, 2, dtype=torch.float64) - 1
    y = torch.rand(points, 3, dtype=torch.float64)
    moved = fused(DenseStack(net, chunk=64), x, y)
    exact = torch.einsum("ijab,jb->ia", reference_ntk(net, x), moved.residuals)
    return ((moved.change - exact).norm() / exact.norm()).item()


def released_difference() -> float:
    """Compare the released score with the function value, the first output of a JVP: largest difference."""
    torch.manual_seed(0)
    signal = Signal(torch.rand(64, 3), (8, 8))
    net = build("mlp", 2, 3, 8, 2)
    value = net(signal.coordinates).detach().square().sum(1)
    score = TrainingContext(wrap(net), signal, Clock()).score("prediction")
    return (score - value).abs().max().item()


def same_indices(run: Run) -> bool:
    """Check that samplers choose the same points for the same seed."""
    side = run.parameters.side
    signal = Signal(torch.rand(side**2, 3), (side, side))
    view = TrainingContext(wrap(build("siren", 2, 3, 8, 1)), signal, Clock())
    batch = max(1, side**2 // 5)
    pairs = [(kind(signal, batch, 7), kind(signal, batch, 7)) for kind in (UniformDraw, Nint, ErrorMemory)]
    return all(torch.equal(a.indices(0, view), b.indices(0, view)) for a, b in pairs)


def psnr_difference(run: Run) -> float:
    """Compare the last PSNR of each curve of the first race with that of its stored fit, by NumPy."""
    curves, true = first_race(run).values["curves"], image(run).astype(float)
    again = {m: -10 * np.log10(np.mean((fit - true) ** 2)) for m, fit in fits(run, *curves).items()}
    return max(abs(level - curves[m]["quality"][-1]) for m, level in again.items())
