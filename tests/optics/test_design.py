"""Pillars, point spread functions and design: closed forms, physical limits, what a fit must reach."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from ntkd_lib.optics.design import (
    DesignOptions,
    capture_gains,
    design_widths,
    effective_filters,
    efficiency,
    plane_psfs,
    whole_pixels,
)
from ntkd_lib.optics.front_end import SignedFrontEnd
from ntkd_lib.optics.geometry import SCALED, Geometry
from ntkd_lib.optics.pillars import NARROWEST, WIDEST, buildable, pillar_phase
from ntkd_lib.optics.psf import binned, image_through, psf_cosine, target_psfs

SMALL = Geometry(cells=60, distance=90.0, pixel=4, taps=5)


def smooth_filters(count: int, colours: int, taps: int) -> torch.Tensor:
    return functional.avg_pool2d(torch.randn(count, colours, taps + 2, taps + 2), 3, 1)


def test_no_pillar_delays_nothing_and_height_scales_the_delay() -> None:
    widths = torch.tensor([[0.0, 0.1, 0.237]]).double()
    phase = pillar_phase(widths, (0.635, 0.45))
    assert not phase[..., 0].any()
    torch.testing.assert_close(pillar_phase(widths, (0.635, 0.45), 1.1), 1.1 * phase)
    turns = 1.873 * (1 - torch.exp(torch.tensor(-(0.01 - 2 * 0.0237 * 0.1) / 0.0319)))
    assert phase[1, 0, 1].item() == pytest.approx(2 * torch.pi * turns.item(), rel=1e-6)


def test_wavelengths_without_a_curve_are_refused() -> None:
    with pytest.raises(ValueError, match=r"wavelength: got 0.5 um, allowed: 0.635, 0.532, 0.45 um"):
        pillar_phase(torch.zeros(1, 1), (0.5,))


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_buildable_widths_are_what_the_process_builds(seed: int) -> None:
    drawn = 0.24 * torch.rand(20, 20, generator=torch.Generator().manual_seed(seed))
    built = buildable(drawn)
    pillars = built[built > 0]
    assert pillars.min() >= NARROWEST - 1e-6
    assert pillars.max() <= WIDEST + 1e-6
    assert torch.equal(buildable(built), built)
    assert (1000 * pillars - (1000 * pillars).round()).abs().max() < 1e-3


def test_binning_keeps_the_light_and_its_place() -> None:
    light = torch.zeros(1, 12, 12)
    light[0, 2:4, 10:12] = 1
    pixels = binned(light, Geometry(cells=12, pixel=2, taps=6), 6)
    assert pixels[0, 1, 5] == 4
    assert pixels.sum() == 4
    with pytest.raises(ValueError, match="5 pixels of 3 cells do not lie centred in 12 cells"):
        binned(light, Geometry(cells=12, pixel=3, taps=3), 5)


@pytest.mark.parametrize("colours", [1, 3])
def test_images_through_ideal_pairs_are_what_the_network_computes(colours: int) -> None:
    torch.manual_seed(0)
    front = SignedFrontEnd(3, 12, colours=colours).double()
    filters, scenes = front.filters.detach(), torch.rand(2, colours, 12, 12).double()
    targets, gains = target_psfs(filters)
    seen = image_through(scenes, targets)
    assert seen.min() >= -1e-12
    signed = torch.einsum("nmchw,mc->nmhw", seen, gains)
    maps = signed[:, :3] + signed[:, 3:]
    torch.testing.assert_close(maps, functional.conv2d(scenes, filters, padding=3))
    torch.testing.assert_close(effective_filters(targets, gains), filters)


def test_even_point_spread_functions_are_refused() -> None:
    with pytest.raises(ValueError, match="psfs: got 4 pixels a side, allowed: an odd number"):
        image_through(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 4, 4))


@pytest.mark.parametrize("compared", ["pixels", "cells"])
def test_a_fit_improves_every_colour_and_never_makes_light(compared: str) -> None:
    torch.manual_seed(1)
    targets, _ = target_psfs(smooth_filters(2, 3, 5))
    cosines = []
    for steps in (0, 40):
        widths = design_widths(targets, SMALL, DesignOptions(steps=steps, compared=compared))
        psfs = binned(plane_psfs(widths, SMALL), SMALL, 5)
        assert torch.equal(widths, buildable(widths))
        assert (efficiency(psfs, SMALL) <= 1).all()
        cosines.append(psf_cosine(psfs, targets))
    assert (cosines[1] > cosines[0]).all()
    assert cosines[1].mean() > 0.95


def test_no_mask_depends_on_the_others() -> None:
    torch.manual_seed(2)
    targets, _ = target_psfs(smooth_filters(2, 3, 5))
    together, alone = (design_widths(targets, SMALL, DesignOptions(steps=3, chunk=chunk)) for chunk in (4, 1))
    torch.testing.assert_close(together, alone, atol=2e-3, rtol=0)


def test_light_can_be_asked_for() -> None:
    torch.manual_seed(3)
    targets, _ = target_psfs(smooth_filters(1, 3, 5))
    plain, bright = (
        efficiency(
            binned(
                plane_psfs(design_widths(targets, SMALL, DesignOptions(steps=30, light=light)), SMALL),
                SMALL,
                5,
            ),
            SMALL,
        )
        for light in (0.0, 0.2)
    )
    assert bright.mean() > 1.2 * plain.mean()


def test_a_dark_target_gets_no_pillars_and_no_gain() -> None:
    torch.manual_seed(4)
    targets, gains = target_psfs(smooth_filters(1, 3, 5).abs())
    widths = design_widths(targets, SMALL, DesignOptions(steps=2))
    assert widths[0].any()
    assert not widths[1].any()
    digital = capture_gains(
        plane_psfs(widths, SMALL)[..., 28 - 10 : 28 + 10, 28 - 10 : 28 + 10],
        targets.repeat_interleave(4, -1).repeat_interleave(4, -2),
        gains,
    )
    assert not digital[1].any()


def test_gains_undo_the_brightness_of_a_design() -> None:
    torch.manual_seed(5)
    targets, gains = target_psfs(smooth_filters(2, 3, 5))
    psfs = functional.pad(targets, (1,) * 4) * torch.rand(4, 3, 1, 1)
    digital = capture_gains(psfs, targets, gains)
    expected = functional.pad(effective_filters(targets, gains), (1,) * 4)
    torch.testing.assert_close(effective_filters(psfs, digital), expected)


def test_the_scaled_geometry_reaches_its_targets_in_one_colour() -> None:
    torch.manual_seed(6)
    green = SCALED.of_colours(0.532)
    targets, _ = target_psfs(smooth_filters(1, 1, 7))
    widths = design_widths(targets, green, DesignOptions(steps=40))
    assert psf_cosine(binned(plane_psfs(widths, green), green, 7), targets).min() > 0.98
    assert whole_pixels(green) == 33


@pytest.mark.parametrize(
    "targets, text",
    [
        (-torch.ones(1, 3, 5, 5), "with minimum -1; allowed: .3, 5, 5., no negative entries"),
        (torch.ones(1, 1, 5, 5), "got shape .1, 5, 5."),
    ],
)
def test_impossible_targets_are_refused(targets, text) -> None:
    with pytest.raises(ValueError, match=text):
        design_widths(targets, SMALL, DesignOptions(steps=1))


def test_impossible_fits_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^steps: got -1, allowed: 0 or more, whole$"):
        DesignOptions(steps=-1)
