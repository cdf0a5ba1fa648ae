"""Parameters of the scoreboard: the tier alone."""

from ntkd_lib.lab.parameters import Parameters


class ScoreboardParameters(Parameters):
    """Parameters of the scoreboard: it reads the evidence of `tier`."""


PARAMETERS = ScoreboardParameters
