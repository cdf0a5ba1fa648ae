"""Errors of the metasurface itself: pillar widths, height, levels and phase."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.optics.errors import Draws, Error, Masks, Planes, magnitude
from ntkd_lib.optics.geometry import Geometry
from ntkd_lib.optics.pillars import NARROWEST, PILLAR_PITCH, WIDEST

WIDTH_SOURCE = "Micromachines 13:2098; Optics Express 29(19):29887"
HEIGHT_SOURCE = "Micromachines 15:540"
NOISE_SOURCE = "Nature Communications 2024, s41467-024-53749-6, Fig. 2d"


@dataclass(frozen=True)
class WidthBias(Error):
    """All pillars come out wider or narrower by the same amount: ``w + bias`` if there is a pillar."""

    bias: float = magnitude(0.0, "added to every width", unit="nm", low=-100, high=100, source=WIDTH_SOURCE)

    def on_widths(self, widths: Masks, draws: Draws) -> Masks:
        """Add the bias to pillars; if there is none, none appears."""
        return _moved(widths, torch.full_like(widths, self.bias / 1000)) if self.bias else widths


@dataclass(frozen=True)
class WidthSpread(Error):
    """Each grid cell's pillars come out with a width of their own: ``w + N(0, sigma)``."""

    sigma: float = magnitude(0.0, "standard deviation", unit="nm", low=0, high=100, source=WIDTH_SOURCE)

    def on_widths(self, widths: Masks, draws: Draws) -> Masks:
        """Add independent normal numbers to pillars."""
        return _moved(widths, draws.normal(widths) * (self.sigma / 1000)) if self.sigma else widths


def _moved(widths: Masks, by: Masks) -> Masks:
    return torch.where(widths > 0, (widths + by).clamp(0, PILLAR_PITCH), widths)


@dataclass(frozen=True)
class HeightScale(Error):
    """The film is too thick or too thin: every phase is scaled by ``1 + relative``."""

    relative: float = magnitude(
        0.0, "height error over nominal height", unit="", low=-0.6, high=0.6, source=HEIGHT_SOURCE
    )

    def on_phase(self, phase: Planes, geometry: Geometry, draws: Draws) -> Planes:
        """Scale phases of all colours alike."""
        return phase * (1 + self.relative) if self.relative else phase


@dataclass(frozen=True)
class Levels(Error):
    """Only so many widths can be written, evenly spaced from the narrowest to the widest pillar."""

    count: float = magnitude(0.0, "widths; 0: any", unit="", low=0, high=1024, source="textbook: sinc^2(1/L)")

    def on_widths(self, widths: Masks, draws: Draws) -> Masks:
        """Round pillars to the nearest level; a cell without pillars keeps none."""
        if not self.count:
            return widths
        last = max(1, round(self.count)) - 1
        step = (WIDEST - NARROWEST) / max(1, last)
        level = ((widths - NARROWEST) / step).round().clamp(0, last)
        return torch.where(widths > 0, NARROWEST + step * level, widths)


@dataclass(frozen=True)
class PhaseNoise(Error):
    """Normal phase noise, smooth over a distance: neighbours couple, and do so for every colour.

    White noise is convolved with a Gaussian of standard deviation ``correlation`` and brought back to
    ``sigma``. It is a path error, so that a colour's phase goes with one over its wavelength.
    """

    sigma: float = magnitude(
        0.0, "standard deviation, at 532 nm", unit="rad", low=0, high=3.1416, source=NOISE_SOURCE
    )
    correlation: float = magnitude(
        1.2, "correlation length", unit="um", low=0, high=20, source="ours; the NTKD paper names the cause"
    )

    def on_phase(self, phase: Planes, geometry: Geometry, draws: Draws) -> Planes:
        """Add the noise."""
        if not self.sigma:
            return phase
        white = draws.normal(phase, len(phase), geometry.cells, geometry.cells)
        smooth = smoothed(white, self.correlation / geometry.pitch)
        scale = torch.tensor([0.532 / wavelength for wavelength in geometry.wavelengths]).to(phase)
        return phase + self.sigma * scale[:, None, None] * smooth[:, None]


def smoothed(white: Float[Tensor, "m n n"], cells: float) -> Float[Tensor, "m n n"]:
    """Smooth white noise by a periodic Gaussian, and keep its unit variance.

    The correlation at distance ``d`` is ``exp(-d^2 / (4 cells^2))``; 0 cells leave the noise as it is.
    """
    if not cells:
        return white
    frequency = torch.fft.fftfreq(white.shape[-1]).to(white)
    line = torch.exp(-2 * (torch.pi * cells * frequency).square())
    response = line[:, None] * line[None]
    power = response.square().mean().sqrt()
    return torch.fft.ifft2(torch.fft.fft2(white) * (response / power)).real


SURFACE_ERRORS = (WidthBias, WidthSpread, HeightScale, Levels, PhaseNoise)
