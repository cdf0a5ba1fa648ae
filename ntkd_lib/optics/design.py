"""Design of metasurfaces: pillar widths whose point spread functions apply given filters in every colour."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ntkd_lib.optics.geometry import Geometry
from ntkd_lib.optics.pillars import WIDEST, buildable, pillar_phase
from ntkd_lib.optics.propagation import sensor_intensity
from ntkd_lib.optics.psf import binned, psf_cosine
from ntkd_lib.ranges import check_number, check_word

Masks = Float[Tensor, "m n n"]


@dataclass(frozen=True)
class DesignOptions:
    """Options of a design: projected Adam with a cosine schedule, from random widths.

    Attributes:
        rate: Largest step, um.
        compared: What is compared with the target: light per filter pixel, which is what the network uses, or
            light per cell, as in the published code, which uses 500 steps at a constant 0.005.
        light: Weight of ``-log`` of the share of light on the filter; 0 leaves efficiency to itself.
        seed: Seed of the random start.
        chunk: Masks fitted side by side; no result depends on it.
    """

    steps: int = 60
    rate: float = 0.02
    compared: Literal["pixels", "cells"] = "pixels"
    light: float = 0.0
    seed: int = 0
    chunk: int = 4

    def __post_init__(self) -> None:
        """Refuse options outside of their range."""
        for name, low in (("steps", 0), ("seed", 0), ("chunk", 1)):
            check_number(name, getattr(self, name), low, whole=True)
        check_number("rate", self.rate, 1e-9, 1, unit="um")
        check_number("light", self.light, 0, 10)
        check_word("compared", self.compared, ("pixels", "cells"))


def design_widths(targets: Float[Tensor, "m c s s"], geometry: Geometry, fit: DesignOptions) -> Masks:
    """Fit the buildable widths of one metasurface, um, for each target, all colours at once.

    Minimises ``sum_c 1 - cos(PSF_c, target_c)`` over the sensor plane of the metasurface's size, dark around
    the target, a non-negative point spread function in filter pixels; one that is dark in every colour gets
    no pillars.

    Source: NTKD paper, Sec. 3.2; kernelmino/psf-meta-design-v2, which minimises the distance between
        normalised functions, a function of the same cosine.

    Raises:
        ValueError: Negative or infinite targets, or another number of colours or pixels than the geometry's.
    """
    expected = (len(geometry.wavelengths), geometry.taps, geometry.taps)
    if tuple(targets.shape[1:]) != expected or not 0 <= targets.min() <= targets.max() < float("inf"):
        came = f"shape {tuple(targets.shape[1:])} with minimum {targets.min():g}"
        raise ValueError(f"targets: got {came}; allowed: {expected}, no negative entries, all finite")
    starts = _starts(len(targets), geometry, fit).to(targets)
    parts = zip(starts.split(fit.chunk), targets.split(fit.chunk), strict=True)
    return torch.cat([_fitted(start, target, geometry, fit) for start, target in parts])


def _starts(masks: int, geometry: Geometry, fit: DesignOptions) -> Masks:
    """Draw a start for each mask from a generator of its own, so that no mask depends on the others."""
    shape = (geometry.cells, geometry.cells)
    generators = [torch.Generator().manual_seed(1_000_003 * fit.seed + i) for i in range(masks)]
    return WIDEST * torch.stack([torch.rand(shape, generator=generator) for generator in generators])


def _fitted(start: Masks, target: Float[Tensor, "m c s s"], geometry: Geometry, fit: DesignOptions) -> Masks:
    widths = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([widths], lr=fit.rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, fit.steps))
    plane = _plane(target.detach(), geometry, fit)
    for _ in range(fit.steps):
        optimiser.zero_grad(set_to_none=True)
        _loss(widths, plane, geometry, fit).backward()
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            widths.clamp_(0, WIDEST)
    lit = target.amax(dim=(1, 2, 3)) > 0
    return buildable(widths.detach()) * lit[:, None, None]


def _plane(
    target: Float[Tensor, "m c s s"], geometry: Geometry, fit: DesignOptions
) -> Float[Tensor, "m c t t"]:
    """Surround targets by dark filter pixels, or cells, up to the size of the plane that is compared."""
    margin = (whole_pixels(geometry) - geometry.taps) // 2
    plane = functional.pad(target, (margin,) * 4)
    if fit.compared == "pixels":
        return plane
    return plane.repeat_interleave(geometry.pixel, -1).repeat_interleave(geometry.pixel, -2)


def whole_pixels(geometry: Geometry) -> int:
    """Count the filter pixels per side, odd or even as the filter's, that lie within the metasurface's size.

    >>> whole_pixels(Geometry(cells=200, pixel=6))
    33
    """
    count = geometry.cells // geometry.pixel
    return count - (count - geometry.taps) % 2


def _loss(widths: Masks, plane: Float[Tensor, "m c t t"], geometry: Geometry, fit: DesignOptions) -> Tensor:
    window = whole_pixels(geometry) * geometry.pixel
    light = sensor_intensity(pillar_phase(widths, geometry.wavelengths), geometry, window, padding=0)
    seen = binned(light, geometry, whole_pixels(geometry)) if fit.compared == "pixels" else light
    lit = plane.amax(dim=(-2, -1)) > 0
    loss = torch.where(lit, 1 - psf_cosine(seen, torch.where(lit[..., None, None], plane, 1.0)), 0.0).sum()
    if fit.light:
        share = binned(light, geometry, geometry.taps).sum(dim=(-2, -1)) / geometry.cells**2
        loss = loss - fit.light * (share.log() * lit).sum()
    return loss


def plane_psfs(widths: Masks, geometry: Geometry, height_scale: float = 1.0) -> Float[Tensor, "m c w w"]:
    """Compute the point spread functions of metasurfaces without errors, cell by cell.

    They are intensities relative to the incident wave, over as many whole filter pixels as fit.

    Args:
        widths: Pillar widths, um.
        height_scale: Pillar height over its nominal value.
    """
    window = whole_pixels(geometry) * geometry.pixel
    phases = (pillar_phase(part, geometry.wavelengths, height_scale) for part in widths.split(4))
    return torch.cat([sensor_intensity(phase, geometry, window) for phase in phases])


def efficiency(psfs: Float[Tensor, "m c t t"], geometry: Geometry) -> Float[Tensor, "m c"]:
    """Compute the share, in [0, 1], of the light on the metasurface that lands within the PSFs."""
    return psfs.sum(dim=(-2, -1)) / geometry.cells**2


def capture_gains(
    psfs: Float[Tensor, "m c t t"], targets: Float[Tensor, "m c s s"], gains: Float[Tensor, "m c"]
) -> Float[Tensor, "m c"]:
    """Compute the digital gain per capture with which a designed PSF is nearest to its target.

    ``g <p, t> / <p, p>`` over the filter's pixels: how bright a design came out is known before it is made.

    Args:
        psfs: Designed functions, the filter in the middle.
        gains: Signed gains of the targets; a dark one gets 0.
    """
    margin = (psfs.shape[-1] - targets.shape[-1]) // 2
    inner = functional.pad(psfs, (-margin,) * 4)
    power = inner.square().sum(dim=(-2, -1)).clamp_min(torch.finfo(psfs.dtype).tiny)
    return gains * (inner * targets).sum(dim=(-2, -1)) / power


def effective_filters(
    psfs: Float[Tensor, "m c t t"], gains: Float[Tensor, "m c"]
) -> Float[Tensor, "k c t t"]:
    """Compute the signed filters, as networks correlate with them, that subtracted pairs of captures apply.

    Args:
        psfs: Point spread functions, the positive captures first.
        gains: Signed digital gains of the captures.
    """
    scaled = gains[..., None, None] * psfs
    positive, negative = scaled.flip(-2, -1).chunk(2)
    return positive + negative
