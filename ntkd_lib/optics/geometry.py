"""Geometry of a metasurface camera: grid, filter pixels, distance to the sensor, wavelengths."""

from dataclasses import dataclass, replace
from typing import Self

from ntkd_lib.ranges import check_number

WAVELENGTHS = (0.635, 0.532, 0.450)
COLOURS = ("red", "green", "blue")
PILLARS = 2  # a side of a grid cell, all of one width
# um, wide enough for any metasurface and too narrow for lengths in nm or mm
RANGES = {"pitch": (0.05, 5), "distance": (5, 1e6)}
SPECTRUM = (0.2, 20)


@dataclass(frozen=True)
class Geometry:
    """One metasurface and the sensor behind it; all lengths in micrometres.

    Source: kernelmino/psf-meta-design-v2, the published design of a co-author of the NTKD paper.

    Attributes:
        cells: Grid cells per side of the square metasurface.
        pitch: Side of a grid cell, 2 x 2 pillars of one width.
        distance: From the metasurface to the sensor.
        pixel: Grid cells per side of a filter pixel.
        taps: Filter pixels per side of a filter.
        wavelengths: Of the colours, red first; pillars are known at 0.635, 0.532 and 0.45 um.

    Raises:
        ValueError: A length out of its range (one in nm or mm is), numbers of cells that are not whole, or a
            filter larger than the metasurface.

    >>> round(Geometry().side, 1)  # micrometres
    937.6
    """

    cells: int = 1600
    pitch: float = 0.586
    distance: float = 2400.0
    pixel: int = 20
    taps: int = 7
    wavelengths: tuple[float, ...] = WAVELENGTHS

    def __post_init__(self) -> None:
        """Refuse lengths that do not make a camera."""
        for name in ("cells", "pixel", "taps"):
            check_number(name, getattr(self, name), 1, whole=True)
        for name, (low, high) in RANGES.items():
            check_number(name, getattr(self, name), low, high, unit="um")
        for i, value in enumerate(self.wavelengths):
            check_number(f"wavelengths[{i}]", value, *SPECTRUM, unit="um")
        if not self.wavelengths:
            raise ValueError("wavelengths: got none, allowed: one or more")
        if self.taps * self.pixel > self.cells:
            came = f"a filter of {self.taps} x {self.pixel} = {self.taps * self.pixel} cells"
            raise ValueError(f"{came} is larger than the metasurface; allowed: at most cells = {self.cells}")

    @property
    def side(self) -> float:
        """Side of the metasurface, um."""
        return self.cells * self.pitch

    def of_colours(self, *wavelengths: float) -> Self:
        """Return the same geometry for other wavelengths, um."""
        return replace(self, wavelengths=wavelengths)


PUBLISHED = Geometry()
# An eighth of the size; the numerical aperture is kept, since the distance is scaled too.
SCALED = Geometry(cells=200, distance=300.0, pixel=6)
