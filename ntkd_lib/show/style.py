"""The style of all figures, for light and dark pages."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

ThemeName = Literal["light", "dark"]
THEMES: tuple[ThemeName, ...] = ("light", "dark")
INK = {"light": "#1f2328", "dark": "#e6e8eb"}
GRID = {"light": "#c9ced6", "dark": "#4a5160"}
STATUS_COLOURS = {
    "exceeded": "#009e73",
    "reproduced": "#0072b2",
    "not reproduced": "#d55e00",
    "undecided": "#8a5fb5",
    "not assessed": "#8a8f98",
}
OUTCOME_COLOURS = {
    "exceeded": STATUS_COLOURS["exceeded"],
    "reproduced": STATUS_COLOURS["reproduced"],
    "claim failed": STATUS_COLOURS["not reproduced"],
    "baseline stronger": "#e69f00",
    "baseline weaker": "#cc79a7",
    **{status: STATUS_COLOURS[status] for status in ("undecided", "not assessed")},
}
OUTCOMES = tuple(OUTCOME_COLOURS)


def _colours(name: ThemeName) -> dict[str, object]:
    ink = INK[name]
    axes = (f"axes.{part}color" for part in ("label", "edge", "title"))
    inked = ("text.color", *axes, "xtick.color", "ytick.color")
    clear = ("figure.facecolor", "axes.facecolor", "savefig.facecolor")
    return {
        **dict.fromkeys(inked, ink),
        **dict.fromkeys(clear, "none"),
        "grid.color": GRID[name],
        "legend.labelcolor": ink,
        "hatch.color": ink,
    }


SHAPES: dict[str, object] = {
    "figure.figsize": (7.2, 4.0),
    "figure.dpi": 100,
    "savefig.dpi": 160,
    "image.interpolation": "none",  # the page gets every pixel once, and scales it
    "figure.constrained_layout.use": True,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 11,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "xaxis.labellocation": "right",  # beside long names axes are narrow; a label then grows to the left
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "svg.fonttype": "path",
    "svg.hashsalt": "ntkd",  # the same figure has the same bytes
}


@contextmanager
def theme(name: ThemeName) -> Iterator[None]:
    """Set matplotlib's and seaborn's style for the light or the dark page, and restore it afterwards."""
    import matplotlib as mpl
    import seaborn as sns

    with mpl.rc_context():
        sns.set_theme(style="ticks", palette="colorblind", rc={**SHAPES, **_colours(name)})
        yield
