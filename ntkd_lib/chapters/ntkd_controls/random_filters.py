"""Cells of the random filters: regression on the read-out of some, and on the kernel of infinitely many."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ntkd_lib.chapters.ntkd_colour.setting import first_images
from ntkd_lib.chapters.ntkd_controls.regression import choose, hits
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.seeds import deterministic
from ntkd_lib.ntk.infinite.convolutional import convolutional_kernels
from ntkd_lib.optics.random_kernel import random_filter_kernel

VALIDATION_SHARE = 1 / 5
ALL = 10**6


def regress(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Regress labels on the read-out of random non-negative filters.

    Args:
        arguments: ``data``, ``sha256``, ``seed``, ``device``, ``images``, ``kind``: ``positive`` or
            ``centred``, ``count``.

    Returns:
        Test and validation ``accuracy`` in percent, the ridge, and how many images were trained on.
    """
    del needs
    train, labels, test, truth = _images(arguments)
    kernel = random_filter_kernel(
        train,
        test,
        arguments["count"],
        centre=arguments["kind"] == "centred",
        seed=arguments["seed"],
    )
    return _scored(*kernel, labels, truth)


def limit(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Regress labels on the kernel of infinitely many Gaussian filters, in closed form.

    One 7 x 7 convolution, ReLU, one dense layer on the flattened maps.

    Source: NTKD paper, Table 5, last row.

    Args:
        arguments: ``data``, ``sha256``, ``seed``, ``device``, ``images``.

    Returns:
        As `regress`, for the tangent kernel (filters and dense layer trained); ``nngp`` holds the test
        accuracy with the kernel of the trained dense layer alone.
    """
    del needs
    train, labels, test, truth = _images(arguments)
    step = 2**16 if train.device.type == "cpu" else 2**23
    form = {"filter_size": 7, "dtype": torch.float32, "step": step}
    own, cross = convolutional_kernels(train, **form), convolutional_kernels(test, train, **form)
    result = _scored(own.ntk, cross.ntk, labels, truth)
    fixed = _scored(own.nngp, cross.nngp, labels, truth)
    return CellResult({**result.values, "nngp": fixed.values["accuracy"]})


def _scored(theta: Tensor, cross: Tensor, labels: Tensor, truth: Tensor) -> CellResult:
    """Choose the ridge on the last of the training images, fit on all of them, and test once."""
    fitted = len(theta) - round(VALIDATION_SHARE * len(theta))
    chosen = choose(theta[:fitted, :fitted], labels[:fitted], theta[fitted:, :fitted], labels[fitted:])
    values = {
        "accuracy": hits(theta, labels, cross, truth, chosen.ridge),
        "validation": chosen.validation,
        "ridge": chosen.ridge,
        "images": len(theta),
    }
    return CellResult(values)


def _images(arguments: Mapping[str, Any]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draw training images, and take twice as many test images, from the first on."""
    deterministic(arguments["seed"])
    name, sha256, device = (arguments[key] for key in ("data", "sha256", "device"))
    images, labels = first_images(name, sha256, "train", ALL)
    other, truth = first_images(name, sha256, "test", 2 * arguments["images"])
    rows = torch.randperm(len(labels))[: arguments["images"]]
    train, test = (part.to(device).float() / 255 for part in (images[rows], other))
    return train, labels[rows].to(device), test, truth.to(device)
