"""What plans of notebooks share."""

from collections.abc import Iterable

from ntkd_lib.lab.cells import Cell


def with_needs(cells: Iterable[Cell]) -> list[Cell]:
    """List cells and all that they need, each once and after what it needs."""
    found: dict[str, Cell] = {}
    for cell in cells:
        for part in (*with_needs(cell.needs.values()), cell):
            found.setdefault(part.name, part)
    return list(found.values())
