"""The matched null: level and power of the test if all its assumptions hold."""

import numpy as np
import torch

from ntkd_lib.chapters.overfitting.problems import INPUTS, SCALE
from ntkd_lib.lab import CellResult, derive_seed, deterministic
from ntkd_lib.lab.work import work
from ntkd_lib.spectral import gaussian_kernels, relevant_dimension
from ntkd_lib.spectral.basis import Basis, eigenbasis
from ntkd_lib.spectral.optimism import tail_statistic
from ntkd_lib.spectral.stacked import squared_error, stacked_nets, train_stacked

KSTAR, NOISE, WIDTHS, EPOCHS, RATE = 30, 1.0, (64, 32), 150, 3e-3


@work(cost=lambda **_: 2.0)
def matched_null(seed: int, rows: int, replicates: int) -> CellResult:
    """Draw targets from the kernel's own Gaussian process, cut at `KSTAR`, and test networks."""
    deterministic(seed)
    rng = np.random.default_rng(derive_seed("null", seed))
    x = rng.standard_normal((rows, INPUTS))
    basis = eigenbasis(gaussian_kernels(x, (1.0,))[0], x)
    targets = _targets(basis, rng, replicates)
    tested, other = (targets + NOISE * rng.standard_normal((rows, replicates)) for _ in range(2))
    labels = basis.coefficients(tested - tested.mean(axis=0))
    independent, own = (_fit_networks(basis, x, y, seed) for y in (other, tested))
    return CellResult(
        {"kstar": KSTAR},
        {
            "independent": _statistics(independent, labels, estimated=False),
            "estimated": _statistics(independent, labels, estimated=True),
            "own": _statistics(own, labels, estimated=False),
        },
    )


def _targets(basis: Basis, rng: np.random.Generator, count: int) -> np.ndarray:
    weights = np.sqrt(basis.values[:KSTAR, None]) * rng.standard_normal((KSTAR, count))
    drawn = basis.vectors[:, :KSTAR] @ weights
    return drawn * SCALE / drawn.std(axis=0)


def _fit_networks(basis: Basis, x: np.ndarray, y: np.ndarray, seed: int) -> np.ndarray:
    """Train one network per column of labels and expand its outputs in the basis."""
    count = y.shape[1]
    nets = stacked_nets(INPUTS, WIDTHS, 1, [derive_seed("null-net", seed, i) for i in range(count)])
    inputs = torch.tensor(x, dtype=torch.float32).expand(count, *x.shape)
    labels = torch.tensor(y.T / SCALE, dtype=torch.float32)
    train_stacked(nets, squared_error(labels, torch.ones_like(labels)), inputs, EPOCHS, lr=RATE)
    with torch.no_grad():
        fitted = SCALE * nets(inputs)[:, :, 0].double().numpy().T
    return basis.coefficients(fitted - fitted.mean(axis=0))


def _statistics(fitted: np.ndarray, labels: np.ndarray, *, estimated: bool) -> np.ndarray:
    cuts = [relevant_dimension(b) if estimated else (KSTAR, NOISE) for b in labels.T]
    pairs = zip(fitted.T, labels.T, cuts, strict=True)
    return np.array([float(tail_statistic(a, b, *cut)) for a, b, cut in pairs])
