"""Plan of the scoreboard: no cells of work."""

from __future__ import annotations

from ntkd_lib.chapters.scoreboard.parameters import ScoreboardParameters
from ntkd_lib.lab.cells import Cell


def plan(parameters: ScoreboardParameters) -> list[Cell]:
    """Return no cells: the scoreboard reads the evidence of the other notebooks."""
    del parameters
    return []
