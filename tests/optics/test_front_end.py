"""Front ends: PSF pairs, the fast form of the convolution, refusals."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from ntkd_lib.optics.front_end import IdealLens, SignedFrontEnd, split_signed, sum_over_window


@given(st.integers(0, 2**31 - 1), st.integers(1, 5))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_pairs_are_physical_and_rebuild_the_filter(seed: int, colours: int) -> None:
    torch.manual_seed(seed)
    filters = torch.randn(4, colours, 7, 7).double()
    plus, minus, gain = split_signed(filters)
    assert plus.min() >= 0
    assert minus.min() >= 0
    assert max(plus.max(), minus.max()) <= 1 + 1e-12
    assert torch.all(plus * minus == 0)
    torch.testing.assert_close((plus - minus) * gain[None, :, None, None], filters)


def test_zero_filters_stay_zero() -> None:
    plus, minus, gain = split_signed(torch.zeros(2, 1, 7, 7))
    assert torch.isfinite(gain).all()
    assert not plus.any()
    assert not minus.any()


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("rectify", [True, False])
def test_fast_form_equals_the_difference_of_captures(rectify: bool, colours: int) -> None:
    torch.manual_seed(0)
    front = SignedFrontEnd(5, colours=colours, rectify=rectify).double()
    images = torch.rand(3, colours, 28, 28).double()
    plus, minus, gain = front.captures(images)
    assert plus.min() >= 0
    assert minus.min() >= 0
    signed = ((plus - minus) * gain[:, None, None]).sum(2)
    pooled = functional.avg_pool2d(signed.relu() if rectify else signed, 2).flatten(1)
    torch.testing.assert_close(front(images), pooled)


def test_one_bright_pixel_shows_the_filter() -> None:
    front = SignedFrontEnd(1, rectify=False)
    image = torch.zeros(1, 1, 28, 28)
    image[0, 0, 14, 14] = 1
    plus, minus, gain = front.captures(image)
    seen = ((plus - minus) * gain)[0, 0, 0, 11:18, 11:18]
    torch.testing.assert_close(seen.detach(), front.filters[0, 0].detach().flip(0, 1))


def test_rectifying_non_negative_captures_changes_nothing() -> None:
    torch.manual_seed(1)
    front = SignedFrontEnd(4, trainable=False, positive=True)
    images = torch.rand(2, 1, 28, 28)
    rectified = front(images)
    front.rectify = False
    torch.testing.assert_close(front(images), rectified)


@pytest.mark.parametrize("colours", [1, 3])
def test_averaging_filters_equals_averaging_maps(colours: int) -> None:
    torch.manual_seed(3)
    front = SignedFrontEnd(4, colours=colours, rectify=False).double()
    images = torch.rand(2, colours, 28, 28).double()
    torch.testing.assert_close(front(images), front.pool(front.maps(images)))


@pytest.mark.parametrize("rectify, centre", [(True, False), (True, True), (False, False), (False, True)])
def test_bfloat16_form_equals_the_exact_one_up_to_rounding(rectify: bool, centre: bool) -> None:
    torch.manual_seed(4)
    front = SignedFrontEnd(4, size=32, colours=3, rectify=rectify, centre=centre)
    front.filters.data = front.filters.data.bfloat16().float()
    images = torch.rand(5, 3, 32, 32).bfloat16()
    signal = torch.randn(5, front.read_out)
    with torch.autocast("cpu", torch.bfloat16):
        fast, same = front(images), front(images.float())
    assert fast.dtype == torch.bfloat16
    assert torch.equal(fast, same)
    (slope,) = torch.autograd.grad((fast.float() * signal).sum(), front.filters)
    twin = copy.deepcopy(front).double()
    exact = twin(images.double())
    (exact_slope,) = torch.autograd.grad((exact * signal).sum(), twin.filters)
    assert (fast - exact).norm() <= 2**-7 * exact.norm()
    if not centre:  # filters of centred captures are not trained; rounding moves many of their ReLUs
        assert (slope - exact_slope).norm() <= 2**-6 * exact_slope.norm()


def test_positions_add_up_in_either_layout() -> None:
    maps = torch.rand(2, 4, 3, 9).double()
    by_place = maps.permute(0, 3, 1, 2).contiguous().permute(0, 2, 3, 1)
    assert by_place.stride(3) != 1
    torch.testing.assert_close(sum_over_window(by_place), maps.sum(1))
    torch.testing.assert_close(sum_over_window(maps), maps.sum(1))


def test_centred_captures_have_no_mean() -> None:
    torch.manual_seed(2)
    front = SignedFrontEnd(4, trainable=False, positive=True, centre=True)
    maps = front.maps(torch.rand(2, 1, 28, 28))
    assert maps.mean(dim=(1, 3)).abs().max() < 1e-6


def test_lens_keeps_flat_images_flat() -> None:
    lens = IdealLens()
    assert lens.read_out == 1568
    read_out = lens(torch.full((2, 1, 28, 28), 0.25))
    torch.testing.assert_close(read_out, torch.full((2, 1568), 0.25))


def test_refusals() -> None:
    with pytest.raises(ValueError, match="size: got 27, needs an even number of pixels"):
        SignedFrontEnd(size=27)
    with pytest.raises(ValueError, match="positive=True needs trainable=False"):
        SignedFrontEnd(positive=True)


@pytest.mark.parametrize("grid", [(14, 28), (4, 8), (2, 4), (1, 1)])
def test_a_coarse_lens_averages_all_pixels(grid):
    images = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    seen = IdealLens(*grid)(images).unflatten(1, grid)
    if 28 % grid[1] == 0:
        torch.testing.assert_close(seen, functional.avg_pool2d(images, (28 // grid[0], 28 // grid[1]))[:, 0])
    each = torch.eye(784).view(784, 1, 28, 28)
    assert (IdealLens(*grid)(each) > 0).any(1).all()


def test_the_gradient_of_a_pair_is_that_of_its_filter_at_zero_too():
    filters = torch.tensor([[[[0.0, -2.0, 1.5]]], [[[0.0, 0.0, 0.0]]]], requires_grad=True)
    plus, minus, gain = split_signed(filters)
    (gain[None, :, None, None] * (plus - minus)).sum().backward()
    assert torch.equal(filters.grad, torch.ones_like(filters))
