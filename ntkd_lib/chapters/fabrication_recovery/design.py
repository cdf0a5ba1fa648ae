"""Cells that design metasurfaces: a student's own for one colour, and colour filters for three."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.chapters.fabrication_recovery.made import GREEN, TAPS, Design
from ntkd_lib.chapters.fabrication_recovery.reading import accuracy_through
from ntkd_lib.chapters.optical_students.classification_setting import prepare_digits, restore_student
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.seeds import deterministic
from ntkd_lib.optics.captured import CapturedStudent
from ntkd_lib.optics.design import (
    DesignOptions,
    capture_gains,
    design_widths,
    efficiency,
    plane_psfs,
    whole_pixels,
)
from ntkd_lib.optics.device import Device
from ntkd_lib.optics.geometry import SCALED, Geometry
from ntkd_lib.optics.psf import binned, psf_cosine, target_psfs


def fit(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Design the pairs of a student's filters for green light, and test the student through them.

    Args:
        arguments: ``data``, ``sha256``, ``seed``, ``device``, ``steps``.

    Returns:
        Cosines and efficiencies a capture and colour; test accuracy (percent) through the designed functions
        of 11 x 11 filter pixels, and through all light within the metasurface's size; ``nanometres``, the
        pillar widths, and ``gains``.
    """
    setting = prepare_digits(arguments)
    student = restore_student(needs["student"])
    result, design = _designed(student.front.filters.detach(), GREEN, arguments["steps"], arguments["seed"])
    models = {"captured": CapturedStudent(student.back)}
    for name, taps in (("accuracy", TAPS), ("wide_accuracy", whole_pixels(GREEN))):
        psfs = Device().psfs(design.widths, GREEN, taps)
        frames = Device().frames(setting.test.images, psfs)
        found = accuracy_through(models, frames, design.gains, setting.test.labels)
        result.values[name] = found["captured"]
    return result


def colour(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Design colour filters, one metasurface for three wavelengths, each with a filter of its own.

    The filters are those of grey students, three to a colour filter, in turn.

    Args:
        arguments: ``filters``, how many; ``steps``; ``colours``.
        needs: Students, whose filters are taken.

    Returns:
        As `fit`, without accuracies; targets and cell-by-cell functions of the first filter too.
    """
    deterministic(0)
    grey = torch.cat([restore_student(record).front.filters.detach()[:, 0] for record in needs.values()])
    wanted = arguments["filters"] * arguments["colours"]
    repeated = grey.repeat(-(-wanted // len(grey)), 1, 1)[:wanted]
    filters = repeated.unflatten(0, (arguments["filters"], arguments["colours"]))
    result, design = _designed(filters, SCALED, arguments["steps"], 0)
    count = arguments["filters"]
    shown = design.widths[[0, count]]
    arrays = {"targets": target_psfs(filters)[0][[0, count]], "light": plane_psfs(shown, SCALED)}
    return CellResult(result.values, {**result.arrays, **{k: v.numpy() for k, v in arrays.items()}})


def _designed(
    filters: Float[Tensor, "k c s s"], geometry: Geometry, steps: int, seed: int
) -> tuple[CellResult, Design]:
    targets, signs = target_psfs(filters)
    widths = design_widths(targets, geometry, DesignOptions(steps=steps, seed=seed))
    psfs = binned(plane_psfs(widths, geometry), geometry, geometry.taps)
    gains = capture_gains(psfs, targets, signs)
    lit = targets.amax(dim=(-2, -1)) > 0
    cosines = torch.where(lit, psf_cosine(psfs, targets), 1.0)
    values = {"cosines": cosines.tolist(), "efficiency": efficiency(psfs, geometry).tolist()}
    nanometres = (1000 * widths).round().numpy().astype(np.uint16)
    return CellResult(values, {"nanometres": nanometres, "gains": gains.numpy()}), Design(
        widths, gains, geometry
    )
