"""Plans of notebooks, completed by the inputs of their cells."""

from collections.abc import Iterable

from ntkd_lib.lab.cells import Cell


def with_needs(cells: Iterable[Cell]) -> list[Cell]:
    """List cells and all their inputs, each once and after its own inputs."""
    by_name: dict[str, Cell] = {}
    for cell in cells:
        for part in (*with_needs(cell.needs.values()), cell):
            by_name.setdefault(part.name, part)
    return list(by_name.values())
