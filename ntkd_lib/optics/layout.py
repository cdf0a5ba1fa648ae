"""Layout of a metasurface: how many fit on a surface, and pillars as GDSII for a fab."""

import math
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from ntkd_lib.imports import extra

with extra("optics"):
    import gdstk

from ntkd_lib.optics.geometry import PILLARS, Geometry

LAYER = 1
NAME = "METASURFACE"
PRECISION = 1e-10  # m: half nanometres keep their place


def filters_that_fit(height: float, width: float, side: float, gap: float) -> int:
    """Count the square metasurfaces that fit on a surface.

    ``n = floor((h + d) / (k + d)) floor((w + d) / (k + d))``.

    Source: NTKD paper, Eq. 1.

    Args:
        height: Height ``h`` of the surface, um.
        width: Width ``w`` of the surface, um.
        side: Side ``k`` of a metasurface, um.
        gap: Gap ``d`` between two, um.

    >>> filters_that_fit(4000, 4000, 937.6, 62.4)
    16
    """
    rows, columns = _grid(height, width, side, gap)
    return rows * columns


def _grid(height: float, width: float, side: float, gap: float) -> tuple[int, int]:
    for name, value, least in (("height", height, 0), ("width", width, 0), ("side", side, 0)):
        if not (math.isfinite(value) and value > least):
            raise ValueError(f"{name}: got {value:g} um, allowed: above 0")
    if not (math.isfinite(gap) and gap >= 0):
        raise ValueError(f"gap: got {gap:g} um, allowed: 0 or more")
    # a thousandth of a nanometre: lengths such as 0.3 have no exact binary form
    return tuple(math.floor((length + gap) / (side + gap) + 1e-9) for length in (height, width))


def write_gds(path: Path, widths: Float[ndarray, "..."], geometry: Geometry) -> int:
    """Write a metasurface as GDSII: one cell for each pillar width, placed 2 x 2 in every grid cell.

    Args:
        widths: Pillar widths, um, ``(n, n)``; 0 is no pillar. Rows run downwards, as in an image.

    Raises:
        ValueError: Widths of another shape than the geometry's cells, negative, not finite, of zero area once
            rounded to a nanometre, or so large that neighbours touch; or a metasurface without pillars.
    """
    nanometres = _checked(widths, geometry)
    library = gdstk.Library(unit=1e-6, precision=PRECISION)
    top = library.new_cell(NAME)
    cells = {width: _pillar(library, int(width)) for width in np.unique(nanometres[nanometres > 0])}
    pitch = geometry.pitch / PILLARS
    for row, column in np.argwhere(nanometres > 0).tolist():
        centre = corner_of(row, column, geometry) + pitch / 2
        shape = {"columns": PILLARS, "rows": PILLARS, "spacing": (pitch, pitch)}
        top.add(gdstk.Reference(cells[nanometres[row, column]], tuple(centre), **shape))
    library.write_gds(path)
    return PILLARS**2 * int((nanometres > 0).sum())


def _checked(widths: Float[ndarray, "..."], geometry: Geometry) -> ndarray:
    pitch = geometry.pitch / PILLARS
    if widths.shape != (geometry.cells, geometry.cells):
        raise ValueError(f"widths: got shape {widths.shape}, allowed: {(geometry.cells, geometry.cells)}")
    if not np.isfinite(widths).all() or widths.min() < 0:
        raise ValueError(f"widths: got {np.min(widths):g} um, allowed: 0 (no pillar) or positive and finite")
    nanometres = np.rint(1000 * widths).astype(int)
    if ((widths > 0) & (nanometres == 0)).any():
        raise ValueError("widths: a pillar rounds to zero area; allowed: 0 (no pillar) or at least 1 nm")
    if nanometres.max() >= 1000 * pitch:
        allowed = f"below their pitch of {1000 * pitch:g} nm"
        raise ValueError(f"widths: pillars of {nanometres.max()} nm overlap; allowed: {allowed}")
    if not nanometres.any():
        raise ValueError("widths: got no pillar at all, allowed: one or more")
    return nanometres


def _pillar(library: gdstk.Library, nanometres: int) -> gdstk.Cell:
    half = nanometres / 2000
    square = gdstk.rectangle((-half, -half), (half, half), layer=LAYER)
    return library.new_cell(f"PILLAR_{nanometres}").add(square)


def corner_of(row: int, column: int, geometry: Geometry) -> Float[ndarray, " 2"]:
    """Return the lower left corner of a grid cell, rows from the top, um right and up from the centre."""
    half = geometry.side / 2
    return np.array([column * geometry.pitch - half, half - (row + 1) * geometry.pitch])


def read_gds(path: Path, geometry: Geometry) -> Float[ndarray, "n n"]:
    """Read the widths back, um, from a file that `write_gds` wrote; 0 if there is no pillar.

    Raises:
        ValueError: A file without the top cell of a metasurface, or with pillars that do not lie in the
            geometry's cells.
    """
    cells = {cell.name: cell for cell in gdstk.read_gds(path).cells}
    if NAME not in cells:
        raise ValueError(f"{path.name}: has no cell {NAME}, found {', '.join(sorted(cells)[:5])}")
    widths = np.zeros((geometry.cells, geometry.cells))
    for reference in cells[NAME].references:
        (left, _), (right, _) = reference.cell.bounding_box()
        row, column = _cell_of(reference.origin, geometry, path)
        widths[row, column] = round(right - left, 6)
    return widths


def _cell_of(origin: tuple[float, float], geometry: Geometry, path: Path) -> tuple[int, int]:
    """Find the grid cell whose first pillar has its centre here."""
    x, y = origin
    column = math.floor((x + geometry.side / 2) / geometry.pitch)
    row = math.floor((geometry.side / 2 - y) / geometry.pitch)
    offset = np.array(origin) - corner_of(row, column, geometry) - geometry.pitch / PILLARS / 2
    inside = 0 <= row < geometry.cells and 0 <= column < geometry.cells
    if not inside or np.abs(offset).max() > 0.01 * geometry.pitch:
        came = f"a pillar at {x:g}, {y:g} um lies off the grid"
        grid = f"{geometry.cells} cells of {geometry.pitch:g} um"
        raise ValueError(f"{path.name}: {came} of {grid}; allowed: the geometry that it was written with")
    return row, column
