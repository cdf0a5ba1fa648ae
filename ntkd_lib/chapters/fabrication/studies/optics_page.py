"""What is designed and made: pillars, light, designs, errors, and the maps that a back end reads."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkd_lib.chapters.fabrication.methods import severity
from ntkd_lib.chapters.fabrication.page import at
from ntkd_lib.chapters.fabrication.plan import ALL_LIGHT, STUDENTS
from ntkd_lib.chapters.fabrication.studies.checks import first_design
from ntkd_lib.chapters.fabrication.work import NONE, TAPS, colour_design, design, make_device
from ntkd_lib.chapters.run import Run
from ntkd_lib.data.load import load
from ntkd_lib.lab import entries
from ntkd_lib.optics.captured import read_out
from ntkd_lib.optics.device import Device
from ntkd_lib.optics.errors import error_rows
from ntkd_lib.optics.geometry import COLOURS, SCALED
from ntkd_lib.optics.pillars import pillar_phase
from ntkd_lib.optics.psf import binned
from ntkd_lib.optics.strength import EXTENT, drawn_errors
from ntkd_lib.show.columns import Column

ERRORS = (
    Column("Error", "{error}"),
    Column("Magnitude", "{meaning}"),
    Column("At 100 %", "{sign}{full:g} {unit}"),
    Column("As calibrated", "{sign}{used:.3g} {unit}"),
    Column("Source", "{source}"),
)
DESIGNS = (
    *(Column("Student", "{student}"), Column("Smallest cosine", "{cosine:.4f}")),
    *(Column("Efficiency", "{efficiency:.1f} %"), Column("As trained", "{ideal:.2f} %")),
    *(Column("As designed", "{designed:.2f} %"), Column("With all light", "{wide:.2f} %")),
)
COLOUR_DESIGNS = (
    *(Column("Colour", "{colour}"), Column("Metasurfaces", "{masks}")),
    *(Column("Smallest cosine", "{smallest:.4f}"), Column("Mean cosine", "{mean:.4f}")),
    Column("Efficiency", "{efficiency:.1f} %"),
)


class ColourDesign(NamedTuple):
    """The first colour filter's positive metasurface; the largest entry of all light is 1."""

    widths: np.ndarray  # of pillars, nm, (n, n)
    phases: np.ndarray  # per colour, turns, (c, n, n)
    targets: np.ndarray  # light per filter pixel, (c, s, s)
    pixels: np.ndarray  # designed light per filter pixel, (c, s, s)
    light: np.ndarray  # designed light per cell around the filter, (c, w, w)
    cosines: list[float]  # between target and design, (c,)


def first_colour_design(run: Run) -> ColourDesign:
    """Collect the design of the first colour filter."""
    (record,) = run.select(colour_design)
    widths = record.arrays["nanometres"][0].astype(np.float32)
    phases = pillar_phase(torch.from_numpy(widths) / 1000, SCALED.wavelengths).numpy() / (2 * np.pi)
    light = record.arrays["light"][0]
    pixels = binned(torch.from_numpy(light), SCALED, SCALED.taps).numpy()
    edge = (light.shape[-1] - SCALED.taps * SCALED.pixel) // 2
    parts = (record.arrays["targets"][0], pixels, light[:, edge:-edge, edge:-edge])
    return ColourDesign(widths, phases, *(_to_one(part) for part in parts), record.values["cosines"][0])


def _to_one(images: np.ndarray) -> np.ndarray:
    return images / np.maximum(images.max(axis=(-2, -1), keepdims=True), np.finfo(np.float32).tiny)


def design_pixels(own: ColourDesign) -> pd.DataFrame:
    """List target and designed light."""
    table = entries(("colour", "row", "column"), target=own.targets, designed=own.pixels)
    return table.assign(colour=np.array(COLOURS)[table["colour"]])


def colour_rows(run: Run) -> pd.DataFrame:
    """Summarise all colour designs."""
    values = run.select(colour_design)[0].values
    cosines, shares = (np.array(values[name]) for name in ("cosines", "efficiency"))
    ends = {"smallest": cosines.min(0), "mean": cosines.mean(0), "efficiency": 100 * shares.mean(0)}
    return pd.DataFrame({"colour": COLOURS, "masks": len(cosines), **ends})


def designs(run: Run, devices: pd.DataFrame) -> pd.DataFrame:
    """Average the students' designs before any error over seeds."""
    perfect = at(run, devices, student=..., strength=0.0, taps=..., way=NONE)
    by = perfect.groupby(["student", "taps"])["accuracy"].mean().unstack()
    own = run.frame(design).groupby("student")
    means = {
        "cosine": own["cosines"].agg(lambda parts: min(np.min(part) for part in parts)),
        "efficiency": own["efficiency"].agg(lambda parts: 100 * np.mean([np.mean(part) for part in parts])),
        "ideal": perfect.groupby("student")["ideal"].mean(),
        "designed": by[TAPS],
        "wide": by[ALL_LIGHT],
    }
    return pd.DataFrame(means).loc[list(STUDENTS)].rename_axis("student").reset_index()


def errors() -> pd.DataFrame:
    """List the errors that act together, with their sizes at full and at the calibrated strength."""
    rows = pd.DataFrame(error_rows([type(error) for error in drawn_errors(1, seed=0)]))
    first = rows.drop_duplicates("error").assign(error=[name.replace("_", " ") for name in EXTENT])
    full = np.array(list(EXTENT.values()))
    return first.assign(full=full, used=severity() * full, sign=np.where(first["low"] < 0, "±", ""))


class Maps(NamedTuple):
    """One image on its way: `scene` `(h, w)`, read-outs `(k, h / 2, w / 2)` as designed and as made."""

    scene: np.ndarray
    designed: np.ndarray
    made: np.ndarray


SHOWN_STRENGTHS = (0.0, 0.1, 0.2, 0.3, 0.6, 1.0)


def map_frames(run: Run) -> tuple[pd.DataFrame, dict[str, Callable[[], Figure]]]:
    """Read an image out at rising error strengths: all values, and the drawing of each strength."""
    maps = {f"{100 * strength:.0f} %": captured_maps(run, strength) for strength in SHOWN_STRENGTHS}
    axes = ("filter", "row", "column")
    values = [entries(axes, designed=m.designed, made=m.made).assign(strength=s) for s, m in maps.items()]
    return pd.concat(values, ignore_index=True), {text: partial(draw_maps, m) for text, m in maps.items()}


def captured_maps(run: Run, strength: float, image: int = 0) -> Maps:
    """Read a training image out through the first seed's design, and through its first device."""
    own, seed = first_design(run), run.parameters.all_seeds[0]
    scene = load(run.parameters.data, "train").images[image : image + 1].float() / 255
    maps = []
    for device in (Device(), make_device(seed, 0, strength)):
        captures = next(device.frames(scene, own.psfs(device), "shown"))
        maps.append(read_out(captures, own.gains)[0, 0].unflatten(0, (-1, scene.shape[-2] // 2)).numpy())
    return Maps(scene[0, 0].numpy(), *maps)


def draw_pillars(own: ColourDesign) -> Figure:
    """Draw the map of pillar widths and the phase that each colour gets from it."""
    figure, panels = plt.subplots(2, 2, figsize=(7.2, 6.4))
    _image(panels[0, 0], own.widths, "viridis", title="pillar width (nm)")
    for axes, phase, name in zip(panels.flat[1:], own.phases, COLOURS, strict=True):
        _image(axes, phase, "cividis", 1.45, title=f"phase, {name} (turns)")
    for axes in panels.flat:
        figure.colorbar(axes.images[0], ax=axes, shrink=0.8)
    return figure


def _image(axes: Axes, image: np.ndarray, colours: str, top: float | None = None, **labels: str) -> None:
    """Draw an image from 0 to the top of its scale, or to its largest entry."""
    axes.imshow(image, cmap=colours, vmin=0, vmax=top)
    axes.set(xticks=[], yticks=[], **labels)
    axes.grid(visible=False)


def draw_light(own: ColourDesign) -> Figure:
    """Draw target and designed light for each colour."""
    figure, panels = plt.subplots(3, 3, figsize=(7.2, 6.8))
    titles = ("target", "designed, per filter pixel", "designed, per cell")
    for row, name in enumerate(COLOURS):
        for axes, image in zip(panels[row], (own.targets[row], own.pixels[row], own.light[row]), strict=True):
            _image(axes, image, "viridis", 1)
        panels[row, 0].set_ylabel(f"{name}, cosine {own.cosines[row]:.3f}")
    for axes, title in zip(panels[0], titles, strict=True):
        axes.set_title(title)
    figure.colorbar(panels[-1, -1].images[0], ax=panels, shrink=0.5, label="light, largest 1")
    return figure


def draw_maps(maps: Maps, shown: int = 4) -> Figure:
    """Draw what the back end reads of an image, as designed and as made."""
    figure, panels = plt.subplots(2, shown + 1, figsize=(7.2, 3.3))
    peak = maps.designed[:shown].max()  # the same at every strength
    _image(panels[0, 0], maps.scene, "gray", title="scene")
    panels[1, 0].set_visible(False)
    for row, images in enumerate((maps.designed, maps.made)):
        for column, axes in enumerate(panels[row, 1:]):
            _image(axes, images[column], "viridis", peak)
            panels[0, column + 1].set_title(f"filter {column + 1}")
        panels[row, 1].set_ylabel(("as designed", "as made")[row])
    figure.colorbar(panels[-1, -1].images[0], ax=panels, shrink=0.7)
    return figure
