"""Effects of other settings of NINT: the random share, the time constant and the speed of the decay."""

from collections.abc import Sequence

import pandas as pd

from ntkd_lib.chapters.nint.methods import entrant, race_cell
from ntkd_lib.chapters.nint.parameters import NintParameters
from ntkd_lib.chapters.nint.studies.contests import each_curve
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab import Cell, Data

SETTINGS = ("nint", "xi5", "xi6", "xi8", "xi9", "alpha5", "alpha40", "lam05", "lam2", "error_mix")


def cells(p: NintParameters, signals: Data, images: Sequence[str]) -> list[Cell]:
    """Describe one race of all settings per image."""
    entrants = [entrant(method) for method in SETTINGS]
    return [race_cell(p, "settings", signals, name, p.all_seeds[0], entrants) for name in images]


def gaps(run: Run) -> pd.DataFrame:
    """List the quality of NINT with other settings, minus its quality with the paper's."""
    return pd.DataFrame(
        {**own, "gap": curve["quality"][-1] - row.curves["nint"]["quality"][-1]}
        for row, curve, own in each_curve(run, "settings")
    )
