"""The cell that regresses labels on the kernel of infinitely many filters, with all training images."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch.nn.functional import one_hot

from ntkd_lib.chapters.ntkd_colour.setting import SPLIT_SEED, VALIDATION_SHARE, first_images
from ntkd_lib.chapters.ntkd_controls.regression import choose, hits
from ntkd_lib.data.load import train_validation_split
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.layout import kernel_root
from ntkd_lib.lab.seeds import deterministic
from ntkd_lib.ntk.blocked_linear_algebra import randomised_svd, ridge_solve
from ntkd_lib.ntk.blocked_store import save_blocks
from ntkd_lib.ntk.infinite.blocked import blocked_flattened_ntk

FILTER_SIZE = 7
TOLERANCE = 1e-5


class Problem(NamedTuple):
    """Images to train and to test on.

    Attributes:
        train: Training images.
        labels: Their classes.
        test: Test images.
        truth: Their classes.
    """

    train: UInt8[np.ndarray, "n l h w"]
    labels: Int[np.ndarray, " n"]
    test: UInt8[np.ndarray, "m l h w"]
    truth: Int[np.ndarray, " m"]


def regress(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Regress labels on the kernel of infinitely many Gaussian filters, with the images that students have.

    The ridge is chosen by a fit to the first of them on the next ones, as a share of the mean diagonal, and
    kept for all: a fit by conjugate gradients that reads the kernel from disk. Blocks that are on disk
    already are not computed again.

    Source: NTKD paper, Table 5, last row, and Eq. 3-4.

    Args:
        arguments: ``data``, ``sha256``, ``seed``, ``images``: of the training set, before the students'
            split; ``fitted`` and ``validated``: images for the choice of the ridge; ``block``, ``rank``,
            ``compiled``.

    Returns:
        Test ``accuracy`` (percent) with all images, ``validation``, the ``ridge``, the number of ``images``,
        and ``few``: test accuracy by number of images, as many as were fitted for the ridge, half of them,
        and so on.
    """
    del needs
    deterministic(arguments["seed"])
    problem = load_problem(arguments)
    own, cross = (save_blocks(kernel, folder_of(kernel)) for kernel in kernels(problem, arguments))
    fitted, seen = arguments["fitted"], arguments["fitted"] + arguments["validated"]
    theta = torch.tensor(own[:seen, :seen].compute(scheduler="threads"))
    labels, truth = torch.tensor(problem.labels), torch.tensor(problem.truth)
    part = theta[:fitted, :fitted]
    chosen = choose(part, labels[:fitted], theta[fitted:, :fitted], labels[fitted:seen])
    others = torch.tensor(cross[:, :fitted].compute(scheduler="threads"))
    few = {
        str(count): hits(part[:count, :count], labels[:count], others[:, :count], truth, chosen.ridge)
        for count in (fitted >> halvings for halvings in reversed(range(5)))
    }
    scores = fit(own, cross, problem.labels, chosen.ridge, arguments)
    accuracy = 100 * float((scores.argmax(1) == problem.truth).mean())
    found = {"accuracy": accuracy, "validation": chosen.validation, "ridge": chosen.ridge}
    return CellResult({**found, "images": len(problem.train), "few": few})


def fit(
    own: da.Array, cross: da.Array, labels: Int[np.ndarray, " n"], ridge: float, arguments: Mapping[str, Any]
) -> Float[np.ndarray, "m 10"]:
    """Fit all images and predict the test images.

    Args:
        arguments: ``rank`` and ``seed`` of the preconditioner.

    Returns:
        Scores by class.
    """
    targets = one_hot(torch.tensor(labels), 10).double().numpy() - 0.1
    scale = float(da.diag(own).mean().compute(scheduler="threads"))
    pairs = randomised_svd(own, arguments["rank"], power_iterations=1, seed=arguments["seed"])
    solved = ridge_solve(own, targets, ridge * scale, tolerance=TOLERANCE, eigenpairs=pairs)
    return (cross @ da.from_array(solved, chunks=(cross.chunks[1], -1))).compute(scheduler="threads")


def load_problem(arguments: Mapping[str, Any]) -> Problem:
    """Load images: of the training set those that students train on.

    Args:
        arguments: As of `regress`.

    Returns:
        Images in bytes, and their classes.
    """
    name, sha256, count = (arguments[key] for key in ("data", "sha256", "images"))
    images, labels = first_images(name, sha256, "train", count)
    test, truth = first_images(name, sha256, "test", count // 5)
    rows, _ = train_validation_split(len(labels), SPLIT_SEED, VALIDATION_SHARE)
    return Problem(images[rows].numpy(), labels[rows].numpy(), test.numpy(), truth.numpy())


def kernels(problem: Problem, arguments: Mapping[str, Any]) -> Sequence[da.Array]:
    """Describe the kernels, of which nothing is computed yet.

    Args:
        arguments: ``block`` and ``compiled``.

    Returns:
        Kernel of the training images, and between test and training images.
    """
    form = {"filter_size": FILTER_SIZE, "block": arguments["block"], "compiled": arguments["compiled"]}
    own = blocked_flattened_ntk(problem.train, **form)
    return own, blocked_flattened_ntk(problem.test, problem.train, **form)


def folder_of(kernel: da.Array) -> str:
    """Name the folder that a kernel's blocks are kept in."""
    return str(kernel_root() / kernel.name)
