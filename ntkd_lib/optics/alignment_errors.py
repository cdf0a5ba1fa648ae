"""Errors of assembly: shift, rotation, scale and defocus of the light on the sensor."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ntkd_lib.optics.errors import Draws, Error, Planes, magnitude
from ntkd_lib.optics.geometry import Geometry

DRAW_SOURCE = "V-D2NN, arXiv 2005.11464; 4f: arXiv 2210.08004"
CAUSE = "NTKD paper, Sec. 4.3 (cause)"


def moved(
    light: Planes, *, shift: Float[Tensor, "m c 2"] | None = None, angle: float = 0.0, scale: float = 1.0
) -> Planes:
    """Shift, turn and scale light on the sensor plane about its centre, by bilinear interpolation.

    ``out(r) = in(R(-angle) r / scale - shift) / scale^2``: scaling keeps the amount of light; cells into
    which nothing moves are dark.

    Args:
        shift: Right and down, cells, for each mask and colour.
        angle: Counter-clockwise, rad.
    """
    masks, colours, side, _ = light.shape
    cosine, sine = math.cos(angle) / scale, math.sin(angle) / scale
    turn = torch.tensor([[cosine, -sine], [sine, cosine]]).to(light)
    by = torch.zeros(masks, colours, 2).to(light) if shift is None else shift.to(light)
    # a grid cell is 2 / side in the sampler's coordinates
    affine = torch.cat([turn.expand(masks, colours, 2, 2), -by[..., None] * 2 / side], dim=-1).flatten(0, 1)
    planes = light.flatten(0, 1)[:, None]
    grid = functional.affine_grid(affine, list(planes.shape), align_corners=False)
    sampled = functional.grid_sample(planes, grid, align_corners=False)
    return sampled[:, 0].unflatten(0, (masks, colours)) / scale**2


@dataclass(frozen=True)
class Shift(Error):
    """All captures are shifted alike."""

    right: float = magnitude(0.0, "to the right", unit="pixels", low=-4, high=4, source=DRAW_SOURCE)
    down: float = magnitude(0.0, "downwards", unit="pixels", low=-4, high=4, source=DRAW_SOURCE)

    def on_light(self, light: Planes, geometry: Geometry, draws: Draws) -> Planes:
        """Shift the light."""
        if not (self.right or self.down):
            return light
        by = torch.tensor([self.right, self.down]) * geometry.pixel
        return moved(light, shift=by.expand(*light.shape[:2], 2))


@dataclass(frozen=True)
class Rotation(Error):
    """The sensor is turned against the metasurfaces."""

    angle: float = magnitude(0.0, "counter-clockwise", unit="degrees", low=-45, high=45, source=DRAW_SOURCE)

    def on_light(self, light: Planes, geometry: Geometry, draws: Draws) -> Planes:
        """Turn the light about the centre of each capture."""
        return moved(light, angle=math.radians(self.angle)) if self.angle else light


@dataclass(frozen=True)
class Scale(Error):
    """Point spread functions come out larger or smaller by ``1 + relative``; their light is kept."""

    relative: float = magnitude(0.0, "change of size", unit="", low=-0.5, high=0.5, source=DRAW_SOURCE)

    def on_light(self, light: Planes, geometry: Geometry, draws: Draws) -> Planes:
        """Scale the light about the centre of each capture."""
        return moved(light, scale=1 + self.relative) if self.relative else light


@dataclass(frozen=True)
class Defocus(Error):
    """The sensor lies nearer or farther than designed, in parts of the designed distance."""

    relative: float = magnitude(
        0.0, "change of distance over distance", unit="", low=-0.5, high=0.5, source=DRAW_SOURCE
    )

    def on_geometry(self, geometry: Geometry) -> Geometry:
        """Move the sensor."""
        if not self.relative:
            return geometry
        return replace(geometry, distance=geometry.distance * (1 + self.relative))


@dataclass(frozen=True)
class Misalignment(Error):
    """Each capture and colour has a shift of its own, so that positive and negative captures do not meet."""

    sigma: float = magnitude(0.0, "standard deviation per axis", unit="pixels", low=0, high=4, source=CAUSE)

    def on_light(self, light: Planes, geometry: Geometry, draws: Draws) -> Planes:
        """Shift the light of each capture and colour."""
        if not self.sigma:
            return light
        by = self.sigma * geometry.pixel * draws.normal(light, *light.shape[:2], 2)
        return moved(light, shift=by)


ALIGNMENT_ERRORS = (Shift, Rotation, Scale, Defocus, Misalignment)
