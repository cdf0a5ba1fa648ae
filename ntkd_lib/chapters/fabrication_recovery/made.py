"""Designs as cells left them, and the devices that are made of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.seeds import derive_seed
from ntkd_lib.optics.device import Device
from ntkd_lib.optics.geometry import SCALED, Geometry
from ntkd_lib.optics.strength import drawn_errors

GREEN = SCALED.of_colours(0.532)
TAPS = 11  # filter pixels that a capture is computed with: two around the filter


@dataclass(frozen=True)
class Design:
    """Designed metasurfaces of one student.

    Attributes:
        widths: Pillar widths, um, ``(m, n, n)``.
        gains: Signed digital gains of the captures, ``(m, c)``.
        geometry: Lengths and wavelengths.
    """

    widths: Float[Tensor, "m n n"]
    gains: Float[Tensor, "m c"]
    geometry: Geometry


def restore_design(record: Record, geometry: Geometry = GREEN) -> Design:
    """Rebuild a design from its record."""
    widths = torch.from_numpy(record.arrays["nanometres"].astype(np.float32)) / 1000
    return Design(widths, torch.tensor(record.arrays["gains"]), geometry)


def make_device(arguments: Mapping[str, Any]) -> Device:
    """Make the device of a cell: the same seed and number give the same draws at every strength.

    Args:
        arguments: ``seed``, ``number``, ``strength``.
    """
    seed = derive_seed("device", arguments["seed"], arguments["number"])
    return Device(drawn_errors(arguments["strength"], seed), seed)
