"""Inputs of notebook 06: a seed's images, trained network, and distilled images."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ntkd_lib.data.load import load
from ntkd_lib.data.torchvision import torchvision
from ntkd_lib.distill.training import Images, Schedule, converged, fit
from ntkd_lib.dntk.ledger import Stopwatch
from ntkd_lib.dntk.matching import distil_images
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.seeds import derive_seed, deterministic
from ntkd_lib.lab.work import Data, work
from ntkd_lib.nets.two_convolutions import compact_cnn

VALIDATION, BATCH = 500, 64
SPEEDS = {"cifar-10": (2e-3, 1e-3), "imagenette": (1e-3, 5e-2)}  # learning rate, weight decay
SPEED = (2e-3, 1e-3)
WEIGHTS = "weights."


@dataclass(frozen=True)
class ImageSource:
    """Numbers of training and test images that a seed draws, and their device."""

    images: int
    tests: int
    device: Literal["cpu", "cuda"] = "cpu"


@dataclass(frozen=True)
class ImageSplit:
    """Training, validation and test images of one seed, with intensities in [0, 1]."""

    images: Float[Tensor, "n _ _ _"]
    labels: Int[Tensor, " n"]
    held_images: Float[Tensor, "v _ _ _"]
    held_labels: Int[Tensor, " v"]
    test_images: Float[Tensor, "t _ _ _"]
    test_labels: Int[Tensor, " t"]


def load_split(data: Data, seed: int, source: ImageSource, *, validation: bool = False) -> ImageSplit:
    """Fix all seeds and load the images of a seed; with `validation` no test image is returned."""
    train, test = (load(data.name, part, expect=data.sha256) for part in ("train", "test"))
    generator = torch.Generator().manual_seed(derive_seed("dntk", data.name, seed))
    order = torch.randperm(len(train), generator=generator)
    held = min(VALIDATION, len(order) // 10)
    count = min(source.images, len(order) - held)
    chosen = torch.randperm(len(test), generator=generator)[: source.tests]
    deterministic(seed)
    parts = ((train, order[:count]), (train, order[count : count + held]), (test, chosen))
    tensors = [
        tensor
        for images, rows in parts
        for tensor in (
            images.images[rows].to(source.device).float() / 255,
            images.labels[rows].to(source.device),
        )
    ]
    return ImageSplit(*tensors[:4], *(tensors[2:4] if validation else tensors[4:]))


class ModeSwitch(nn.Module):
    """A network that is in training mode while gradients are enabled, and in evaluation mode otherwise."""

    def __init__(self, net: nn.Module) -> None:
        """Wrap the network."""
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits."""
        self.net.train(torch.is_grad_enabled())
        return self.net(images)


def build_network(data: str) -> nn.Module:
    """Build the network of a data set: a compact CNN, or for Imagenette a ResNet-18."""
    if data == "imagenette":
        return torchvision.models.resnet18(num_classes=10).eval()
    if data == "cifar-10":
        return compact_cnn(3, 32, filters=(12, 16), hidden=220).eval()
    return compact_cnn().eval()


@work(cost=lambda **_: 10)
def network(data: Data, seed: int, *, source: ImageSource, epochs: int) -> CellResult:
    """Train the network whose tangent kernel is distilled, and test it once."""
    split = load_split(data, seed, source)
    model = build_network(data.name).to(source.device)
    curve = train_on(model, split.images, split.labels, split, data.name, epochs)
    guess = logits_of(model, split.test_images).argmax(1)
    values = {
        "accuracy": percent_equal(guess, split.test_labels),
        "curve": curve,
        "converged": converged(curve),
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    return CellResult(values, {f"{WEIGHTS}{k}": v.cpu().numpy() for k, v in model.state_dict().items()})


def train_on(
    model: nn.Module, images: Tensor, labels: Tensor, split: ImageSplit, data: str, epochs: int
) -> list[float]:
    """Train a network in place, and list its validation accuracy in percent, twice per epoch."""
    everything = Images(torch.cat([images, split.held_images]), torch.cat([labels, split.held_labels]))
    rows = torch.arange(len(everything.labels), device=labels.device)
    rate, decay = SPEEDS.get(data, SPEED)
    shift = 8 if data == "imagenette" else 0
    curve = fit(
        ModeSwitch(model),
        everything,
        rows[: len(labels)],
        rows[len(labels) :],
        lambda net, batch: cross_entropy(net(batch.images), batch.labels),
        Schedule(epochs, BATCH, lr=rate, weight_decay=decay, shift=shift),
    )
    model.eval()
    return curve


def restore_network(record: Record, data: str, device: str = "cpu") -> nn.Module:
    """Rebuild a trained network from its record, in evaluation mode."""
    model = build_network(data)
    arrays = {k.removeprefix(WEIGHTS): v for k, v in record.arrays.items() if k.startswith(WEIGHTS)}
    model.load_state_dict({name: torch.tensor(values) for name, values in arrays.items()})
    return model.to(device).eval()


def initial_network(data: str, seed: int, device: str = "cpu") -> nn.Module:
    """Rebuild a network as it was before training, in evaluation mode."""
    deterministic(seed)
    return build_network(data).to(device)


@torch.no_grad()
def logits_of(model: nn.Module, images: Tensor) -> Tensor:
    """Compute logits of images, some at a time."""
    return torch.cat([model(part) for part in images.split(250)])


def percent_equal(guess: Tensor, truth: Tensor) -> float:
    """Compute the percentage of entries that are equal."""
    return 100 * (guess == truth).double().mean().item()


def to_numpy(values: Tensor) -> np.ndarray:
    """Convert a tensor to an array of a record."""
    return values.detach().to(torch.float32).cpu().numpy()


@work(cost=lambda per_class, **_: 0.2 * per_class)
def distilled_images(
    data: Data, seed: int, *, source: ImageSource, per_class: int, steps: int, network: Record
) -> CellResult:
    """Distil images of each class by feature matching, stage 1 of the pipeline."""
    split = load_split(data, seed, source)
    model = restore_network(network, data.name, source.device)
    stopwatch = Stopwatch(source.device)
    with stopwatch.measure():
        distilled = distil_images(
            model, split.images, split.labels, per_class=per_class, steps=steps, seed=seed
        )
    values = {
        "distillation_seconds": stopwatch.seconds,
        "losses": [*distilled.losses[:1], *distilled.losses[-1:]],
    }
    arrays = {"images": to_numpy(distilled.images), "labels": distilled.labels.cpu().numpy()}
    return CellResult(values, arrays)


def restore_images(record: Record, device: str) -> tuple[Float[Tensor, "m _ _ _"], Int[Tensor, " m"]]:
    """Read distilled images and their labels from a record."""
    images, labels = (torch.tensor(record.arrays[name], device=device) for name in ("images", "labels"))
    return images, labels
