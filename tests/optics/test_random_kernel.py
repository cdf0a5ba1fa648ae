"""The kernel of random filters, and the rule of the layout."""

import pytest
import torch

from ntkd_lib.ntk.infinite.convolutional import convolutional_kernels
from ntkd_lib.optics.front_end import SignedFrontEnd
from ntkd_lib.optics.layout import filters_that_fit
from ntkd_lib.optics.random_kernel import random_filter_kernel


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("centre", [False, True])
def test_equals_the_products_of_read_outs(colours: int, centre: bool) -> None:
    torch.manual_seed(0)
    train, other = torch.rand(4, colours, 8, 8).double(), torch.rand(3, colours, 8, 8).double()
    own, cross = random_filter_kernel(train, other, 30, centre=centre, seed=5)
    generator = torch.Generator().manual_seed(5)
    shape = (colours, 7, 7)
    drawn = torch.cat([torch.rand(count, *shape, generator=generator) for count in (25, 5)])
    front = SignedFrontEnd(30, 8, colours=colours, trainable=False, positive=True, centre=centre).double()
    front.filters.copy_(drawn / (49 * colours) ** 0.5)
    torch.testing.assert_close(own, front(train) @ front(train).T / 30, rtol=1e-5, atol=0)
    torch.testing.assert_close(cross, front(other) @ front(train).T / 30, rtol=1e-5, atol=0)


def test_the_global_generator_stays_as_it_is() -> None:
    images, state = torch.full((2, 1, 8, 8), 0.5), torch.get_rng_state()
    random_filter_kernel(images, images, 30, seed=0)
    assert torch.equal(torch.get_rng_state(), state)


def test_many_signed_filters_come_near_the_closed_form() -> None:
    torch.manual_seed(1)
    images = torch.rand(5, 1, 8, 8).double()
    own, _ = random_filter_kernel(images, images[:1], 4000, positive=False, seed=0)
    limit = convolutional_kernels(images, filter_size=7, window=2, weight_std=1).nngp
    own, limit = (k / k.diagonal().mean() for k in (own, limit))
    assert (own - limit).norm() < 0.03 * limit.norm()


def test_layout_rule() -> None:
    assert (
        filters_that_fit(10, 10, 3, 1) == 4
    )  # 2 x 2 filters of 3 with a gap of 1 take 7; a third would need 11
    assert filters_that_fit(11, 7, 3, 1) == 3 * 2
    assert filters_that_fit(2, 100, 3, 1) == 0
    with pytest.raises(ValueError, match="height: got 0 um, allowed: above 0"):
        filters_that_fit(0, 1, 1, 1)
