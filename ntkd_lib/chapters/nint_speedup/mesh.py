"""Cells that turn a mesh into a signal."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ntkd_lib.data.signals import load_mesh
from ntkd_lib.inr.shapes import fit_to_cube, signed_distance
from ntkd_lib.inr.signals import Signal
from ntkd_lib.lab.cells import CellResult, Record


def sample(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Sample a mesh's signed distance on a grid of the cube.

    Args:
        arguments: ``name``, ``side``, ``sha256``.

    Returns:
        ``shape``; array ``values``, ``(n, 1)``, in units of half the cube's side.
    """
    del needs
    side = arguments["side"]
    vertices, faces = load_mesh(arguments["name"], arguments["sha256"])
    grid = Signal(torch.zeros(side**3, 1), (side, side, side)).coordinates.numpy()
    distance = signed_distance(grid, fit_to_cube(vertices), faces)
    return CellResult({"shape": [side, side, side]}, {"values": distance[:, None].astype(np.float32)})
