"""Pictures of notebook 07: where samplers look, what is left, waveforms and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Poly3DCollection

from ntkd_lib.show.nint_speedup import BLUE, GREEN, PURPLE


def draw_visits(image: np.ndarray, maps: Mapping[str, np.ndarray], labels: Mapping[str, str]) -> Figure:
    """Draw how often points were seen, in three spans of training."""
    spans = len(next(iter(maps.values())))
    figure, grid = plt.subplots(spans, len(maps) + 1, figsize=(7.2, 1.5 * spans + 0.4), squeeze=False)
    names = ("first 5 %", "to 20 %", "the rest")
    for row in range(spans):
        _picture(grid[row, 0], image, "the image" if row == 0 else "")
        grid[row, 0].set_ylabel(names[row], fontsize=9)
        for axes, (method, counts) in zip(grid[row, 1:], maps.items(), strict=True):
            axes.imshow(np.log2(counts[row] + 0.1), cmap="magma", vmin=-3, vmax=3)
            _bare(axes, labels[method] if row == 0 else "")
    return figure


def draw_residuals(image: np.ndarray, fitted: Mapping[str, np.ndarray], labels: Mapping[str, str]) -> Figure:
    """Draw what is left of the image after training."""
    figure, panels = plt.subplots(1, len(fitted) + 1, figsize=(7.2, 2.2))
    _picture(panels[0], image, "the image")
    left = {method: np.abs(found - image).mean(2) for method, found in fitted.items()}
    peak = np.percentile(np.stack(list(left.values())), 99)
    for axes, (method, residual) in zip(panels[1:], left.items(), strict=True):
        drawn = axes.imshow(residual, cmap="magma", vmin=0, vmax=peak)
        _bare(axes, labels[method])
    figure.colorbar(drawn, ax=list(panels), shrink=0.7, label="error")
    return figure


def _picture(axes: Axes, image: np.ndarray, title: str) -> None:
    axes.imshow(np.clip(image, 0, 1))
    _bare(axes, title)


def _bare(axes: Axes, title: str) -> None:
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.set_title(fill(title, 13), fontsize=8)


def draw_waveform(wave: pd.DataFrame) -> Figure:
    """Draw a piece of sound and the residuals of its fits."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(7.2, 3.8), sharex=True)
    above.plot(wave["time"], wave["true"], color=plt.rcParams["axes.edgecolor"], linewidth=1)
    above.set_ylabel("amplitude")
    shown = {"full": ("full batch", BLUE), "nint": ("NINT", GREEN), "error_memory": ("error memory", PURPLE)}
    for name, (label, colour) in shown.items():
        below.plot(wave["time"], wave[name] - wave["true"], color=colour, linewidth=1, label=label)
    below.set_ylabel("residual")
    below.set_xlabel("time (ms)")
    figure.legend(*below.get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return figure


def draw_shapes(shapes: Mapping[str, object], labels: Mapping[str, str]) -> Figure:
    """Draw surfaces."""
    figure = plt.figure(figsize=(7.2, 2.4))
    for place, (name, found) in enumerate(shapes.items(), 1):
        axes = figure.add_subplot(1, len(shapes), place, projection="3d")
        if found is not None:
            axes.add_collection3d(_shaded(found[1]))
        axes.set(xlim=(-0.9, 0.9), ylim=(-0.9, 0.9), zlim=(-0.9, 0.9))
        axes.set_axis_off()
        axes.set_box_aspect((1, 1, 1), zoom=1.4)
        axes.view_init(elev=90, azim=-90)
        axes.set_title(labels[name], fontsize=9, loc="center")
    return figure


def _shaded(triangles: np.ndarray) -> Poly3DCollection:
    """Shade triangles by how much they face the viewer."""
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True).clip(1e-12)
    light = np.abs((normals / lengths) @ np.array([0.3, 0.5, 0.81]))
    return Poly3DCollection(triangles, facecolors=plt.cm.viridis(0.15 + 0.75 * light), edgecolors="none")
