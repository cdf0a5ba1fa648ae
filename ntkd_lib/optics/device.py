"""A fabricated device: a design with errors of its fabrication and its camera, and its captures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.optics.alignment_errors import ALIGNMENT_ERRORS
from ntkd_lib.optics.design import whole_pixels
from ntkd_lib.optics.errors import Captures, Draws, Error, Masks
from ntkd_lib.optics.geometry import Geometry
from ntkd_lib.optics.pillars import pillar_phase
from ntkd_lib.optics.propagation import sensor_intensity
from ntkd_lib.optics.psf import binned, image_through
from ntkd_lib.optics.sensor_errors import SENSOR_ERRORS
from ntkd_lib.optics.surface_errors import SURFACE_ERRORS

ALL_ERRORS = SURFACE_ERRORS + ALIGNMENT_ERRORS + SENSOR_ERRORS
CHUNK = 4  # masks propagated side by side


@dataclass(frozen=True)
class Device:
    """A design as it was fabricated.

    Errors act in the order given, each with random numbers of its own, named by the device's seed, the
    error's type and its position among errors of that type: leaving out a type changes no other, and a
    stronger error has the same draws.
    """

    errors: Sequence[Error] = ()
    seed: int = 0

    def _with_draws(self, stage: str) -> list[tuple[Error, Draws]]:
        """Pair the errors with draws, named by an error's type and its position among errors of that type."""
        kinds = [type(error).__name__ for error in self.errors]
        draws = [Draws(self.seed, kind, kinds[:i].count(kind), stage) for i, kind in enumerate(kinds)]
        return [*zip(self.errors, draws, strict=True)]

    def psfs(self, widths: Masks, geometry: Geometry, taps: int) -> Float[Tensor, "m c t t"]:
        """Compute the made metasurfaces' light per filter pixel, relative to the incident wave per grid cell.

        Args:
            widths: Designed pillar widths, um.
            geometry: Designed lengths and wavelengths.
            taps: Filter pixels per side to look at, odd or even as the filter's.
        """
        for error, draws in self._with_draws("widths"):
            widths = error.on_widths(widths, draws)
        phase = pillar_phase(widths, geometry.wavelengths)
        for error, draws in self._with_draws("phase"):
            phase = error.on_phase(phase, geometry, draws)
        placed = reduce(lambda g, e: e.on_geometry(g), self.errors, geometry)
        window = whole_pixels(geometry) * geometry.pixel
        light = torch.cat([sensor_intensity(part, placed, window) for part in phase.split(CHUNK)])
        for error, draws in self._with_draws("light"):
            light = error.on_light(light, geometry, draws)
        return binned(light, geometry, taps)

    def frames(
        self,
        scenes: Float[Tensor, "n c h w"],
        psfs: Float[Tensor, "m _ t t"],
        name: str = "",
        chunk: int = 500,
    ) -> Iterator[Captures]:
        """Photograph scenes through all metasurfaces in chunks.

        Args:
            scenes: Intensities in [0, 1].
            psfs: From `psfs`.
            name: Names the frames, so that training and test scenes get noise of their own.
            chunk: Scenes at a time; part of the draws' order.

        Yields:
            Captures, one for each scene, metasurface and colour.

        Raises:
            ValueError: Point spread functions of another number of colours than the scenes.
        """
        yield from self._captured((image_through(part, psfs) for part in scenes.split(chunk)), psfs, name)

    def _captured(
        self, ideal: Iterator[Captures], psfs: Float[Tensor, "m c t t"], name: str
    ) -> Iterator[Captures]:
        """Add errors to captures; draws of the frames go on from one part to the next."""
        white = psfs.sum(dim=(-2, -1))
        frames = [draws for _, draws in self._with_draws(f"frames/{name}")]
        for seen in ideal:
            for (error, device), frame in zip(self._with_draws("device"), frames, strict=True):
                seen = error.on_captures(seen, white, device, frame)
            yield seen
