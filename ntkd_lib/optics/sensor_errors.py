"""Errors of capture: gain, and the noise of a sensor described as EMVA 1288 describes one."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.optics.errors import Captures, Draws, Error, magnitude

EMVA = "EMVA standard 1288"
NORMAL_FROM = 5.0  # electrons of dark noise
GAIN_SOURCE = "NTKD paper, Eq. 10; Liu et al., NeurIPS 2024"


@dataclass(frozen=True)
class Gain(Error):
    """Each capture and colour is brighter or darker by a factor ``exp(N(0, sigma))``."""

    sigma: float = magnitude(
        0.0, "standard deviation of the factor's logarithm", unit="", low=0, high=1, source=GAIN_SOURCE
    )

    def on_captures(
        self, captures: Captures, white: Float[Tensor, "m c"], device: Draws, frame: Draws
    ) -> Captures:
        """Scale captures; the same factors for every image of a device."""
        if not self.sigma:
            return captures
        return captures * (self.sigma * device.normal(white)).exp()[..., None, None]


@dataclass(frozen=True)
class SensorNoise(Error):
    """Shot noise, dark noise, non-uniform response and quantisation of a sensor.

    A white scene gives ``saturation / strength^2`` electrons. With ``e`` the electrons of a pixel,
    ``e' = (1 + prnu N) Poisson(e) + F dsnu N' + sqrt(F) dark N''``, where ``N`` and ``N'`` belong to the
    pixel and ``N''`` to the capture; then the value is rounded to ``bits`` and clipped where a white scene
    lies. (A black offset keeps noise below zero, as in any camera.) So ``strength`` is the relative shot
    noise of a white pixel over that of a full one: below 1 a capture is the average of ``F = strength^-2``
    full frames, rounded once (``F`` is 1 otherwise), and 0 is no noise at all.

    From a dark noise ``d = sqrt(F) dark`` of 5 electrons on, shot and dark noise are drawn as one normal
    number of the same variance: their sum's skewness, ``e / (e + d^2)^(3/2)``, is then at most 0.08, and
    drawing is ten times faster.

    Source: EMVA standard 1288, linear model; Ethan-Tseng/Neural_Nano-Optics (Poisson and Gaussian noise).
    """

    strength: float = magnitude(
        0.0, "relative shot noise over full exposure", unit="", low=0, high=100, source=EMVA
    )
    saturation: float = magnitude(
        10_000.0, "saturation capacity", unit="electrons", low=100, high=1e6, source=EMVA
    )
    dark: float = magnitude(5.0, "temporal dark noise", unit="electrons", low=0, high=1000, source=EMVA)
    dsnu: float = magnitude(1.0, "dark signal nonuniformity", unit="electrons", low=0, high=1000, source=EMVA)
    prnu: float = magnitude(0.005, "photo response nonuniformity", unit="", low=0, high=0.5, source=EMVA)
    bits: float = magnitude(12.0, "resolution", unit="bits", low=1, high=16, source=EMVA)

    def on_captures(
        self, captures: Captures, white: Float[Tensor, "m c"], device: Draws, frame: Draws
    ) -> Captures:
        """Count electrons."""
        if not self.strength:
            return captures
        full = self.saturation / self.strength**2
        unit = white.clamp_min(torch.finfo(white.dtype).tiny)[..., None, None] / full
        pixels = captures.shape[1:]
        frames = max(1.0, self.strength**-2)
        response = 1 + self.prnu * device.normal(captures, *pixels)
        offset = frames * self.dsnu * device.normal(captures, *pixels)
        electrons = _counted(captures / unit, frame, response, frames**0.5 * self.dark) + offset
        step = full / (2 ** round(self.bits) - 1)
        return ((electrons / step).round() * step).clamp(max=full) * unit


def _counted(expected: Captures, frame: Draws, response: Float[Tensor, "m c h w"], dark: float) -> Captures:
    lit = expected.clamp_min(0)
    if dark < NORMAL_FROM:
        shot = torch.poisson(lit, generator=frame.generator)
        return shot * response + dark * frame.normal(lit)
    return lit * response + (lit * response.square() + dark**2).sqrt() * frame.normal(lit)


SENSOR_ERRORS = (Gain, SensorNoise)
