"""Ridge regression on a tangent kernel: random blocks of rows, conjugate gradients, and a Cholesky factor.

``python -m benchmarks.ridge --peer PYTHON`` adds the preconditioned conjugate gradients of rlaopt 0.1.0, run
by an interpreter that has it (``pip install rlaopt``). The kernel is in memory, so that seconds tell what the
solvers cost; passes tell what they would cost if its rows were computed on demand.
"""

import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import dask.array as da
import numpy as np
import torch
from scipy.linalg import cho_factor, cho_solve
from torch import nn

from ntkd_lib.data.load import load
from ntkd_lib.ntk import empirical_ntk
from ntkd_lib.ntk.block_ridge import ridge_by_blocks
from ntkd_lib.ntk.blocked_linear_algebra import randomised_svd, ridge_solve
from ntkd_lib.optics.student import cifar_student

IMAGES, BLOCKS, RANK, TOLERANCE = 3000, 10, 100, 1e-6
RIDGES = (1e-1, 1e-2, 1e-3)  # shares of the mean diagonal
COLUMNS = 9  # all ten centred classes are dependent columns, on which the peer's block method breaks down

Solver = Callable[..., np.ndarray]


class CountedKernel:
    """A kernel that counts how many of its rows were read."""

    def __init__(self, kernel: np.ndarray) -> None:
        """Start at none."""
        self.kernel, self.read = kernel, 0
        self.shape, self.ndim, self.dtype = kernel.shape, kernel.ndim, kernel.dtype

    def __getitem__(self, places: Any) -> np.ndarray:
        """Read some rows."""
        part = self.kernel[places]
        self.read += len(part)
        return part


def make_problem() -> tuple[np.ndarray, np.ndarray]:
    """Compute the tangent kernel of an untrained optical student on colour images, and centred classes."""
    torch.manual_seed(0)
    data = load("cifar-10", "train")
    kernel = empirical_ntk(cifar_student(), data.images[:IMAGES].float() / 255, kind="trace").detach()
    classes = nn.functional.one_hot(data.labels[:IMAGES])[:, :COLUMNS]
    return kernel.double().numpy(), classes.double().numpy() - 0.1


def by_blocks(kernel: CountedKernel, targets: np.ndarray, ridge: float) -> np.ndarray:
    """Solve by random blocks of rows."""
    block = IMAGES // BLOCKS
    return ridge_by_blocks(
        kernel.__getitem__, targets, ridge, block=block, rank=RANK, tolerance=TOLERANCE, seed=0
    )


def by_gradients(kernel: CountedKernel, targets: np.ndarray, ridge: float) -> np.ndarray:
    """Solve by conjugate gradients, preconditioned by the leading eigenpairs."""
    array = da.from_array(kernel, chunks=IMAGES, asarray=False)
    pairs = randomised_svd(array, RANK, seed=0)
    return ridge_solve(array, targets, ridge, tolerance=TOLERANCE, eigenpairs=pairs)


def by_factor(kernel: CountedKernel, targets: np.ndarray, ridge: float) -> np.ndarray:
    """Solve by a Cholesky factor, which is as large as the kernel."""
    return cho_solve(cho_factor(kernel[:] + ridge * np.eye(IMAGES)), targets)


def by_peer(python: str, folder: Path, ridge: float) -> tuple[np.ndarray, float, float]:
    """Solve by rlaopt; return its coefficients, passes and CPU seconds."""
    script = str(Path(__file__).with_name("ridge_peer.py"))
    command = [python, script, str(folder), str(ridge), str(RANK), str(TOLERANCE)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    told = json.loads(done.stdout)
    return np.load(folder / "weights.npy"), told["passes"], told["seconds"]


def timed(solve: Solver, kernel: np.ndarray, *problem: Any) -> tuple[np.ndarray, float, float]:
    """Run a solver on one thread; return its coefficients, passes and CPU seconds."""
    counted, start = CountedKernel(kernel), time.process_time()
    weights = solve(counted, *problem)
    return weights, counted.read / IMAGES, time.process_time() - start


def main(peer: str | None = None) -> None:
    """Print a table for each ridge, with errors against the Cholesky factor."""
    torch.set_num_threads(1)
    kernel, targets = make_problem()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        np.save(folder / "kernel.npy", kernel)
        np.save(folder / "targets.npy", targets)
        for share in RIDGES:
            ridge = share * float(kernel.diagonal().mean())
            ways = {"random blocks": by_blocks, "conjugate gradients": by_gradients, "Cholesky": by_factor}
            rows = {name: timed(way, kernel, targets, ridge) for name, way in ways.items()}
            if peer:
                rows["rlaopt, conjugate gradients"] = by_peer(peer, folder, ridge)
            exact, ours = rows["Cholesky"][0], rows["conjugate gradients"][2]
            print(f"ridge {share:g} of the mean diagonal, {IMAGES:,} images, {COLUMNS} columns")
            for name, (weights, passes, seconds) in rows.items():
                error = np.linalg.norm(weights - exact) / np.linalg.norm(exact)
                figures = f"{seconds:8.2f} s {seconds / ours:6.2f} x {passes:6.1f} passes  error {error:.0e}"
                print(f"  {name:<32}{figures}")


if __name__ == "__main__":
    click.command()(click.option("--peer", help="Interpreter that has rlaopt.")(main))()
