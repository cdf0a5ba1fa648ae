"""Infinitely many random filters with all training images: the kernel in blocks on disk."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import dask.array as da
import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int, UInt8
from torch.nn.functional import one_hot

from ntkd_lib.chapters.classification.methods import SPLIT
from ntkd_lib.chapters.classification.studies.random_filters import FILTER_SIZE, first_images
from ntkd_lib.chapters.classification.studies.ridge import accuracy_of_fit, choose_ridge
from ntkd_lib.data.load import train_validation_split
from ntkd_lib.lab import Cell, CellResult, deterministic, recorded_metrics
from ntkd_lib.lab.layout import kernel_root
from ntkd_lib.lab.work import Data, work
from ntkd_lib.ntk import blocked_flattened_ntk, randomised_svd, ridge_solve, save_blocks

TOLERANCE = 1e-5
LIMIT = "ntkd.random.cifar10.infinite"
ALL_IMAGES, FEWER_IMAGES = f"{LIMIT}.accuracy", f"{LIMIT}.images_{{}}.accuracy"
TRAINED = 45_000  # what the students' split leaves
FITTED, HALVINGS = 20_480, range(5)


class Problem(NamedTuple):
    """Images to train and to test on, and their classes."""

    train: UInt8[np.ndarray, "n l h w"]
    labels: Int[np.ndarray, " n"]
    test: UInt8[np.ndarray, "m l h w"]
    truth: Int[np.ndarray, " m"]


def cell(parameters: Mapping[str, Any], data: Data, seed: int) -> Cell:
    """Regress labels of all colour images, with the registered parameters."""
    names = ("images", "fitted", "validated", "block", "rank", "compiled")
    fixed = {name: parameters[name] for name in names}
    return regress_all.cell(data=data, seed=seed, count=fixed.pop("images"), **fixed)


def few_counts(fitted: int) -> list[int]:
    """List the smaller numbers of images: as many as are fitted for the ridge, half of them, and so on."""
    return [fitted >> halvings for halvings in HALVINGS]


# NTKD paper, Table 5, last row, and Eq. 3-4; the ridge is chosen on the first images; blocks are reused.
@work(cost=lambda **_: 6600.0)
def regress_all(
    data: Data, seed: int, *, count: int, fitted: int, validated: int, block: int, rank: int, compiled: bool
) -> CellResult:
    """Regress labels on the kernel of infinitely many Gaussian filters with the students' images."""
    deterministic(seed)
    problem = load_problem(data, count)
    described = kernels(problem, block=block, compiled=compiled)
    own, cross = (save_blocks(kernel, str(kernel_root() / kernel.name)) for kernel in described)
    seen = fitted + validated
    theta = torch.tensor(own[:seen, :seen].compute(scheduler="threads"))
    labels, truth = torch.tensor(problem.labels), torch.tensor(problem.truth)
    part = theta[:fitted, :fitted]
    ridge, validation = choose_ridge(part, labels[:fitted], theta[fitted:, :fitted], labels[fitted:seen])
    others = torch.tensor(cross[:, :fitted].compute(scheduler="threads"))
    few = {
        str(n): accuracy_of_fit(part[:n, :n], labels[:n], others[:, :n], truth, ridge)
        for n in reversed(few_counts(fitted))
    }
    scores = fit(own, cross, problem.labels, ridge, rank=rank, seed=seed)
    accuracy = 100 * float((scores.argmax(1) == problem.truth).mean())
    values = {"accuracy": accuracy, "validation": validation, "ridge": ridge}
    return CellResult({**values, "images": len(problem.train), "few": few})


def fit(
    own: da.Array, cross: da.Array, labels: Int[np.ndarray, " n"], ridge: float, *, rank: int, seed: int
) -> Float[np.ndarray, "m 10"]:
    """Fit all images and compute scores by class of the test images."""
    targets = one_hot(torch.tensor(labels), 10).double().numpy() - 0.1
    scale = float(da.diag(own).mean().compute(scheduler="threads"))
    pairs = randomised_svd(own, rank, power_iterations=1, seed=seed)
    solved = ridge_solve(own, targets, ridge * scale, tolerance=TOLERANCE, eigenpairs=pairs)
    return (cross @ da.from_array(solved, chunks=(cross.chunks[1], -1))).compute(scheduler="threads")


def load_problem(data: Data, count: int) -> Problem:
    """Load images as bytes: of the training set those that students train on."""
    images, labels = first_images(data, "train", count)
    test, truth = first_images(data, "test", count // 5)
    rows, _ = train_validation_split(len(labels), SPLIT["seed"], SPLIT["validation"])
    return Problem(images[rows].numpy(), labels[rows].numpy(), test.numpy(), truth.numpy())


def kernels(problem: Problem, **form: Any) -> Sequence[da.Array]:
    """Describe the kernels of training images, and between test and training images, uncomputed."""
    form |= {"filter_size": FILTER_SIZE}
    own = blocked_flattened_ntk(problem.train, **form)
    return own, blocked_flattened_ntk(problem.test, problem.train, **form)


def recorded_limit() -> pd.DataFrame:
    """List how the recorded regression gains from images."""
    metrics = recorded_metrics("01_infinite_width")
    counts = {FEWER_IMAGES.format(n): n for n in reversed(few_counts(FITTED))} | {ALL_IMAGES: TRAINED}
    rows = [(n, metrics[name].values[0]) for name, n in counts.items() if name in metrics]
    return pd.DataFrame(rows, columns=["images", "accuracy"])
