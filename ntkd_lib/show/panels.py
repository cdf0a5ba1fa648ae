"""Figures of one column of panels per group of a table, such as a data set."""

from collections.abc import Callable, Mapping
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure


def draw_panels(
    table: pd.DataFrame,
    by: str,
    titles: Mapping[str, str],
    draws: Mapping[str, Callable[[Axes, pd.DataFrame], None]],  # of a group's rows, by vertical label
    label: str,  # of the horizontal axis
    *,
    height: float = 3.8,
    columns: int = 3,  # of the legend
    **shared: Any,  # options of `plt.subplots`
) -> Figure:
    """Draw a column of panels per group and a row per quantity, with the first panel's legend above."""
    groups = list(dict.fromkeys(table[by]))
    figure, grid = plt.subplots(len(draws), len(groups), figsize=(7.4, height), squeeze=False, **shared)
    for line, (quantity, draw) in zip(grid, draws.items(), strict=True):
        for axes, group in zip(line, groups, strict=True):
            draw(axes, table[table[by] == group])
        line[0].set_ylabel(quantity)
    for top, bottom, group in zip(grid[0], grid[-1], groups, strict=True):
        top.set_title(titles[group])
        bottom.set_xlabel(label)
    entries = grid[0][0].get_legend_handles_labels()
    figure.legend(*entries, loc="outside upper left", ncols=columns, fontsize=9)
    return figure
