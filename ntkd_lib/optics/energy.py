"""Energy of a capture and its processing, by counting multiply-adds.

Source: NTKD paper, energy comparison on Carvana. Its three compute energies (2.03 J for 65.9 G, 7.37 mJ for
239 M, 2.01 mJ for 65 M multiply-adds) all equal 30.8 to 30.9 pJ each; its captures cost 2.36 mJ through a
lens and 3.82 mJ through the metasurface.
"""

import copy
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ntkd_lib.optics.cascade import CascadeFrontEnd

PICOJOULE_A_MAC = 30.9
LENS_CAPTURE = 2.36
OPTICAL_CAPTURE = 3.82


@dataclass(frozen=True)
class Budget:
    """Work and energy of one system per image: multiply-adds of a computer, millions, and a capture, mJ."""

    system: str
    macs: float
    capture: float

    @property
    def compute(self) -> float:
        """Energy of the multiply-adds, mJ: ``1e6 macs x 30.9e-12 J``."""
        return 1e3 * 1e6 * self.macs * PICOJOULE_A_MAC * 1e-12

    @property
    def total(self) -> float:
        """Energy of capture and multiply-adds, mJ."""
        return self.capture + self.compute


def count_macs(network: nn.Module, shape: tuple[int, ...]) -> float:
    """Count the multiply-adds of a network's convolutions and products, millions.

    Args:
        shape: Shape of one image or read-out, without the batch.
    """
    counter, bare = FlopCounterMode(display=False), copy.deepcopy(network).to("meta")
    with torch.no_grad(), counter:
        bare(torch.zeros(1, *shape, device="meta"))  # shapes alone are followed, nothing is computed
    return counter.get_total_flops() / 2 / 1e6


def cascade_macs(front: CascadeFrontEnd, height: int, width: int) -> dict[str, float]:
    """Count the multiply-adds, millions, that replace a 3 x 3 cascade of optics in a computer, in three ways.

    They are ``layers`` (depth by depth at full resolution, as a network with these layers is run), ``merged``
    (one bank at full resolution) and ``binned`` (one bank at the sensor's resolution).
    """
    pixels = height * width / 1e6
    bank = front.bank
    wide = bank[0].numel() // bank.shape[-1] ** 2 * (bank.shape[-1] + front.pixels - 1) ** 2
    return {
        "layers": sum(filters.numel() for filters in front.depths) * pixels,
        "merged": bank.numel() * pixels,
        "binned": len(bank) * wide * pixels / front.pixels**2,
    }


def saving(hybrid: Budget, twin: Budget) -> float:
    """Compute the energy saving in percent, ``100 (1 - E_hybrid / E_twin)``; negative if optics cost."""
    return 100 * (1 - hybrid.total / twin.total)
