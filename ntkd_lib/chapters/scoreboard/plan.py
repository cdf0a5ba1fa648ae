"""Plan of the scoreboard: no cells of work."""

from collections.abc import Mapping

from ntkd_lib.chapters.scoreboard.parameters import ScoreboardParameters
from ntkd_lib.lab import Cell, Data


def plan(parameters: ScoreboardParameters, data: Mapping[str, Data]) -> list[Cell]:
    """Return no cells: the scoreboard reads the evidence of the other notebooks."""
    del parameters, data
    return []
