"""Kernel ridge regression on all samples from random rows of a kernel that is never stored.

Each step reads the rows of a random block ``B`` of samples, preconditions the residual of the block with a
Nystrom approximation of the block's own kernel, and moves the block's coefficients; Nesterov's acceleration
joins the steps. Memory holds ``b n`` numbers, and a pass over the kernel makes ``n / b`` steps.

Source: Rathore, Frangella, Yang, Derezinski and Udell (2025), ASkotch, arXiv 2407.10070.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import LinAlgError, cholesky, solve_triangular
from torch import Tensor

Rows = Callable[[Int[np.ndarray, " b"]], Float[np.ndarray, "b n"]]
POWER_STEPS = 10
MEMORY = 0.8  # share of the running mean of block residuals that a step leaves as it is


def ridge_by_blocks(
    rows: Rows,
    targets: Float[np.ndarray | Tensor, "n c"],
    ridge: float,
    *,
    block: int,
    rank: int = 100,
    tolerance: float = 1e-6,
    passes: int = 200,
    seed: int,
) -> Float[np.ndarray, "n c"]:
    """Solve ``(Theta + ridge I) A = Y`` in float64 from rows ``Theta[B]``, all columns in one run.

    For so many samples that few passes can be afforded, and a ridge that is no small share of the kernel's
    diagonal; below, and for kernels on disk, `ridge_solve` with eigenpairs takes fewer passes.

    Args:
        rows: Returns the rows of some samples, such as ``lambda b: empirical_ntk(model, x[b], x, ...)``.
        block: Samples of a block, ``b``.
        rank: Rank of the preconditioner, at most ``b``.
        tolerance: Norm of the residual, relative to the norm of the targets. One more pass computes it when
            the mean over recent blocks is as small.
        passes: Passes over the kernel at most, without the last of these.

    Raises:
        ValueError: Targets, a block, rank or ridge that are not allowed, other rows than a kernel's.
        RuntimeError: A tolerance that was not met.
    """
    targets = np.asarray(targets, dtype=np.float64)
    n = len(targets)
    if targets.ndim != 2 or not np.isfinite(targets).all():
        raise ValueError(f"targets: got shape {targets.shape}, needs finite numbers of shape (n, c)")
    if not 1 <= block <= n:
        raise ValueError(f"block: got {block}, allowed are 1 to {n}")
    if not 1 <= rank <= block:
        raise ValueError(f"rank: got {rank}, allowed are 1 to the block's {block}")
    if not ridge > 0:
        raise ValueError(f"ridge: got {ridge}, needs to be above 0")
    rng, per_pass, residual = np.random.default_rng(seed), n / block, 1.0
    size = np.linalg.norm(targets) or 1.0
    mean = z = np.zeros(targets.shape)

    def differentiate(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        part = np.asarray(rows(places), dtype=np.float64)
        if part.shape != (len(places), n):
            raise ValueError(f"rows: got shape {part.shape}, needs {(len(places), n)}")
        return part[:, places], part @ z + ridge * z[places] - targets[places]

    left = due = passes * n  # rows that may be read, in all and when the residual is checked next
    while left >= block:
        places = np.sort(rng.choice(n, block, replace=False))
        own, gradient = differentiate(places)
        diagonal = own.diagonal().mean()
        if not diagonal > 0:
            raise ValueError(f"rows: got a mean diagonal of {diagonal:g}, needs to be above 0")
        residual = MEMORY * residual + (1 - MEMORY) * np.linalg.norm(gradient) * np.sqrt(per_pass) / size
        left -= block
        if residual <= tolerance and left <= due:  # perhaps since recent blocks have no targets
            parts = [differentiate(part)[1] for part in np.array_split(np.arange(n), -(-n // block))]
            residual, left = np.linalg.norm(np.concatenate(parts)) / size, left - n
            due = max(left - n, block - 1)
            if residual <= tolerance:
                return z
        step = _preconditioned(own, gradient, ridge, rank, rng)
        mean, z = _accelerate(mean, z, step, places, ridge / diagonal, per_pass)
    came = f"residual {residual:.1e} after {passes} passes, wanted {tolerance:g}"
    raise RuntimeError(f"ridge_by_blocks: {came}; raise the ridge, the rank or the block")


def _accelerate(
    mean: np.ndarray, z: np.ndarray, step: np.ndarray, places: np.ndarray, ridge: float, nu: float
) -> tuple[np.ndarray, np.ndarray]:
    """Move the averaged coefficients and the point of the next residual; ``nu = n / b``, ``mu nu <= 1``."""
    mu = min(ridge, 1 / nu)
    gamma = 1 / np.sqrt(mu * nu)
    alpha, beta = 1 / (1 + gamma * nu), 1 - np.sqrt(mu / nu)
    moved, mean = z.copy(), beta * mean + (1 - beta) * z
    moved[places] -= step
    mean[places] -= gamma * step
    return mean, alpha * mean + (1 - alpha) * moved


def _preconditioned(
    own: Float[np.ndarray, "b b"],
    gradient: Float[np.ndarray, "b c"],
    ridge: float,
    rank: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "b c"]:
    """Compute ``(Theta^_BB + rho I)^-1 g / L`` with ``rho = ridge + lambda_r``, ``L`` by power steps."""
    values, vectors = _nystrom(own, rank, rng)
    rho = ridge + values[-1]
    scale = 1 / (values + rho) - 1 / rho

    def solve(x: np.ndarray) -> np.ndarray:
        return x / rho + vectors @ (scale[:, None] * (vectors.T @ x))

    x = rng.standard_normal((len(own), 1))
    for _ in range(POWER_STEPS):
        x = solve(x / np.linalg.norm(x))
        x = own @ x + ridge * x
    return solve(gradient) / max(1.0, float(np.linalg.norm(x)))


def _nystrom(
    own: Float[np.ndarray, "b b"], rank: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, "b r"]]:
    """Approximate the leading eigenpairs, as in Frangella, Tropp and Udell (2021), Algorithm 2.1."""
    directions = np.linalg.qr(rng.standard_normal((len(own), rank)))[0]
    products = own @ directions
    shift = np.sqrt(len(own)) * np.finfo(float).eps * np.linalg.norm(products)
    products += shift * directions
    try:
        root = cholesky(directions.T @ products)
    except LinAlgError:
        raise ValueError("rows: got a block with negative eigenvalues, needs those of a kernel") from None
    vectors, values, _ = np.linalg.svd(solve_triangular(root, products.T, trans=1).T, full_matrices=False)
    return np.maximum(values**2 - shift, 0), vectors
