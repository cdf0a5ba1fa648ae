"""Cells that reduce images to PCA scores, and what later cells read of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ntkd_lib.chapters.koopman_vs_least_squares.teacher import images_of, split_of
from ntkd_lib.koopman.principal import fit_principal
from ntkd_lib.lab.cells import CellResult, Record


def project(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Give PCA scores of all images; the components are those of the training part alone.

    Args:
        arguments: ``data``, ``sha256``, ``seed``, ``images``, ``components``.

    Returns:
        ``explained`` (share of variance, each component); scores, labels and the split.
    """
    del needs
    train, test = (images_of(arguments, split) for split in ("train", "test"))
    rows, held_out = split_of(arguments, len(train.labels))
    pixels, test_pixels = (part.images.flatten(1).numpy() for part in (train, test))
    fitted = fit_principal(pixels[rows.numpy()], arguments["components"])
    total = float(pixels[rows.numpy()].var(axis=0, dtype="float64").sum())
    arrays = {
        "scores": fitted.scores(pixels),
        "test_scores": fitted.scores(test_pixels),
        "labels": train.labels.numpy(),
        "test_labels": test.labels.numpy(),
        "rows": rows.numpy(),
        "held_out": held_out.numpy(),
        "deviations": fitted.variances**0.5,
    }
    return CellResult({"explained": (fitted.variances / total).tolist(), "scale": fitted.scale}, arrays)


@dataclass(frozen=True)
class Part:
    """Scores and labels of one part of the data.

    Attributes:
        scores: PCA scores.
        labels: Classes.
    """

    scores: Float[Tensor, "n d"]
    labels: Int[Tensor, " n"]

    def accuracy(self, guesses: Int[Tensor, " n"]) -> float:
        """Give the percentage of right guesses."""
        return 100 * (guesses == self.labels).double().mean().item()


@dataclass(frozen=True)
class Inputs:
    """The data of one cell.

    Attributes:
        train: What is fitted to.
        held_out: What settings are chosen on.
        test: What is reported, read once.
        rows: Positions of the training part among all training images.
    """

    train: Part
    held_out: Part
    test: Part
    rows: Int[Tensor, " n"]


def read_inputs(record: Record, components: int) -> Inputs:
    """Read the parts of a record of scores."""
    arrays = {
        name: torch.tensor(record.arrays[name])
        for name in ("scores", "test_scores", "labels", "test_labels", "rows", "held_out")
    }
    scores, labels = arrays["scores"][:, :components], arrays["labels"]
    train, held_out = (Part(scores[arrays[k]], labels[arrays[k]]) for k in ("rows", "held_out"))
    test = Part(arrays["test_scores"][:, :components], arrays["test_labels"])
    return Inputs(train, held_out, test, arrays["rows"])


def read_pixels(arguments: Mapping[str, Any]) -> Inputs:
    """Read the parts with the pixels themselves in place of scores.

    Args:
        arguments: ``data``, ``sha256``, ``seed``, ``images``.
    """
    train, test = (images_of(arguments, split) for split in ("train", "test"))
    rows, held_out = split_of(arguments, len(train.labels))
    fitted, chosen_on = (Part(train.images[k].flatten(1), train.labels[k]) for k in (rows, held_out))
    return Inputs(fitted, chosen_on, Part(test.images.flatten(1), test.labels), rows)
