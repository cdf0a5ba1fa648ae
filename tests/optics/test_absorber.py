"""Saturable absorbers, two optical layers and coarse detectors."""

import pytest
import torch
from torch.nn import functional

from ntkd_lib.optics.absorber import CoarseReadOut, DeepFrontEnd, transmitted
from ntkd_lib.optics.front_end import SignedFrontEnd


def test_absorber_darkens_dim_light_and_lets_bright_light_pass() -> None:
    light = torch.tensor([0.0, 1e-9, 0.1, 1e6], dtype=torch.float64)
    seen = transmitted(light, saturation=0.1, depth=3.0)
    assert seen[0] == 0
    torch.testing.assert_close(seen[1] / light[1], torch.exp(torch.tensor(-3.0).double()))
    torch.testing.assert_close(seen[2] / light[2], torch.exp(torch.tensor(-1.5).double()))
    assert seen[3] / light[3] == pytest.approx(1, abs=1e-6)


def test_absorber_never_adds_light_and_keeps_its_order() -> None:
    light = torch.linspace(0, 5, 200).double()
    seen = transmitted(light)
    assert torch.all(seen <= light)
    assert torch.all(seen.diff() > 0)


def test_two_linear_layers_are_one_convolution_with_a_larger_filter() -> None:
    torch.manual_seed(0)
    front = DeepFrontEnd(2, "none", filters=3, inner=2, size=20).double()
    image = torch.zeros(1, 1, 20, 20).double()
    image[..., 7:13, 7:13] = torch.rand(6, 6).double()  # far from the edge, where light is lost
    psfs = front.psfs.abs() / front.psfs.abs().sum((1, 2, 3), keepdim=True)
    joined = sum(
        functional.conv2d(front.signed.filters[:, j : j + 1], psfs[j : j + 1].flip(2, 3), padding=6)
        for j in range(2)
    )
    pooled = functional.avg_pool2d(functional.conv2d(image, joined, padding=6).relu(), 2).flatten(1)
    torch.testing.assert_close(front(image), pooled)


def test_intensities_between_layers_are_physical() -> None:
    torch.manual_seed(1)
    front = DeepFrontEnd(2, "between")
    light = front.entering(torch.rand(2, 1, 28, 28))
    assert light.min() >= 0
    assert light.max() <= 1


def test_absorber_before_the_sensor_acts_on_each_capture() -> None:
    torch.manual_seed(2)
    front = DeepFrontEnd(1, "sensor", filters=2).double()
    images = torch.rand(2, 1, 28, 28).double()
    plus, minus, gain = front.signed.captures(images)
    signed = (transmitted(plus) - transmitted(minus))[:, :, 0] * gain
    torch.testing.assert_close(front(images), functional.avg_pool2d(signed.relu(), 2).flatten(1))


def test_coarse_detectors_average_the_read_out() -> None:
    front = SignedFrontEnd(2).double()
    images = torch.rand(3, 1, 28, 28).double()
    coarse = CoarseReadOut(front, 7)
    assert coarse.read_out == 8
    torch.testing.assert_close(coarse(images), front(images).view(3, 2, 2, 7, 2, 7).mean((3, 5)).flatten(1))


def test_refusals() -> None:
    with pytest.raises(ValueError, match="layers: got 3, allowed are 1 and 2"):
        DeepFrontEnd(3)
    with pytest.raises(ValueError, match="absorber: got 'between' with one layer"):
        DeepFrontEnd(1, "between")
    with pytest.raises(ValueError, match="block: got 5, needs a divisor of 14"):
        CoarseReadOut(SignedFrontEnd(), 5)
