"""A training step of the ResNet-18 teacher: wide convolutions by products against the library's."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from benchmarks.timing import interleaved, report
from ntkd_lib.nets.colour_teachers import colour_teacher
from ntkd_lib.nets.wide_convolution import widen

IMAGES = 128
OURS = "wide convolutions by products"


def step(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    """Compute the gradients of one step in bfloat16 autocast."""
    model.zero_grad(set_to_none=True)
    with torch.autocast("cpu", torch.bfloat16):
        loss = cross_entropy(model(images), labels)
    loss.backward()


def main() -> None:
    """Print milliseconds per step, and the ratio."""
    torch.manual_seed(0)
    images, labels = torch.rand(IMAGES, 3, 32, 32), torch.arange(IMAGES) % 10
    images = images.contiguous(memory_format=torch.channels_last)
    plain = colour_teacher("resnet18").to(memory_format=torch.channels_last)
    ours = widen(colour_teacher("resnet18")).to(memory_format=torch.channels_last)
    ways = {
        "torch.nn.Conv2d": lambda: step(plain, images, labels),
        OURS: lambda: step(ours, images, labels),
    }
    title = f"one training step of ResNet-18, pooled after the stem, {IMAGES} images, bfloat16 autocast"
    report(title, interleaved(ways, rounds=5), OURS)
