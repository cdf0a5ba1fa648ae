"""Propagation against known answers, and against torchoptics' direct integration."""

import math

import pytest
import torch
from scipy.special import j1
from torchoptics import Field

from ntkd_lib.optics.geometry import SCALED, Geometry
from ntkd_lib.optics.propagation import (
    PropagationStep,
    band_limit,
    propagate,
    sensor_intensity,
    transfer_function,
    window_transfer,
)


def radius(cells: int, pitch: float) -> torch.Tensor:
    x = (torch.arange(cells, dtype=torch.float64) - (cells - 1) / 2) * pitch
    return (x[:, None].square() + x[None].square()).sqrt()


def gaussian(cells: int, pitch: float, waist: float) -> torch.Tensor:
    return torch.exp(-((radius(cells, pitch) / waist) ** 2)).to(torch.complex128)


def test_a_lens_focuses_to_the_airy_pattern() -> None:
    cells, step = 255, PropagationStep(0.5, 1.0, 2000.0, 540)
    r = radius(cells, 1.0)
    lens = torch.polar((r <= 100).double(), -2 * math.pi / 0.5 * (r.square() + 2000**2).sqrt())
    seen = propagate(lens, transfer_function(step, torch.complex128), 41).abs().square()
    x = 2 * math.pi / 0.5 * 100 / 2000 * radius(41, 1.0)
    airy = torch.where(x > 0, 2 * torch.as_tensor(j1(x.numpy())) / x, 1.0).square()
    assert (seen / seen.max() - airy).abs().max() < 0.01
    assert seen.max() == pytest.approx((math.pi * 100**2 / (0.5 * 2000)) ** 2, rel=0.02)


def test_a_gaussian_beam_widens_as_it_should() -> None:
    pitch, waist, wavelength, distance = 0.5, 6.0, 0.532, 200.0
    seen = propagate(
        gaussian(200, pitch, waist),
        transfer_function(PropagationStep(wavelength, pitch, distance, 600), torch.complex128),
    )
    wide = waist * math.sqrt(1 + (distance * wavelength / (math.pi * waist**2)) ** 2)
    expected = (waist / wide) ** 2 * torch.exp(-2 * (radius(200, pitch) / wide) ** 2)
    assert (seen.abs().square() - expected).abs().max() < 2e-3 * expected.max()


def test_energy_is_conserved_by_a_lossless_mask() -> None:
    torch.manual_seed(0)
    mask = torch.polar(torch.ones(32, 32).double(), torch.rand(32, 32).double())
    field = mask * gaussian(32, 0.5, 4.0)
    out = propagate(field, transfer_function(PropagationStep(0.5, 0.5, 5.0, 400), torch.complex128), 368)
    assert out.abs().square().sum() == pytest.approx(field.abs().square().sum().item(), rel=1e-3)


def test_source_and_detector_can_change_places() -> None:
    torch.manual_seed(1)
    a, b = torch.randn(2, 24, 24, dtype=torch.complex128)
    transfer = transfer_function(PropagationStep(0.5, 0.5, 20.0, 64), torch.complex128)
    torch.testing.assert_close((b * propagate(a, transfer)).sum(), (a * propagate(b, transfer)).sum())


def test_two_short_ways_make_a_long_one() -> None:
    field = gaussian(100, 0.5, 5.0)
    short, long = (
        transfer_function(PropagationStep(0.5, 0.5, distance, 300), torch.complex128)
        for distance in (20.0, 40.0)
    )
    torch.testing.assert_close(
        propagate(propagate(field, short), short), propagate(field, long), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("wavelength", [0.635, 0.532, 0.45])
@pytest.mark.parametrize("smooth", [True, False], ids=["smooth", "random"])
def test_agrees_with_direct_integration(wavelength: float, smooth: bool) -> None:
    torch.manual_seed(2)
    cells, pitch, distance = SCALED.cells, SCALED.pitch, SCALED.distance
    random = torch.polar(torch.ones(cells, cells).double(), 2 * math.pi * torch.rand(cells, cells).double())
    field = gaussian(cells, pitch, 12.0) if smooth else random
    reference = Field(field, wavelength=wavelength, z=0, spacing=pitch).propagate_to_z(
        distance, propagation_method="DIM"
    )
    ours = propagate(
        field, transfer_function(PropagationStep(wavelength, pitch, distance, 3 * cells), torch.complex128)
    )
    error = (ours - reference.data).norm() / reference.data.norm()
    assert error < (1e-3 if smooth else 0.05)


@pytest.mark.parametrize(("window", "reach"), [(40, 100), (31, 91), (10, 72), (60, 120)])
def test_a_window_on_the_smaller_grid_is_that_of_the_padded_grid(window: int, reach: int) -> None:
    torch.manual_seed(6)
    field = torch.polar(torch.ones(60, 60).double(), 6 * torch.rand(60, 60).double())
    step = PropagationStep(0.532, 0.586, 90.0, 180)
    padded = propagate(field, transfer_function(step, torch.complex128), window)
    small = propagate(field, window_transfer(step, reach, torch.complex128), window)
    torch.testing.assert_close(small, padded, atol=1e-12, rtol=0)


def test_a_window_transfer_never_grows() -> None:
    step = PropagationStep(0.532, 0.586, 90.0, 100)
    assert torch.equal(window_transfer(step, 128), transfer_function(step))


def test_single_precision_is_good_enough() -> None:
    torch.manual_seed(3)
    geometry = Geometry(cells=60, distance=90.0, pixel=4)
    phase = 6 * torch.rand(2, 3, 60, 60).double()
    exact = sensor_intensity(phase, geometry, 40)
    single = sensor_intensity(phase.float(), geometry, 40)
    assert (single.double() - exact).abs().max() < 1e-4 * exact.max()


def test_slope_equals_a_finite_difference() -> None:
    torch.manual_seed(4)
    geometry = Geometry(cells=8, distance=12.0, pixel=1, wavelengths=(0.532,))
    phase = torch.rand(1, 8, 8).double().requires_grad_()
    weights = torch.rand(1, 6, 6).double()
    assert torch.autograd.gradcheck(lambda p: (weights * sensor_intensity(p, geometry, 6)).sum(), phase)


def test_masks_side_by_side_do_not_meet() -> None:
    torch.manual_seed(5)
    geometry = Geometry(cells=20, distance=30.0, pixel=2)
    phase = torch.rand(3, 3, 20, 20)
    alone = torch.cat([sensor_intensity(part, geometry) for part in phase.split(1)])
    torch.testing.assert_close(sensor_intensity(phase, geometry), alone)


def test_transfer_is_computed_once_and_lossless_inside_its_band() -> None:
    step = PropagationStep(0.532, 0.586, 300.0, 100)
    transfer = transfer_function(step)
    assert transfer_function(step) is transfer
    size = transfer.abs()
    assert ((size < 1e-6) | ((size - 1).abs() < 1e-5)).all()
    assert band_limit(step) < 1 / step.wavelength


def test_a_grid_that_wraps_is_refused() -> None:
    transfer = transfer_function(PropagationStep(0.532, 0.586, 300.0, 100))
    with pytest.raises(ValueError, match=r"points: got 100, allowed: at least 60 \+ 60 = 120"):
        propagate(torch.ones(60, 60, dtype=torch.complex64), transfer)


@pytest.mark.parametrize(
    "changes, text",
    [
        ({"pitch": 0.0}, "pitch: got 0 um, allowed: 0.05 to 5 um"),
        ({"distance": math.nan}, "distance: got nan"),
        ({"wavelengths": ()}, "wavelengths: got none"),
        (
            {"cells": 40},
            "a filter of 7 x 20 = 140 cells is larger than the metasurface; allowed: at most cells = 40",
        ),
    ],
)
def test_impossible_geometries_are_refused(changes: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Geometry(**changes)


PLANES = {
    "not square": torch.zeros(3, 8, 12),
    "too small": torch.zeros(3, 4, 4),
    "too large": torch.zeros(3, 16, 16),
    "one colour of three": torch.zeros(1, 8, 8),
    "three colours, four planes": torch.zeros(4, 8, 8),
    "no colour": torch.zeros(8, 8),
    "no number": torch.full((3, 8, 8), torch.nan),
    "infinite": torch.full((3, 8, 8), torch.inf),
}


@pytest.mark.parametrize("plane", PLANES)
def test_phases_that_are_not_the_geometrys_are_refused(plane):
    geometry = Geometry(cells=8, distance=12.0, pixel=1)
    with pytest.raises(ValueError, match=r"^phase: got shape .*allowed: finite, ending in \(3, 8, 8\)"):
        sensor_intensity(PLANES[plane], geometry)


@pytest.mark.parametrize("shape", [(8, 12), (12, 8), (2, 4, 16), (64,)])
def test_fields_that_are_not_square_are_refused(shape):
    field, transfer = torch.ones(shape, dtype=torch.complex64), torch.ones(40, 40, dtype=torch.complex64)
    with pytest.raises(ValueError, match=r"^field: got shape .*, allowed: square planes$"):
        propagate(field, transfer)


def test_a_window_that_cannot_be_centred_is_refused() -> None:
    geometry = Geometry(cells=61, distance=90, pixel=4, wavelengths=(0.532,))
    with pytest.raises(ValueError, match="window: 28 cells do not lie centred behind 61"):
        sensor_intensity(torch.zeros(1, 61, 61), geometry, 28)


def test_a_real_field_is_carried_as_the_complex_one() -> None:
    transfer = transfer_function(PropagationStep(0.532, 0.35, 20.0, 64))
    field = torch.rand(16, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(propagate(field, transfer), propagate(field.to(torch.complex64), transfer))
