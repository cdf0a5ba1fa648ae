"""What a network has fitted, mode by mode: at the end, in the course of training, and counted by kind."""

from collections.abc import Callable
from functools import partial
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ntkd_lib.chapters.overfitting.problems import LARGEST, NETWORKS, Problem, draw
from ntkd_lib.chapters.overfitting.search import six_sizes
from ntkd_lib.chapters.overfitting.studies.grid import spectral_labels
from ntkd_lib.chapters.overfitting.studies.students import distil_six, network_outputs
from ntkd_lib.chapters.overfitting.work import train
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab.frame import summarise
from ntkd_lib.show import Column, Html, interval_text, show_table
from ntkd_lib.spectral.drawing import draw_mode_map
from ntkd_lib.spectral.modes import count_above, mode_table

KINDS = ("learned", "under-learned", "spurious")
COUNTS = (Column("Network", "{network}"), *(Column(kind, f"{{{kind.replace('-', '_')}}}") for kind in KINDS))


def largest_modes(run: Run) -> tuple[pd.DataFrame, int, float]:
    """Describe the modes of the largest network of the first seed: table, cut, noise level."""
    record = run.select(distil_six)[0]
    arrays = (record.arrays[name] for name in ("values", f"fitted/{LARGEST}", "labels", "shares"))
    return mode_table(*arrays), record.values["kstar"], record.values["noise"]


def modes_in_training(run: Run, network: str) -> pd.DataFrame:
    """List the modes of a network of the first seed at every other checkpoint, up to the last."""
    seed = run.parameters.all_seeds[0]
    (record,) = run.select(train, part="ended", network=network, seed=seed)
    own = run.select(distil_six)[0].arrays
    basis = spectral_labels(draw(Problem(), six_sizes(run.parameters), seed)).fit.basis
    parts = []
    epochs = record.values["epochs"]
    for place in range(len(epochs) - 1, -1, -2)[::-1]:
        outputs = network_outputs(record, "train", place)
        fitted = basis.coefficients(outputs - outputs.mean())
        modes = mode_table(own["values"], fitted, own["labels"], own["shares"])
        parts.append(modes.assign(epoch=epochs[place]))
    return pd.concat(parts, ignore_index=True)


def mode_counts(run: Run) -> pd.DataFrame:
    """Count learned, under-learned and spurious modes of the six networks, mean over seeds."""
    rows = []
    for record in run.select(distil_six):
        values, labels, shares = (record.arrays[name] for name in ("values", "labels", "shares"))
        for network in NETWORKS:
            modes = mode_table(values, record.arrays[f"fitted/{network}"], labels, shares)
            kinds = modes["kind"].value_counts()
            noise = modes.loc[modes["kind"] == "noise", "fitted"].to_numpy()
            spurious = int(count_above(noise, record.values["noise"]))
            counts = (kinds.get("signal", 0), kinds.get("under-learned", 0), spurious)
            rows += [{"network": network, "kind": k, "count": n} for k, n in zip(KINDS, counts, strict=True)]
    return summarise(pd.DataFrame(rows), "count", ["network", "kind"])


def count_table(counts: pd.DataFrame) -> Html:
    """Show the counts, a row per network."""
    texts = counts.assign(
        text=[f"{row.mean:.1f} {interval_text(row.low, row.high)}" for row in counts.itertuples()],
        kind=counts["kind"].str.replace("-", "_"),
    )
    wide = texts.pivot(index="network", columns="kind", values="text").loc[list(NETWORKS)].reset_index()
    return show_table(wide, COUNTS, "Modes by kind at the end of training, mean over seeds")


def draw_alone(draw: Callable[..., None], *contents: Any) -> Figure:
    """Draw the spectrum of one network, or its map of modes."""
    figure, axes = plt.subplots(figsize=(7.2, 4.8))
    draw(axes, *contents)
    return figure


def mode_frames(modes: pd.DataFrame, noise: float) -> dict[str, Callable[[], Figure]]:
    """Draw the map of modes at each checkpoint, on common axes."""
    limit = 1.1 * max(modes["t"].abs().max(), modes["fitted"].abs().max() / noise)
    return {f"{n} epochs": partial(_draw_modes, part, noise, limit) for n, part in modes.groupby("epoch")}


def _draw_modes(modes: pd.DataFrame, noise: float, limit: float) -> Figure:
    figure = draw_alone(draw_mode_map, modes, noise)
    figure.axes[0].set(xlim=(-limit, limit), ylim=(-limit, limit))
    return figure
