"""Pillars: how the width of a silicon nitride pillar delays the light of each colour."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

NARROWEST, WIDEST = 0.065, 0.237  # um, what the published process builds; a width of 0 is no pillar
PILLAR_PITCH = 0.293  # um


class Curve(NamedTuple):
    """Constants of a width-to-phase curve: ``a`` in turns, ``b`` in um, ``s`` in um^2."""

    a: float
    b: float
    s: float


# Source: kernelmino/psf-meta-design-v2: SiN on quartz, 750 nm high, 293 nm pitch, transmission taken as one.
CURVES = {
    0.635: Curve(5.036, 0.0122, 0.2808),
    0.532: Curve(2.283, 0.0188, 0.0713),
    0.450: Curve(1.873, 0.0237, 0.0319),
}


def pillar_phase(
    widths: Float[Tensor, "*b h w"], wavelengths: tuple[float, ...], height_scale: float = 1.0
) -> Float[Tensor, "*b c h w"]:
    """Compute the phase delay of pillars for each colour from their width.

    ``phi = 2 pi A (1 - exp(-(w^2 - 2 b w) / s))``, proportional to the pillar's height.

    Source: kernelmino/psf-meta-design-v2 (the curve); that phase grows linearly with height is our model.

    Args:
        widths: Pillar widths, um.
        wavelengths: Colours, um; each needs a curve.
        height_scale: Pillar height over its nominal 0.75 um.

    Returns:
        Phase, rad, one plane per colour.

    Raises:
        ValueError: A wavelength without a curve.

    >>> [f"{x:.1f}" for x in pillar_phase(torch.tensor([[0.237]]), (0.635, 0.532, 0.45)).flatten() / 6.2832]
    ['0.8', '1.1', '1.4']
    """
    if unknown := [wavelength for wavelength in wavelengths if wavelength not in CURVES]:
        allowed = ", ".join(f"{w:g}" for w in CURVES)
        raise ValueError(f"wavelength: got {unknown[0]:g} um, allowed: {allowed} um, which have curves")
    curves = [CURVES[wavelength] for wavelength in wavelengths]
    turns = [-curve.a * torch.expm1(widths * (2 * curve.b - widths) / curve.s) for curve in curves]
    return (2 * torch.pi * height_scale) * torch.stack(turns, dim=-3)


def buildable(widths: Float[Tensor, "*b n n"]) -> Float[Tensor, "*b n n"]:
    """Round widths, um, to buildable ones: none, or from 65 to 237 nm, in whole nanometres."""
    nanometres = (1000 * widths.clamp(NARROWEST, WIDEST)).round() / 1000
    return torch.where(widths < NARROWEST / 2, torch.zeros_like(widths), nanometres)
