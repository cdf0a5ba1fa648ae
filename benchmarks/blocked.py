"""A kernel larger than a worker: CIFAR-10 images, the optical student, two worker processes of 4 GiB each.

``python -m benchmarks.blocked --images 20000`` prints seconds, each worker's peak memory, a checksum of the
kernel on disk, its largest difference from float64 on random entries, and seconds and residual of a ridge
regression on it; with ``--kill`` a second run loses one worker half way and must give the same checksum.
"""

import os
import resource
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import dask.array as da
import numpy as np
import torch
from torch import Tensor, nn

from ntkd_lib.data.load import load
from ntkd_lib.lab.digest import sha256_bytes, sha256_file
from ntkd_lib.ntk.blocked import blocked_ntk
from ntkd_lib.ntk.blocked_linear_algebra import randomised_svd, ridge_solve
from ntkd_lib.ntk.blocked_store import save_blocks
from ntkd_lib.ntk.reference import reference_jacobian
from ntkd_lib.optics.student import cifar_student

RANK, RIDGE = 100, 1e-2  # the preconditioner's rank; a share of the mean diagonal
CHECKED = 8  # images a side of random entries computed again in float64


def peak_memory() -> int:
    """Return the peak memory of this process.

    Returns:
        Bytes.
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def checksum(folder: Path) -> str:
    """Hash all blocks of a kernel on disk.

    Args:
        folder: Where `save_blocks` put it.

    Returns:
        16 hexadecimal digits.
    """
    files = sorted(path for path in (folder / "c").rglob("*") if path.is_file())
    return sha256_bytes("".join(sha256_file(path) for path in files).encode())[:16]


def blocks(folder: Path) -> int:
    """Count the blocks on disk.

    Args:
        folder: Where `save_blocks` puts them.
    """
    return sum(path.suffix != ".partial" for path in folder.glob("c/*/*"))


def kill_half_way(cluster: Any, folder: Path, total: int) -> None:
    """Kill one worker process when half of the blocks are on disk.

    Args:
        folder: Where the blocks appear.
    """
    while blocks(folder) < total // 2:
        time.sleep(0.05)
    worker = next(iter(cluster.workers.values()))
    os.kill(worker.pid, signal.SIGKILL)
    print(f"  killed one worker with {blocks(folder)} of {total} blocks on disk")


def largest_difference(student: nn.Module, samples: Tensor, kernel: da.Array) -> float:
    """Compare random rows and columns of the kernel on disk with a loop of gradients in float64.

    Returns:
        Largest difference as a share of the kernel's largest entry there.
    """
    drawn = [np.sort(np.random.default_rng(seed).choice(len(samples), CHECKED, False)) for seed in (0, 1)]
    left, right = (reference_jacobian(student, samples[torch.from_numpy(d)]).flatten(1) for d in drawn)
    exact = (left @ right.T).numpy()
    ours = kernel[drawn[0]][:, drawn[1]].compute()
    return float(np.abs(ours - exact).max() / np.abs(exact).max())


def regress(kernel: da.Array, labels: Tensor) -> None:
    """Regress the classes on the kernel on disk, and print what it took and what is left of the residual."""
    start = time.perf_counter()
    targets = nn.functional.one_hot(labels.long()).double().numpy() - 0.1
    ridge = RIDGE * float(da.diag(kernel).mean().compute())
    weights = ridge_solve(kernel, targets, ridge, eigenpairs=randomised_svd(kernel, RANK, seed=0))
    seconds = time.perf_counter() - start
    fitted = (kernel @ da.from_array(weights, chunks=(kernel.chunks[1], -1))).compute()
    residual = np.linalg.norm(fitted + ridge * weights - targets) / np.linalg.norm(targets)
    right = (fitted.argmax(1) == labels.numpy()).mean()
    print(f"  ridge regression {seconds:.1f} s, residual {residual:.1e}, {right:.1%} of its images fitted")


def run(images: int, block: int | str, folder: Path, disturb: Callable[..., None] | None = None) -> str:
    """Compute the kernel on two fresh workers and print what it and a ridge regression on it took.

    Args:
        images: Training images of CIFAR-10.
        block: Images per side of a block, or ``"auto"``.
        folder: Where the kernel is kept.
    """
    from distributed import Client, LocalCluster

    torch.manual_seed(0)
    data = load("cifar-10", "train")
    student, samples = cifar_student(), data.images[:images].float() / 255
    workers = {"n_workers": 2, "threads_per_worker": 1, "memory_limit": "4GiB", "dashboard_address": ":0"}
    with LocalCluster(**workers) as cluster, Client(cluster) as client:
        start = time.perf_counter()
        kernel = blocked_ntk(student, samples, block=block)
        print(f"  kernel {kernel.shape}, {kernel.nbytes / 2**30:.2f} GiB, blocks of {kernel.chunksize[0]}")
        beside = threading.Thread(
            target=disturb or (lambda *_: None), args=(cluster, folder, kernel.npartitions)
        )
        beside.start()
        kernel = save_blocks(kernel, folder)
        seconds = time.perf_counter() - start
        beside.join()
        if disturb is None:
            regress(kernel, data.labels[:images])
            print(f"  largest difference from float64 {largest_difference(student, samples, kernel):.1e}")
        peaks = [f"{peak / 2**30:.2f}" for peak in client.run(peak_memory).values()]
    digest = checksum(folder)
    print(f"  {seconds:.1f} s, peak memory of the workers {' and '.join(peaks)} GiB, checksum {digest}")
    return digest


@click.command()
@click.option("--images", default=20_000, show_default=True, help="Training images of CIFAR-10.")
@click.option("--block", default=0, help="Images a side of a block; 0 for as many as fit.")
@click.option("--kill", is_flag=True, help="Run again, kill one worker half way, and compare.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where kernels are kept, a temporary folder.")
def main(images: int, block: int, kill: bool, folder: Path | None) -> None:
    """Compute a blocked kernel on two worker processes of 4 GiB each."""
    with tempfile.TemporaryDirectory() as scratch:
        root = folder or Path(scratch)
        print("undisturbed")
        whole = run(images, block or "auto", root / "undisturbed")
        if kill:
            print("one worker killed half way")
            again = run(images, block or "auto", root / "killed", kill_half_way)
            print("same checksum" if again == whole else "ANOTHER CHECKSUM")
            raise SystemExit(again != whole)


if __name__ == "__main__":
    main()
