"""Cells that design the metasurfaces of a student for masks: a pair a filter, three colours at once."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ntkd_lib.chapters.fabrication_segmentation.protocol import Protocol
from ntkd_lib.chapters.optical_students.masks import restore
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.seeds import deterministic
from ntkd_lib.optics.design import DesignOptions, capture_gains, design_widths, efficiency, plane_psfs
from ntkd_lib.optics.psf import binned, psf_cosine, target_psfs
from ntkd_lib.optics.segmentation import carvana_student


def fit(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Design one metasurface for each part of each merged filter, by the routine of notebook 03.

    Args:
        arguments: ``data``, ``sha256``, ``seed``, ``device``, ``protocol``.

    Returns:
        Cosines and efficiencies a capture and colour; ``nanometres``, the pillar widths, and ``gains``.
    """
    deterministic(arguments["seed"])
    protocol = Protocol(**arguments["protocol"])
    geometry = protocol.geometry
    student = restore(carvana_student(), needs["student"])
    targets, signs = target_psfs(student.front.bank.detach())
    widths = design_widths(
        targets, geometry, DesignOptions(steps=protocol.design_steps, seed=arguments["seed"])
    )
    psfs = binned(plane_psfs(widths, geometry), geometry, geometry.taps)
    gains = capture_gains(psfs, targets, signs)
    cosines = torch.where(targets.amax(dim=(-2, -1)) > 0, psf_cosine(psfs, targets), 1.0)
    values = {"cosines": cosines.tolist(), "efficiency": efficiency(psfs, geometry).tolist()}
    nanometres = (1000 * widths).round().numpy().astype(np.uint16)
    return CellResult(values, {"nanometres": nanometres, "gains": gains.numpy()})
