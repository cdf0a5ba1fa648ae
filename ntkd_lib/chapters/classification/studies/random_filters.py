"""Random filters: regression on the read-out of some, and on the kernel of infinitely many."""

from collections.abc import Mapping
from functools import cache
from typing import Literal

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from ntkd_lib.chapters.classification.parameters import ClassificationParameters
from ntkd_lib.chapters.classification.studies.ridge import accuracy_of_fit, choose_ridge
from ntkd_lib.data.load import Split, load
from ntkd_lib.lab import Cell, CellResult, deterministic
from ntkd_lib.lab.work import Data, work
from ntkd_lib.ntk.infinite.convolutional import convolutional_kernels
from ntkd_lib.optics.random_kernel import random_filter_kernel

Kind = Literal["positive", "centred"]
KINDS: Mapping[Kind, str] = {"positive": "non-negative", "centred": "non-negative, centred"}
VALIDATION_SHARE = 1 / 5
ALL = 10**6
FILTER_SIZE = 7


def plan(p: ClassificationParameters, data: Mapping[str, Data]) -> list[Cell]:
    """List the regressions on both data sets."""
    cells = []
    for place in (data[p.data], data[p.colour]):
        common = {"data": place, "training": p.random_images, "device": p.device}
        cells += [
            regress.cell(**common, seed=seed, kind=kind, count=count)
            for kind in KINDS
            for count in p.random_filters
            for seed in p.some_seeds
        ]
        cells.append(limit.cell(**common, seed=p.some_seeds[0]))
    return cells


@work(cost=lambda count, training, **_: 1 + 4e-5 * max(count, 300) * training)
def regress(
    data: Data, seed: int, *, training: int, kind: Kind, count: int, device: str = "cpu"
) -> CellResult:
    """Regress labels on the read-out of random non-negative filters."""
    train, labels, test, truth = _images(data, seed, training, device)
    kernel = random_filter_kernel(train, test, count, centre=kind == "centred", seed=seed)
    return CellResult(_scores(*kernel, labels, truth))


@work(cost=lambda training, **_: 1 + 1.2e-2 * training)
def limit(data: Data, seed: int, *, training: int, device: str = "cpu") -> CellResult:
    """Regress labels on the kernel of infinitely many Gaussian filters (NTKD paper, Table 5, last row)."""
    train, labels, test, truth = _images(data, seed, training, device)
    step = 2**16 if train.device.type == "cpu" else 2**23
    form = {"filter_size": FILTER_SIZE, "dtype": torch.float32, "step": step}
    own, cross = convolutional_kernels(train, **form), convolutional_kernels(test, train, **form)
    return CellResult(_scores(own.ntk, cross.ntk, labels, truth))


def _scores(
    theta: Float[Tensor, "n n"], cross: Float[Tensor, "m n"], labels: Tensor, truth: Tensor
) -> dict[str, float]:
    """Choose the ridge on the last of the training images, fit on all of them, and test once."""
    fitted = len(theta) - round(VALIDATION_SHARE * len(theta))
    part, others = theta[:fitted, :fitted], theta[fitted:, :fitted]
    ridge, validation = choose_ridge(part, labels[:fitted], others, labels[fitted:])
    accuracy = accuracy_of_fit(theta, labels, cross, truth, ridge)
    return {"accuracy": accuracy, "validation": validation, "ridge": ridge, "images": len(theta)}


def _images(data: Data, seed: int, training: int, device: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draw training images, and select the first twice as many test images."""
    deterministic(seed)
    images, labels = first_images(data, "train", ALL)
    other, truth = first_images(data, "test", 2 * training)
    rows = torch.randperm(len(labels))[:training]
    train, test = (part.to(device).float() / 255 for part in (images[rows], other))
    return train, labels[rows].to(device), test, truth.to(device)


@cache
def first_images(data: Data, part: Split, count: int) -> tuple[UInt8[Tensor, "n l h w"], Int[Tensor, " n"]]:
    """Load the first images of a data set as bytes, once per process."""
    own = load(data.name, part, expect=data.sha256)
    return own.images[:count].clone(), own.labels[:count].clone()
