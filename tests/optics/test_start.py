"""Starting filters: uncorrelated read-outs of unit spread, without brightness."""

import pytest
import torch

from ntkd_lib.optics.front_end import SignedFrontEnd, set_unit_spread, start_at_components


@pytest.fixture
def images():
    """Smooth colour images with a strong common brightness, as photographs have."""
    torch.manual_seed(0)
    noise = torch.nn.functional.avg_pool2d(torch.rand(40, 3, 36, 36), 5, stride=1)
    return (0.3 * torch.rand(40, 1, 1, 1) + 0.7 * noise).clamp(0, 1)


def maps_of(front, images):
    return front.maps(images).transpose(0, 2).flatten(1)


def test_maps_have_unit_spread_and_both_signs(images):
    front = SignedFrontEnd(6, 32, colours=3)
    start_at_components(front, images)
    assert torch.allclose(maps_of(front, images).std(1), torch.ones(6), atol=1e-4)
    assert torch.allclose(front.filters[:3], -front.filters[3:])


def test_filters_are_orthogonal_and_blind_to_brightness(images):
    front = SignedFrontEnd(6, 32, colours=3)
    start_at_components(front, images)
    unit = torch.nn.functional.normalize(front.filters[:3].flatten(1), dim=1)
    assert torch.allclose(unit @ unit.T, torch.eye(3), atol=1e-5)
    flat = torch.full((147,), 147**-0.5)
    assert (unit @ flat).abs().max() < 0.2  # the first component, left out, is the flat one


def test_patches_are_uncorrelated_along_the_filters(images):
    front = SignedFrontEnd(4, 32, colours=3)
    start_at_components(front, images)
    patches = images.unfold(2, 7, 2).unfold(3, 7, 2).permute(0, 2, 3, 1, 4, 5).reshape(-1, 147)
    seen = (patches @ front.filters[:2].flatten(1).T).T.double()
    assert abs(torch.corrcoef(seen)[0, 1]) < 1e-3


def test_odd_numbers_of_filters_and_grey_images_work(images):
    front = SignedFrontEnd(5, 32)
    start_at_components(front, images[:, :1])
    assert torch.allclose(front.filters[:2], -front.filters[3:])


def test_scaling_keeps_directions(images):
    front = SignedFrontEnd(4, 32, colours=3)
    before = torch.nn.functional.normalize(front.filters.detach().flatten(1), dim=1)
    set_unit_spread(front, images)
    after = torch.nn.functional.normalize(front.filters.flatten(1), dim=1)
    assert torch.allclose(before, after, atol=1e-6)


def test_images_without_any_difference_are_refused():
    front = SignedFrontEnd(4, 32, colours=3)
    with pytest.raises(ValueError, match="got a map that does not vary"):
        set_unit_spread(front, torch.zeros(4, 3, 32, 32))
