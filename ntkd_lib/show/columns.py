"""Tables from frames by a list of columns."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ntkd_lib.show.html import Html, element, table
from ntkd_lib.show.numbers import NONE, with_minus

NAN = re.compile(r"\bnan\b")  # a number that is missing, not part of a word


@dataclass(frozen=True)
class Column:
    """One column of a table: its title, and the format of its cells."""

    header: str
    show: str | Callable[[Any], object]  # format with the row's fields, or function of the row

    def text(self, row: Any) -> object:
        """Format one row; a dash for a missing number."""
        if callable(self.show):
            return self.show(row)
        text = self.show.format(**row._asdict())
        return NONE if NAN.search(text) else with_minus(text)


ACCURACY = Column("Test accuracy", "{mean:.2f} %")
INTERVAL = Column("95 % interval", "[{low:.2f}, {high:.2f}]")
STD, SEEDS = Column("Std", "{std:.2f}"), Column("Seeds", "{seeds}")
PAPER_SCORE, PARAMETERS = Column("Paper", "{paper:g} %"), Column("Parameters", "{parameters:,}")
DIFFERENCE = Column("Difference", "{mean:+.2f}"), Column("95 % interval", "[{low:+.2f}, {high:+.2f}]")


def show_table(frame: pd.DataFrame, columns: Sequence[Column], caption: str) -> Html:
    """Show a frame as an accessible table, one line per row."""
    rows = [[column.text(row) for column in columns] for row in frame.itertuples()]
    return table([column.header for column in columns], rows, caption=caption)


def show_recorded(frame: pd.DataFrame, columns: Sequence[Column], caption: str) -> Html:
    """Show a table of recorded numbers, or a note that they are not recorded yet."""
    if frame.empty:
        command = element("code", "ntkd record --list")
        return element("p", f"{caption}: not recorded yet; ", command, " shows how far it is.")
    return show_table(frame, columns, caption)
