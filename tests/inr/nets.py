"""Small networks and signals in float64 for the tests of the sampler's mathematics."""

import torch

from ntkd_lib.inr.networks import NETWORKS, build
from ntkd_lib.inr.signals import Signal

STACKS = [name for name in NETWORKS if name != "hashgrid"]


def net(name="siren", inputs=2, outputs=3, width=8, hidden=2, seed=0):
    torch.manual_seed(seed)
    return build(name, inputs, outputs, width, hidden).double()


def points(count=40, inputs=2, outputs=3, seed=1):
    generator = torch.Generator().manual_seed(seed)
    x = 2 * torch.rand(count, inputs, generator=generator, dtype=torch.float64) - 1
    return x, torch.rand(count, outputs, generator=generator, dtype=torch.float64)


def image(side=12, seed=2):
    generator = torch.Generator().manual_seed(seed)
    return Signal(torch.rand(side * side, 3, generator=generator), (side, side))
