"""Visits of samplers on the first image, and their residuals."""

from collections.abc import Mapping
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkd_lib.chapters.nint.methods import LABELS
from ntkd_lib.chapters.nint.work import Subject, make_signal, race
from ntkd_lib.chapters.run import Run
from ntkd_lib.data.files import unpickle_arrays
from ntkd_lib.data.registry import LPIPS, find_weights
from ntkd_lib.inr import Lpips, Signal, ssim
from ntkd_lib.lab.cells import Record
from ntkd_lib.show import Column, Html, element, show_table

SPANS = ("first 5 %", "to 20 %", "the rest")


def first_race(run: Run) -> Record:
    """Select the race whose visits were counted: first image, first seed."""
    return run.select(race, study="race")[0]


def signal(run: Run) -> Signal:
    """Load the image of that race as a signal."""
    subject = Subject("image", run.parameters.side, run.frame(race, study="race")["subject"][0])
    return make_signal(subject, run.data("signals"))


def image(run: Run) -> np.ndarray:
    """Load the image of that race, `(h, w, 3)`."""
    first = signal(run)
    return first.values.numpy().reshape(*first.shape, -1)


def maps(run: Run, *methods: str) -> dict[str, np.ndarray]:
    """Compute the visits of each point, span by span, relative to an even draw."""
    arrays, side = first_race(run).arrays, run.parameters.side
    counts = {m: arrays[f"visits.{m}"].astype(float) for m in methods}
    return {m: (c / c.mean(1, keepdims=True)).reshape(-1, side, side) for m, c in counts.items()}


def fits(run: Run, *methods: str) -> dict[str, np.ndarray]:
    """Collect the fitted images of networks, `(h, w, 3)`."""
    arrays, side = first_race(run).arrays, run.parameters.side
    return {m: arrays[f"fitted.{m}"].reshape(side, side, -1) for m in methods}


def residuals(true: np.ndarray, fitted: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Compute the mean error of each pixel."""
    return {method: np.abs(values - true).mean(2) for method, values in fitted.items()}


def flat(arrays: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """List the entries of arrays of one shape."""
    return pd.DataFrame({name: array.ravel() for name, array in arrays.items()})


def similarity(true: np.ndarray, fitted: Mapping[str, np.ndarray], judge: Lpips | None) -> pd.DataFrame:
    """Measure structural similarity, and perceptual distance if its weights are there."""
    distance = judge.distance if judge else lambda *_: float("nan")
    return pd.DataFrame(
        {
            "label": LABELS[method],
            "ssim": ssim(values, true),
            "standard": distance(values, true),
            "stretched": distance(values, true, "stretched"),
        }
        for method, values in fitted.items()
    )


def perceptual() -> Lpips | None:
    """Load LPIPS; None without its weights."""
    located, _ = find_weights()
    if located is None or located.path is None:
        return None
    path = located.path / LPIPS.contents[0].name
    return Lpips(unpickle_arrays(path.read_bytes(), path.name))


def similarity_table(table: pd.DataFrame) -> Html:
    """Show similarities of fits to the image; a note replaces LPIPS without its weights."""
    measures, equal = [Column("Sampler", "{label}"), Column("SSIM", "{ssim:.3f}")], "SSIM 1"
    missing = table["standard"].isna().all()
    if not missing:
        measures += [Column("LPIPS", "{standard:.3f}"), Column("LPIPS, inputs stretched", "{stretched:.3f}")]
        equal = "SSIM 1 and LPIPS 0"
    shown = show_table(table, measures, f"How alike the same fits look; equal images have {equal}")
    note = f"LPIPS is left out: the weights of its network were not found: {find_weights()[1]}."
    return element("div", shown, element("p", note)) if missing else shown


def draw_visits(true: np.ndarray, counts: Mapping[str, np.ndarray]) -> Figure:
    """Draw the visits of points, in three spans of training."""
    figure, grid = plt.subplots(len(SPANS), len(counts) + 1, figsize=(7.2, 4.9), squeeze=False)
    for row, span in enumerate(SPANS):
        _show(grid[row, 0], np.clip(true, 0, 1), "" if row else "the image")
        grid[row, 0].set_ylabel(span, fontsize=9)
        for axes, (method, maps_) in zip(grid[row, 1:], counts.items(), strict=True):
            title = "" if row else LABELS[method]
            _show(axes, np.log2(np.maximum(maps_[row], 1 / 8)), title, cmap="magma", vmin=-3, vmax=3)
    return figure


def draw_residuals(true: np.ndarray, errors: Mapping[str, np.ndarray]) -> Figure:
    """Draw the residuals of the image after training."""
    figure, panels = plt.subplots(1, len(errors) + 1, figsize=(7.2, 2.2))
    _show(panels[0], np.clip(true, 0, 1), "the image")
    peak = np.percentile(np.stack(list(errors.values())), 99)
    for axes, (method, error) in zip(panels[1:], errors.items(), strict=True):
        drawn = _show(axes, error, LABELS[method], cmap="magma", vmin=0, vmax=peak)
    figure.colorbar(drawn, ax=list(panels), shrink=0.7, label="error")
    return figure


def _show(axes: Axes, values: np.ndarray, title: str, **style: object) -> object:
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.set_title(fill(title, 13), fontsize=8)
    return axes.imshow(values, **style)
