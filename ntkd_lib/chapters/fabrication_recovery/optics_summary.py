"""Summary of the designs of notebook 03: widths, phases, point spread functions, and captured maps."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from ntkd_lib.chapters.fabrication_recovery.made import TAPS, make_device, restore_design
from ntkd_lib.chapters.fabrication_recovery.settings import severity
from ntkd_lib.chapters.fabrication_recovery.summary import design_record, student_record
from ntkd_lib.chapters.run import Run
from ntkd_lib.data.load import load
from ntkd_lib.optics.captured import read_out
from ntkd_lib.optics.device import ALL_ERRORS, Device
from ntkd_lib.optics.errors import error_rows
from ntkd_lib.optics.geometry import COLOURS, SCALED
from ntkd_lib.optics.pillars import pillar_phase
from ntkd_lib.optics.psf import binned


class ColourDesign(NamedTuple):
    """The first colour filter's positive metasurface.

    Attributes:
        widths: Pillar widths, nm, ``(n, n)``.
        phases: Phase a colour, turns, ``(c, n, n)``.
        targets: Wanted light a filter pixel, largest entry 1, ``(c, s, s)``.
        pixels: Designed light a filter pixel, largest entry 1, ``(c, s, s)``.
        light: Designed light a cell around the filter, largest entry 1, ``(c, w, w)``.
        cosines: Between the two, ``(c,)``.
    """

    widths: np.ndarray
    phases: np.ndarray
    targets: np.ndarray
    pixels: np.ndarray
    light: np.ndarray
    cosines: list[float]


def colour_design(run: Run) -> ColourDesign:
    """Give the design of the first colour filter."""
    record = run.records[f"{run.parameters.data}/colour"]
    widths = record.arrays["nanometres"][0].astype(np.float32)
    phases = pillar_phase(torch.from_numpy(widths) / 1000, SCALED.wavelengths).numpy() / (2 * np.pi)
    light = record.arrays["light"][0]
    pixels = binned(torch.from_numpy(light), SCALED, SCALED.taps).numpy()
    edge = (light.shape[-1] - SCALED.taps * SCALED.pixel) // 2
    shown = light[:, edge:-edge, edge:-edge]
    images = (_to_one(images) for images in (record.arrays["targets"][0], pixels, shown))
    return ColourDesign(widths, phases, *images, record.values["cosines"][0])


def _to_one(images: np.ndarray) -> np.ndarray:
    return images / np.maximum(images.max(axis=(-2, -1), keepdims=True), np.finfo(np.float32).tiny)


def design_pixels(design: ColourDesign) -> pd.DataFrame:
    """List wanted and designed light."""
    index = np.indices(design.targets.shape).reshape(3, -1)
    names = np.array(COLOURS)[index[0]]
    values = {"target": design.targets.ravel(), "designed": design.pixels.ravel()}
    return pd.DataFrame({"colour": names, "row": index[1], "column": index[2], **values})


def colour_table(run: Run) -> pd.DataFrame:
    """Summarise all colour designs."""
    record = run.records[f"{run.parameters.data}/colour"].values
    cosines, shares = (np.array(record[name]) for name in ("cosines", "efficiency"))
    return pd.DataFrame(
        {
            "colour": colour,
            "smallest": cosines[:, i].min(),
            "mean": cosines[:, i].mean(),
            "efficiency": 100 * shares[:, i].mean(),
            "count": len(cosines),
        }
        for i, colour in enumerate(COLOURS)
    )


def designs(run: Run) -> pd.DataFrame:
    """List the students' own designs, before any error."""
    rows = []
    for student in ("ntkd", "kd", "vaccinated"):
        for seed in run.parameters.all_seeds:
            values = design_record(run, student, seed).values
            row = {"student": student, "seed": seed, "cosine": np.min(values["cosines"])}
            row |= {"efficiency": 100 * np.mean(values["efficiency"])}
            row |= {"ideal": student_record(run, student, seed).values["accuracy"]}
            rows.append({**row, "designed": values["accuracy"], "wide": values["wide_accuracy"]})
    return pd.DataFrame(rows)


class Maps(NamedTuple):
    """One image on its way: ``scene`` ``(h, w)``, read-outs ``(k, h / 2, w / 2)`` as designed and as made."""

    scene: np.ndarray
    designed: np.ndarray
    made: np.ndarray


def captured_maps(run: Run, image: int = 0) -> Maps:
    """Read a training image out through the first seed's design, and through its first device."""
    seed = run.parameters.all_seeds[0]
    design = restore_design(design_record(run, "ntkd", seed))
    scene = load(run.parameters.data, "train").images[image : image + 1].float() / 255
    made = make_device({"seed": seed, "number": 0, "strength": severity()})
    maps = []
    for device in (Device(), made):
        captures = next(device.frames(scene, device.psfs(design.widths, design.geometry, TAPS), "shown"))
        maps.append(read_out(captures, design.gains)[0, 0].unflatten(0, (-1, scene.shape[-2] // 2)).numpy())
    return Maps(scene[0, 0].numpy(), *maps)


def map_values(maps: Maps) -> pd.DataFrame:
    """List the entries of both read-outs."""
    index = np.indices(maps.made.shape).reshape(3, -1)
    named = dict(zip(("filter", "row", "column"), index, strict=True))
    return pd.DataFrame({**named, "designed": maps.designed.ravel(), "made": maps.made.ravel()})


def error_table() -> pd.DataFrame:
    """List every magnitude of every error with its unit, range and source."""
    return pd.DataFrame(error_rows(ALL_ERRORS))
