"""Strength of errors: what 100 % means, the errors of a drawn device or of filters, and each by itself."""

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.optics.alignment_errors import Defocus, Misalignment, Rotation, Scale, Shift, moved
from ntkd_lib.optics.errors import Draws, Error
from ntkd_lib.optics.front_end import split_signed
from ntkd_lib.optics.sensor_errors import Gain, SensorNoise
from ntkd_lib.optics.surface_errors import HeightScale, Levels, PhaseNoise, WidthBias, WidthSpread
from ntkd_lib.ranges import check_number

# What an error strength of 100 % means. At 20 % these are about the ranges that fabrication reports, where a
# source stands with the magnitude of an error, and else our estimate.
EXTENT: Mapping[str, float] = {
    "width_bias": 100.0,  # nm, largest
    "width_spread": 50.0,  # nm, standard deviation
    "height": 0.5,  # of the height, largest
    "phase": 1.5,  # rad, standard deviation
    "misalignment": 1.75,  # filter pixels, standard deviation
    "rotation": 15.0,  # degrees, largest
    "scale": 0.25,  # of the size, largest
    "defocus": 0.15,  # of the distance, largest
    "gain": 1.0,  # standard deviation of the logarithm
    "noise": 10.0,  # shot noise over that of full exposure
}
NAMES = tuple(EXTENT)


def drawn_errors(strength: float, seed: int, only: Sequence[str] = NAMES) -> tuple[Error, ...]:
    """Draw a device's errors in order: magnitudes in proportion to ``strength``, signs and sizes by ``seed``.

    Global errors (bias, height, angle, size, distance) are uniform between plus and minus their extent; those
    of pillars and captures are normal. A device of another strength has the same draws, scaled.

    Args:
        strength: Share of the full extent, in [0, 1].
        only: Which errors to make; the others stay at zero.

    Raises:
        ValueError: A strength outside of [0, 1], or an unknown error.

    >>> weak, strong = (drawn_errors(strength, seed=0)[0] for strength in (0.1, 0.2))
    >>> type(weak).__name__, round(strong.bias / weak.bias, 6)
    ('WidthBias', 2.0)
    """
    check_number("strength", strength, 0, 1)
    if unknown := sorted(set(only) - set(NAMES)):
        raise ValueError(f"error {unknown[0]!r} is not known; allowed: {', '.join(NAMES)}")
    size = {name: strength * EXTENT[name] if name in only else 0.0 for name in NAMES}
    draw = {name: 2 * torch.rand(1, generator=Draws(seed, name).generator).item() - 1 for name in NAMES}
    drawn = {name: size[name] * draw[name] for name in NAMES}
    return (
        WidthBias(drawn["width_bias"]),
        WidthSpread(size["width_spread"]),
        HeightScale(drawn["height"]),
        PhaseNoise(size["phase"]),
        Misalignment(size["misalignment"]),
        Rotation(drawn["rotation"]),
        Scale(drawn["scale"]),
        Defocus(drawn["defocus"]),
        Gain(size["gain"]),
        SensorNoise(size["noise"]),
    )


SINGLE_ERRORS: dict[str, tuple[Error, Error]] = {
    "width bias ∓20 nm": (WidthBias(-20), WidthBias(20)),
    "width spread 10 nm": (WidthSpread(10), WidthSpread(10)),
    "height ∓10 %": (HeightScale(-0.1), HeightScale(0.1)),
    "8, 4 widths": (Levels(8), Levels(4)),
    "phase noise 0.3, 0.6 rad": (PhaseNoise(0.3), PhaseNoise(0.6)),
    "common shift ∓0.5 pixel": (Shift(right=-0.5), Shift(right=0.5)),
    "misalignment 0.17, 0.5 pixel": (Misalignment(0.17), Misalignment(0.5)),
    "rotation ∓5°": (Rotation(-5), Rotation(5)),
    "size ∓5 %": (Scale(-0.05), Scale(0.05)),
    "distance ∓3 %": (Defocus(-0.03), Defocus(0.03)),
    "gain 10, 20 %": (Gain(0.1), Gain(0.2)),
    "noise at 1/4, 1/16 exposure": (SensorNoise(2), SensorNoise(4)),
}


def perturb_filters(
    filters: Float[Tensor, "k c s s"], strength: float, generator: torch.Generator | None = None
) -> Float[Tensor, "k c s s"]:
    """Perturb filters as a faulty device does: each pair is shifted apart, dimmed and noised.

    Each part of a pair is shifted by normal numbers of ``strength``, a share of the full extent, times the
    misalignment of `EXTENT` and scaled by ``exp(strength gain N)``, with its gain; then ``0.2 strength`` of
    the largest entry is added as normal noise, which models all errors on the metasurface.

    Source: "vaccinated" training, V-D2NN, arXiv 2005.11464.
    """
    if not strength:
        return filters
    positive, negative, gain = split_signed(filters)
    parts, normal = torch.cat([positive, negative]), partial(torch.randn, generator=generator)
    shifted = moved(parts, shift=EXTENT["misalignment"] * strength * normal(*parts.shape[:2], 2))
    dimmed = shifted * (EXTENT["gain"] * strength * normal(*parts.shape[:2], 1, 1)).exp().to(parts)
    stained = dimmed + 0.2 * strength * normal(parts.shape).to(parts)
    plus, minus = stained.chunk(2)
    return gain[None, :, None, None] * (plus - minus)
