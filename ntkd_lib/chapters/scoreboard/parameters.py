"""Parameters of the scoreboard: the tier alone."""

from __future__ import annotations

from ntkd_lib.lab.parameters import Parameters


class ScoreboardParameters(Parameters):
    """The scoreboard has no parameter of its own; `tier` says whose evidence it reads."""


PARAMETERS = ScoreboardParameters
