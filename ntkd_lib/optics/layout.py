"""Layout of a metasurface: how many fit on a surface."""

import math


def filters_that_fit(height: float, width: float, side: float, gap: float) -> int:
    """Count the square metasurfaces that fit on a surface.

    ``n = floor((h + d) / (k + d)) floor((w + d) / (k + d))``.

    Source: NTKD paper, Eq. 1.

    Args:
        height: Height ``h`` of the surface, um.
        width: Width ``w`` of the surface, um.
        side: Side ``k`` of a metasurface, um.
        gap: Gap ``d`` between two, um.

    Returns:
        Their number.

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
