"""Budgets of the recorded run."""

from dataclasses import dataclass

from ntkd_lib.optics.geometry import SCALED, Geometry


@dataclass(frozen=True)
class Protocol:
    """Budgets, the same for every way to recover.

    Attributes:
        design_steps: Steps of a metasurface's design.
        steps: Training steps of each recovery.
        share: One training car in so many is photographed through the device.
        followed: One validation image in so many follows the training.
        cells: Grid cells a side of a metasurface.
        distance: From a metasurface to the sensor, um.
        pixel: Grid cells a side of a filter pixel.
    """

    design_steps: int = 60
    steps: int = 240
    share: int = 10
    followed: int = 5
    cells: int = SCALED.cells
    distance: float = SCALED.distance
    pixel: int = SCALED.pixel

    @property
    def geometry(self) -> Geometry:
        """Where things lie."""
        return Geometry(cells=self.cells, distance=self.distance, pixel=self.pixel)
