"""How many filters fit on a surface."""


def filter_count(height: float, width: float, filter_size: float, gap: float) -> int:
    """Count the square filters that fit on a rectangle with a gap between neighbours.

    ``n = floor((h + d) / (k + d)) floor((w + d) / (k + d))``. Source: NTKD paper, Eq. 1.

    Args:
        height: Height of the surface, any unit.
        width: Width of the surface, same unit.
        filter_size: Side of a filter, same unit.
        gap: Least distance of neighbours, same unit.

    Returns:
        Number of filters.

    Raises:
        ValueError: A side that is not above zero, or a gap below zero.

    >>> filter_count(360, 360, 82, 8)
    16
    """
    if min(height, width, filter_size) <= 0 or gap < 0:
        raise ValueError(
            f"layout: got a surface of {height} x {width}, filters of {filter_size} and a gap of {gap}; "
            "allowed: sides above zero and a gap of at least zero"
        )
    pitch = filter_size + gap
    return int((height + gap) // pitch) * int((width + gap) // pitch)
