"""A kernel larger than a worker: CIFAR-10 images, the optical student, two worker processes of 4 GiB each.

``python -m benchmarks.blocked --images 20000`` prints seconds, each worker's peak memory and a checksum of
the kernel on disk; with ``--kill`` a second run loses one worker half way and must give the same checksum.
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
import torch

from ntkd_lib.data.load import load
from ntkd_lib.lab.digest import sha256_bytes, sha256_file
from ntkd_lib.ntk.blocked import blocked_ntk
from ntkd_lib.ntk.blocked_store import save_blocks
from ntkd_lib.optics.student import cifar_student


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


def run(images: int, block: int | str, folder: Path, disturb: Callable[..., None] | None = None) -> str:
    """Compute the kernel on two fresh workers and print what it took.

    Args:
        images: Training images of CIFAR-10.
        block: Images per side of a block, or ``"auto"``.
        folder: Where the kernel is kept.
    """
    from distributed import Client, LocalCluster

    torch.manual_seed(0)
    student, samples = cifar_student(), load("cifar-10", "train").images[:images].float() / 255
    workers = {"n_workers": 2, "threads_per_worker": 1, "memory_limit": "4GiB", "dashboard_address": ":0"}
    with LocalCluster(**workers) as cluster, Client(cluster) as client:
        start = time.perf_counter()
        kernel = blocked_ntk(student, samples, block=block)
        print(f"  kernel {kernel.shape}, {kernel.nbytes / 2**30:.2f} GiB, blocks of {kernel.chunksize[0]}")
        beside = threading.Thread(
            target=disturb or (lambda *_: None), args=(cluster, folder, kernel.npartitions)
        )
        beside.start()
        save_blocks(kernel, folder)
        seconds = time.perf_counter() - start
        beside.join()
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
