"""Saturable absorbers, two optical layers and coarse detectors."""

import pytest
import torch
from torch.func import functional_call
from torch.nn import functional

from ntkd_lib.optics.absorber import CoarseReadOut, DeepFrontEnd, Place, transmitted
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


@pytest.mark.parametrize("layers", [1, 2])
def test_absorber_before_the_sensor_acts_on_each_capture(layers: int) -> None:
    torch.manual_seed(2)
    front = DeepFrontEnd(layers, "sensor", filters=2).double()
    images = torch.rand(2, 1, 28, 28).double()
    light, expected = front.entering(images), 0
    for j in range(light.shape[1]):
        halves = [(sign * front.signed.filters[:, j]).relu() for sign in (1, -1)]
        brightest = torch.cat(halves).sum((1, 2)).max()
        plus, minus = (
            transmitted(functional.conv2d(light[:, j : j + 1], half[:, None] / brightest, padding=3))
            for half in halves
        )
        expected = expected + brightest * (plus - minus)
    torch.testing.assert_close(front(images), functional.avg_pool2d(expected.relu(), 2).flatten(1))


@pytest.mark.parametrize("layers", [1, 2])
def test_captures_are_in_the_range_of_images_whatever_the_size_of_the_filters(layers: int) -> None:
    torch.manual_seed(3)
    front, images = DeepFrontEnd(layers, "sensor").double(), torch.rand(3, 1, 28, 28).double()
    plus, minus, _ = front.captures(images)
    white = torch.stack(front.captures(torch.ones_like(images))[:2])
    assert min(plus.min(), minus.min()) >= 0
    assert max(plus.max(), minus.max()) <= 1
    torch.testing.assert_close(white.amax((0, 1, 2, 4, 5)), torch.ones(white.shape[3]).double())
    seen = front(images)
    front.signed.filters.data.mul_(5)
    torch.testing.assert_close(front(images), 5 * seen)


@pytest.mark.parametrize("layers, place", [(1, "sensor"), (2, "sensor"), (2, "between")])
def test_gradients_are_finite_differences(layers: int, place: Place) -> None:
    torch.manual_seed(4)
    front = DeepFrontEnd(layers, place, filters=2, inner=2, size=8).double()
    images = torch.rand(1, 1, 8, 8).double()
    names, weights = zip(*front.named_parameters(), strict=True)
    assert torch.autograd.gradcheck(
        lambda *weights: functional_call(front, dict(zip(names, weights, strict=True)), images), weights
    )


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
