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
    draws: Mapping[str, Callable[[Axes, pd.DataFrame], None]],
    label: str,
    *,
    height: float = 3.8,
    columns: int = 3,
    **shared: Any,
) -> Figure:
    """Draw a column of panels per group and a row of panels per quantity, with the first one's legend above.

    Args:
        draws: how the rows of a group are drawn, by the label of the vertical axis.
        label: of the horizontal axis.
        columns: of the legend.
        shared: options of `plt.subplots`.
    """
    groups = list(dict.fromkeys(table[by]))
    figure, grid = plt.subplots(len(draws), len(groups), figsize=(7.4, height), squeeze=False, **shared)
    for line, (quantity, draw) in zip(grid, draws.items(), strict=True):
        for axes, group in zip(line, groups, strict=True):
            draw(axes, table[table[by] == group])
        line[0].set_ylabel(quantity)
    for top, bottom, group in zip(grid[0], grid[-1], groups, strict=True):
        top.set_title(titles[group])
        bottom.set_xlabel(label)
    figure.legend(
        *grid[0][0].get_legend_handles_labels(), loc="outside upper left", ncols=columns, fontsize=9
    )
    return figure
