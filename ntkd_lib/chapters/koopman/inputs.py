"""Inputs of the fits of notebook 04: teachers, PCA scores, labels, and the split of each seed."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ntkd_lib.data.load import load, train_validation_split
from ntkd_lib.distill.objective import Batch
from ntkd_lib.distill.training import Images, Schedule, accuracy, converged, fit, predict
from ntkd_lib.koopman.lifted import fit_principal
from ntkd_lib.lab import CellResult, Record, derive_seed, deterministic
from ntkd_lib.lab.work import Data, work
from ntkd_lib.nets import mlp, resnet18_grey

Network = Literal["mlp", "resnet18"]
WIDTHS = (784, 256, 64, 10)
LR, DECAY, BATCH = 3e-3, 1e-2, 256
VALIDATION_SHARE = 1 / 6
EPOCH_SECONDS = {"mlp": 1.2, "resnet18": 200.0}
FEW_STEPS = 8  # an epoch of a few labelled images


def _teacher_cost(
    network: Network, images: int, epochs: int, labelled: int | None = None, **_: object
) -> float:
    return 2 + epochs * EPOCH_SECONDS[network] * (labelled or images) / 60_000


@work(cost=_teacher_cost)
def teacher(
    data: Data,
    seed: int,
    *,
    images: int,
    epochs: int,
    network: Network = "mlp",
    shift: int = 0,
    labelled: int | None = None,
) -> CellResult:
    """Train a teacher; return its logits for all images, the inputs of its last layer, and that layer."""
    train, test, rows, held_out = load_parts(data, images, seed)
    if labelled is not None:
        rows = rows[labelled_places(len(rows), labelled, seed)]
    deterministic(seed)
    model = build_teacher(network)
    batch = BATCH if labelled is None else labelled // FEW_STEPS
    schedule = Schedule(epochs, batch, lr=LR, weight_decay=DECAY, shift=shift)
    curve = fit(model, train, rows, held_out, _loss, schedule)
    forget_running_means(model)
    values = {
        "accuracy": accuracy(model, test, torch.arange(len(test.labels))),
        "validation": accuracy(model, train, held_out),
        "converged": converged(curve),
    }
    return CellResult(values, _last_layer(predict(model[:-1], train.images), model[-1]))


def build_teacher(network: Network) -> nn.Sequential:
    """Build a teacher; its last module is its last dense layer."""
    if network == "mlp":
        return mlp(WIDTHS)
    whole = resnet18_grey()
    last, whole.fc = whole.fc, nn.Identity()
    return nn.Sequential(whole, last)


def _loss(model: nn.Module, batch: Batch) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16, enabled=not isinstance(model[0], nn.Flatten)):
        logits = model(batch.images)
    return cross_entropy(logits.float(), batch.labels)


def forget_running_means(model: nn.Module) -> None:
    """Normalise the outputs of a trained ResNet-18 by each 1,000 images that are predicted together."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean = layer.running_var = None


@torch.no_grad()
def _last_layer(hidden: Float[Tensor, "n w"], last: nn.Module) -> dict[str, np.ndarray]:
    parts = {"hidden": hidden, "logits": last(hidden), "weight": last.weight, "bias": last.bias}
    return {name: part.detach().numpy() for name, part in parts.items()}


@work(cost=lambda **_: 3)
def principal_scores(data: Data, seed: int, *, images: int, components: int) -> CellResult:
    """Compute PCA scores of all images; the components are those of the training part alone."""
    train, test, rows, held_out = load_parts(data, images, seed)
    pixels, test_pixels = (part.images.flatten(1).numpy() for part in (train, test))
    fitted = fit_principal(pixels[rows.numpy()], components)
    arrays = {
        "scores": fitted.scores(pixels),
        "test_scores": fitted.scores(test_pixels),
        "labels": train.labels.numpy(),
        "test_labels": test.labels.numpy(),
        "rows": rows.numpy(),
        "held_out": held_out.numpy(),
    }
    return CellResult({}, arrays)


def load_parts(
    data: Data, count: int, seed: int
) -> tuple[Images, Images, Int[Tensor, " n"], Int[Tensor, " k"]]:
    """Load the first training and test images, intensities in [0, 1], and the places that a seed splits."""
    loaded = [load(data.name, split, expect=data.sha256) for split in ("train", "test")]
    train, test = (Images(part.images[:count].float() / 255, part.labels[:count]) for part in loaded)
    return train, test, *train_validation_split(len(train.labels), seed, VALIDATION_SHARE)


def labelled_places(count: int, labelled: int, seed: int) -> Int[Tensor, " k"]:
    """Draw the places, among training images, of those whose labels may be read."""
    generator = torch.Generator().manual_seed(derive_seed("labelled", seed))
    return torch.randperm(count, generator=generator)[:labelled]


@dataclass(frozen=True)
class Part:
    """Scores and labels of one part of the data."""

    scores: Float[Tensor, "n d"]
    labels: Int[Tensor, " n"]

    def accuracy(self, guesses: Int[Tensor, " n"]) -> float:
        """Compute the percentage of correct predictions."""
        return 100 * (guesses == self.labels).double().mean().item()


@dataclass(frozen=True)
class Inputs:
    """Training, validation and test parts; `rows` are the positions of `train` among all training images."""

    train: Part
    held_out: Part
    test: Part
    rows: Int[Tensor, " n"]

    def restrict(self, places: Int[Tensor, " k"]) -> "Inputs":
        """Select some images of the training part."""
        train = Part(self.train.scores[places], self.train.labels[places])
        return replace(self, train=train, rows=self.rows[places])


def read_inputs(record: Record, components: int) -> Inputs:
    """Read the parts of a record of scores."""
    names = ("scores", "test_scores", "labels", "test_labels", "rows", "held_out")
    arrays = {name: torch.tensor(record.arrays[name]) for name in names}
    scores, labels = arrays["scores"][:, :components], arrays["labels"]
    train, held_out = (Part(scores[arrays[k]], labels[arrays[k]]) for k in ("rows", "held_out"))
    test = Part(arrays["test_scores"][:, :components], arrays["test_labels"])
    return Inputs(train, held_out, test, arrays["rows"])


def read_pixels(data: Data, images: int, seed: int) -> Inputs:
    """Read the parts with pixels in place of scores."""
    train, test, rows, held_out = load_parts(data, images, seed)
    fitted, validation = (Part(train.images[k].flatten(1), train.labels[k]) for k in (rows, held_out))
    return Inputs(fitted, validation, Part(test.images.flatten(1), test.labels), rows)
