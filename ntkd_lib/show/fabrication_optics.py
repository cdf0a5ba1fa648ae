"""Figures and tables of the optics of notebook 03: pillars, light, captured maps, errors."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ntkd_lib.chapters.fabrication_recovery.optics_summary import ColourDesign, Maps
from ntkd_lib.optics.geometry import COLOURS
from ntkd_lib.show.html import Html, element, table
from ntkd_lib.show.numbers import MINUS, NONE, format_value, interval_text


def draw_pillars(design: ColourDesign) -> Figure:
    """Draw the map of pillar widths and the phase that each colour gets from it."""
    figure, panels = plt.subplots(2, 2, figsize=(7.2, 6.4))
    images = [(design.widths, "pillar width (nm)", "viridis", None)]
    images += [
        (phase, f"phase, {name} (turns)", "cividis", 1.45)
        for name, phase in zip(COLOURS, design.phases, strict=True)
    ]
    for axes, (image, title, colours, top) in zip(panels.flat, images, strict=True):
        drawn = axes.imshow(image, cmap=colours, vmin=0, vmax=top)
        axes.set(xticks=[], yticks=[], title=title)
        axes.grid(visible=False)
        figure.colorbar(drawn, ax=axes, shrink=0.8)
    return figure


def draw_light(design: ColourDesign) -> Figure:
    """Draw wanted and designed light for each colour."""
    figure, panels = plt.subplots(3, 3, figsize=(7.2, 6.8))
    for row, name in enumerate(COLOURS):
        images = (design.targets[row], design.pixels[row], design.light[row])
        for axes, image in zip(panels[row], images, strict=True):
            drawn = axes.imshow(image, cmap="viridis", vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
            axes.grid(visible=False)
        panels[row, 0].set_ylabel(f"{name}, cosine {design.cosines[row]:.3f}")
    for axes, title in zip(
        panels[0], ("target", "designed, a filter pixel", "designed, a cell"), strict=True
    ):
        axes.set_title(title)
    figure.colorbar(drawn, ax=panels, shrink=0.5, label="light, largest 1")
    return figure


def draw_maps(maps: Maps, shown: int = 4) -> Figure:
    """Draw what the back end sees of an image, as designed and as made."""
    figure, panels = plt.subplots(2, shown + 1, figsize=(7.2, 3.3))
    peak = max(maps.designed[:shown].max(), maps.made[:shown].max())
    for axes in panels.flat:
        axes.set(xticks=[], yticks=[])
        axes.grid(visible=False)
    panels[0, 0].imshow(maps.scene, cmap="gray")
    panels[0, 0].set_title("scene")
    panels[1, 0].set_visible(False)
    for row, images in enumerate((maps.designed, maps.made)):
        for column in range(shown):
            drawn = panels[row, column + 1].imshow(images[column], cmap="viridis", vmin=0, vmax=peak)
            panels[0, column + 1].set_title(f"filter {column + 1}")
        panels[row, 1].set_ylabel(("as designed", "as made")[row])
    figure.colorbar(drawn, ax=panels, shrink=0.7)
    return figure


def recovery_table(summary: pd.DataFrame) -> Html:
    """Show what each way to recover reaches."""
    rows = [
        (
            way.label,
            format_value(way.mean, "percent"),
            interval_text(way.low, way.high),
            _share(way.share),
            NONE if np.isnan(way.paper) else f"{way.paper:g} %",
            _share(way.paper_share),
        )
        for way in summary.itertuples()
    ]
    headers = ("Back end", "Test accuracy", "95 % interval", "Won back", "Paper", "Paper won back")
    return table(headers, rows, caption="Table 4, MNIST, simulated errors instead of hardware")


def _share(value: float) -> str:
    return NONE if np.isnan(value) else f"{value:.0f} %".replace("-", MINUS)


def error_table(errors: pd.DataFrame) -> Html:
    """Show every error's magnitudes."""
    rows = [
        (
            row.error,
            f"{row.magnitude}: {row.meaning}",
            f"{row.low:g} to {row.high:g} {row.unit}".strip().replace("-", MINUS),
            row.source,
        )
        for row in errors.itertuples()
    ]
    return table(
        ("Error", "Magnitude", "Allowed", "Source"), rows, caption="Errors of fabrication and capture"
    )


def design_table(designs: pd.DataFrame) -> Html:
    """Show the students' designs before any error, mean over seeds."""
    rows = []
    for student, part in designs.groupby("student", sort=False):
        accuracies = [format_value(part[name].mean(), "percent") for name in ("ideal", "designed", "wide")]
        rows.append(
            (student, f"{part['cosine'].min():.4f}", f"{part['efficiency'].mean():.1f} %", *accuracies)
        )
    headers = ("Student", "Smallest cosine", "Efficiency", "As trained", "As designed", "With all light")
    return table(headers, rows, caption="Designs for green light, before any error")


def colour_table(colours: pd.DataFrame) -> Html:
    """Show the colour designs."""
    rows = [
        (row.colour, str(row.number), f"{row.smallest:.4f}", f"{row.mean:.4f}", f"{row.efficiency:.1f} %")
        for row in colours.rename(columns={"count": "number"}).itertuples()
    ]
    headers = ("Colour", "Metasurfaces", "Smallest cosine", "Mean cosine", "Efficiency")
    return table(headers, rows, caption="Three colours through one metasurface")


def slope_table(slopes: pd.DataFrame) -> Html:
    """Show the fitted slopes of the theory."""
    rows = [
        tuple(
            text.replace("-", MINUS)
            for text in (s.label, f"{s.slope:.3f}", f"{s.low:.3f} to {s.high:.3f}", f"{s.last:.3f}")
        )
        for s in slopes.itertuples()
    ]
    headers = ("Reading", "Slope", "Over networks", "Last doubling")
    return table(headers, rows, caption="Change of the tangent kernel: slope on logarithmic axes")


def answer(summary: pd.DataFrame, gaps: pd.DataFrame, stops: float | None, sweep: pd.DataFrame) -> Html:
    """Say in words and numbers how much is won back, and where that ends."""
    ways, gap = summary.set_index("name"), gaps.iloc[0]
    text = (
        f"Errors take the students from {ways['ideal'].iloc[0]:.2f} to "
        f"{ways.loc['uncompensated', 'mean']:.2f} %; fine-tuning on labels wins back "
        f"{ways.loc['e2e_ft', 'share']:.0f} % of the loss; NTKD minus labels {gap['mean']:+.2f} points, "
        f"interval [{gap['low']:+.2f}, {gap['high']:+.2f}]. {_end(stops, sweep)}"
    )
    return element(
        "p",
        element("strong", "Measured here, by simulation. "),
        text.replace(" -", f" {MINUS}").replace("[-", f"[{MINUS}"),
    )


def _end(stops: float | None, sweep: pd.DataFrame) -> str:
    strongest = sweep[sweep["x"] == sweep["x"].max()].set_index("way")
    where = (
        "At every strength that was tried NTKD wins back at least half"
        if stops is None
        else f"From a strength of {stops:.0f} % on NTKD wins back less than half"
    )
    return (
        f"{where}; at {strongest['x'].iloc[0]:.0f} % it goes from "
        f"{strongest.loc['uncompensated', 'mean']:.1f} to {strongest.loc['ntkd_ft', 'mean']:.1f} %."
    )
