"""Errors: identity at strength zero, ranges, seeded draws, and the statistics that each one promises."""

import math
from dataclasses import fields

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkd_lib.optics.alignment_errors import Defocus, Misalignment, Rotation, Scale, Shift, moved
from ntkd_lib.optics.device import ALL_ERRORS, Device
from ntkd_lib.optics.errors import Draws, error_rows
from ntkd_lib.optics.geometry import Geometry
from ntkd_lib.optics.sensor_errors import Gain, SensorNoise
from ntkd_lib.optics.strength import NAMES, SINGLE_ERRORS, drawn_errors, perturb_filters
from ntkd_lib.optics.surface_errors import HeightScale, Levels, PhaseNoise, WidthBias, WidthSpread, smoothed

GEOMETRY = Geometry(cells=44, distance=66.0, pixel=4, taps=5)
WIDTHS = torch.where(torch.rand(2, 44, 44, generator=torch.Generator().manual_seed(0)) < 0.2, 0.0, 0.15)


def draws() -> Draws:
    return Draws("test")


def test_every_error_at_strength_zero_is_the_identity() -> None:
    plain, none = Device(), Device(drawn_errors(0.0, 3))
    zeros = Device([kind() for kind in ALL_ERRORS])
    expected = plain.psfs(WIDTHS, GEOMETRY, 9)
    scenes = torch.rand(3, 3, 16, 16)
    captured = next(plain.frames(scenes, expected))
    for device in (none, zeros):
        assert torch.equal(device.psfs(WIDTHS, GEOMETRY, 9), expected)
        assert torch.equal(next(device.frames(scenes, expected)), captured)
    filters = torch.randn(2, 3, 7, 7)
    assert perturb_filters(filters, 0.0) is filters


@pytest.mark.parametrize("name", SINGLE_ERRORS)
def test_every_error_above_zero_changes_something(name: str) -> None:
    plain = Device().psfs(WIDTHS, GEOMETRY, 9)
    scenes = torch.rand(2, 3, 16, 16)
    for error in SINGLE_ERRORS[name]:
        device = Device([error], seed=1)
        psfs = device.psfs(WIDTHS, GEOMETRY, 9)
        assert psfs.min() >= 0
        assert not torch.equal(next(device.frames(scenes, psfs)), next(Device().frames(scenes, plain)))


@pytest.mark.parametrize("kind", ALL_ERRORS, ids=lambda kind: kind.__name__)
def test_every_magnitude_has_unit_range_source_and_a_clear_refusal(kind) -> None:
    for entry in fields(kind):
        facts = entry.metadata
        assert facts["source"]
        assert facts["meaning"]
        assert facts["low"] <= entry.default <= facts["high"]
        for value in (math.nan, math.inf, facts["high"] + 1, facts["low"] - 1):
            with pytest.raises(ValueError, match=rf"{kind.__name__}\.{entry.name}: got .*allowed: .* to "):
                kind(**{entry.name: value})
    assert {row["error"] for row in error_rows(ALL_ERRORS)} == {kind.__name__ for kind in ALL_ERRORS}


def test_refusals_say_what_came_and_what_is_allowed() -> None:
    with pytest.raises(ValueError, match=r"WidthBias.bias: got 500 nm, allowed: -100 to 100 nm"):
        WidthBias(500)
    with pytest.raises(ValueError, match=r"strength: got 1\.5, allowed: 0 to 1"):
        drawn_errors(1.5, 0)
    with pytest.raises(ValueError, match="error 'tilt' is not known; allowed: width_bias, "):
        drawn_errors(0.5, 0, ["tilt"])


def test_devices_repeat_and_differ() -> None:
    errors = drawn_errors(0.3, 5)
    first, again, other = (Device(errors, seed).psfs(WIDTHS, GEOMETRY, 5) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert drawn_errors(0.3, 5) != drawn_errors(0.3, 6)


@given(st.floats(0.05, 0.5), st.integers(0, 1000))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_a_stronger_device_has_the_same_draws(strength: float, seed: int) -> None:
    weak, strong = (dict(zip(NAMES, drawn_errors(s, seed), strict=True)) for s in (strength, 2 * strength))
    for name in ("width_bias", "height", "defocus"):
        one, two = (getattr(e[name], fields(e[name])[0].name) for e in (weak, strong))
        assert two == pytest.approx(2 * one)


def test_leaving_one_error_out_changes_no_other() -> None:
    spread, noise = WidthSpread(5), PhaseNoise(0.3)
    alone = Device([noise], 4)
    both = Device([spread, noise], 4)
    like = torch.zeros(2, 3, 44, 44)
    phases = [noise.on_phase(like, GEOMETRY, d._with_draws("phase")[-1][1]) for d in (alone, both)]
    assert torch.equal(*phases)


@pytest.mark.parametrize("same", [True, False])
def test_equal_errors_have_random_numbers_of_their_own(same: bool) -> None:
    first = Gain(0.1)
    device = Device((first, WidthSpread(0), first if same else Gain(0.1)), seed=3)
    (captures,) = device.frames(torch.ones(1, 1, 4, 4), torch.ones(4000, 1, 1, 1))
    factors = captures[0, :, 0, 0, 0].log()
    assert factors.std().item() == pytest.approx(0.1 * 2**0.5, rel=0.03)
    single = next(Device((first,), seed=3).frames(torch.ones(1, 1, 4, 4), torch.ones(4000, 1, 1, 1)))
    later = factors - single[0, :, 0, 0, 0].log()
    assert later.std().item() == pytest.approx(0.1, rel=0.03)


def test_width_errors_move_pillars_and_make_none() -> None:
    wider = WidthBias(10).on_widths(WIDTHS, draws())
    torch.testing.assert_close(wider, torch.where(WIDTHS > 0, WIDTHS + 0.01, 0.0))
    spread = WidthSpread(4).on_widths(torch.full((1, 200, 200), 0.15), draws())
    assert spread.mean().item() == pytest.approx(0.15, abs=1e-4)
    assert spread.std().item() == pytest.approx(0.004, rel=0.02)
    assert not spread.lt(0).any()


def test_levels_leave_as_many_widths_as_they_say() -> None:
    drawn = 0.065 + 0.172 * torch.rand(1, 50, 50)
    for count in (2, 4, 8):
        levels = Levels(count).on_widths(drawn, draws())
        assert len(levels.unique()) == count
        assert (levels - drawn).abs().max() <= 0.172 / (count - 1) / 2 + 1e-6


@pytest.mark.parametrize("count", [0.4, 1.0, 1.4])
def test_a_single_level_is_the_narrowest_pillar(count: float) -> None:
    made = Levels(count).on_widths(torch.tensor([[[0.0, 0.1], [0.1, 0.2]]]), draws())
    torch.testing.assert_close(made, torch.tensor([[[0.0, 0.065], [0.065, 0.065]]]))


def test_phase_noise_has_its_size_and_its_range() -> None:
    geometry = Geometry(cells=256, pixel=4, wavelengths=(0.532, 0.45))
    noise = PhaseNoise(0.5, 1.758).on_phase(torch.zeros(1, 2, 256, 256), geometry, draws())[0]
    assert noise[0].std().item() == pytest.approx(0.5, rel=0.05)
    torch.testing.assert_close(noise[1], noise[0] * 0.532 / 0.45)
    cells = 1.758 / geometry.pitch
    for distance in (1, 3, 6):
        found = (noise[0] * noise[0].roll(distance, 0)).mean() / noise[0].square().mean()
        assert found.item() == pytest.approx(math.exp(-(distance**2) / (4 * cells**2)), abs=0.05)
    white = torch.randn(1, 8, 8)
    assert smoothed(white, 0.0) is white


def test_height_scales_phase() -> None:
    phase = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(HeightScale(-0.1).on_phase(phase, GEOMETRY, draws()), 0.9 * phase)


def spot(right: int = 0, down: int = 0) -> torch.Tensor:
    light = torch.zeros(2, 3, 41, 41)
    light[:, :, 20 + down, 20 + right] = 1
    return light


def centre(light: torch.Tensor) -> tuple[float, float]:
    x = torch.arange(light.shape[-1]) - light.shape[-1] // 2
    return (light.sum(-2) * x).sum().item() / light.sum().item(), (
        light.sum(-1) * x
    ).sum().item() / light.sum().item()


def test_light_moves_where_it_is_told_to() -> None:
    geometry = Geometry(cells=41, pixel=4, taps=5)
    assert centre(Shift(right=1.5, down=-0.5).on_light(spot(), geometry, draws())) == pytest.approx(
        (6, -2), abs=1e-4
    )
    turned = Rotation(30).on_light(spot(right=10), geometry, draws())
    expected = (10 * math.cos(math.radians(30)), -10 * math.sin(math.radians(30)))
    assert centre(turned) == pytest.approx(expected, abs=0.3)
    assert centre(Scale(0.5).on_light(spot(right=10), geometry, draws())) == pytest.approx((15, 0), abs=0.3)


def test_a_common_shift_is_a_shift_of_the_image() -> None:
    moved_by_cells = moved(spot(), shift=torch.tensor([3.0, 5.0]).expand(2, 3, 2))
    torch.testing.assert_close(moved_by_cells, spot(3, 5), atol=1e-4, rtol=0)


@given(st.floats(-0.3, 0.3), st.floats(-40, 40))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_turning_and_scaling_keep_the_light(relative: float, angle: float) -> None:
    light = torch.exp(-torch.arange(-30, 31).double().square() / 60)
    light = (light[:, None] * light[None])[None, None]
    out = moved(light, angle=math.radians(angle), scale=1 + relative)
    assert out.sum().item() == pytest.approx(light.sum().item(), rel=0.02)


def test_misalignment_is_of_each_capture_and_colour() -> None:
    geometry = Geometry(cells=41, pixel=4, taps=5)
    out = Misalignment(1.0).on_light(spot(), geometry, draws())
    places = {centre(out[m : m + 1, c : c + 1]) for m in range(2) for c in range(3)}
    assert len(places) == 6


def test_defocus_moves_the_sensor() -> None:
    assert Defocus(0.1).on_geometry(GEOMETRY).distance == pytest.approx(72.6)


def test_gain_is_of_the_device_and_not_of_the_image() -> None:
    captures = torch.rand(5, 2, 3, 4, 4)
    out = Gain(0.2).on_captures(captures, torch.ones(2, 3), draws(), draws())
    factors = (out / captures).flatten(3)
    torch.testing.assert_close(factors, factors[:1, ..., :1].expand_as(factors))
    assert len(factors[0, ..., 0].unique()) == 6


@pytest.mark.parametrize("dark", [0, 4, 20])
def test_noise_has_the_variance_that_the_standard_gives(dark: float) -> None:
    error = SensorNoise(2.0, saturation=10_000, dark=dark, dsnu=0, prnu=0, bits=16)
    captures = torch.full((400, 1, 1, 20, 20), 0.5)
    seen = error.on_captures(captures, torch.ones(1, 1), draws(), draws())
    electrons = seen * 2500
    assert electrons.mean().item() == pytest.approx(1250, rel=2e-3)
    assert electrons.var().item() == pytest.approx(1250 + dark**2, rel=0.02)


@pytest.mark.parametrize("dark", [1.0, 4.0, 200.0])  # drawn in two numbers, in one for the average, in one
@pytest.mark.parametrize("light", [0.0, 0.5])
def test_noise_below_that_of_full_exposure_is_of_averaged_frames(dark: float, light: float) -> None:
    facts = {"dark": dark, "dsnu": 100, "prnu": 0.02, "bits": 16}
    scenes, white = torch.full((3200, 1, 1, 30, 30), light), torch.ones(1, 1)
    frames = SensorNoise(1.0, **facts).on_captures(scenes, white, draws(), draws())
    expected = frames.unflatten(0, (200, 16)).mean(1)
    averaged = SensorNoise(0.25, **facts).on_captures(scenes[:200], white, draws(), draws())
    noise = (expected - expected.mean(0)).std().item()
    assert (averaged - averaged.mean(0)).std().item() == pytest.approx(noise, rel=0.02)
    torch.testing.assert_close(averaged.mean(0), expected.mean(0), atol=8 * noise / 200**0.5, rtol=0)


def test_fixed_pattern_is_the_same_in_every_frame_and_values_are_quantised() -> None:
    error = SensorNoise(0.01, dark=0, dsnu=0, prnu=0.1, bits=12)
    frames = torch.full((50, 1, 1, 30, 30), 0.4)
    seen = error.on_captures(frames, torch.ones(1, 1), draws(), draws())
    pattern = seen.mean(0)
    assert pattern.std().item() == pytest.approx(0.04, rel=0.1)
    assert (seen - pattern).abs().max() < 1e-3
    steps = seen * 4095
    assert (steps - steps.round()).abs().max() < 1e-2


def test_vaccines_shake_filters_more_and_more() -> None:
    filters = torch.randn(4, 1, 7, 7)
    changes = []
    for strength in (0.05, 0.2, 0.5):
        torch.manual_seed(0)
        changes.append((perturb_filters(filters, strength) - filters).norm().item())
    assert changes == sorted(changes)
    assert changes[0] > 0


def test_what_belongs_to_a_device_is_the_same_in_every_frame() -> None:
    device = Device([Gain(0.3), SensorNoise(0.01, dark=0, dsnu=0, prnu=0.1, bits=16)], 2)
    psfs, scenes = torch.rand(2, 3, 5, 5), torch.rand(1, 3, 16, 16).expand(4, -1, -1, -1)
    frames = [frame for name in ("train", "test") for frame in device.frames(scenes, psfs, name, chunk=2)]
    assert len(frames) == 4
    for frame in frames:
        torch.testing.assert_close(frame[0], frames[0][0], rtol=2e-3, atol=2e-3)


def test_frames_have_noise_of_their_own() -> None:
    device = Device([SensorNoise(3.0)], 2)
    psfs, scenes = torch.rand(1, 1, 5, 5), torch.rand(1, 1, 8, 8).expand(4, -1, -1, -1)
    one, two = device.frames(scenes, psfs, chunk=2)
    (other,) = device.frames(scenes, psfs, "test")
    for seen in (one[1], two[0], other[0]):
        assert not torch.equal(seen, one[0])


def test_a_draw_does_not_depend_on_the_type_of_its_numbers() -> None:
    single, double = (
        Draws("a").normal(torch.zeros(40, dtype=kind)) for kind in (torch.float32, torch.float64)
    )
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), single, rtol=0, atol=0)
