"""The probe: one entry of a kernel against plain autograd on single samples."""

import pytest
import torch
from torch import nn

from ntkd_lib.nets.unet import ShuffledNetwork, UNet
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.kinds import KINDS
from ntkd_lib.ntk.probe import ProbeError, check_kernel
from tests.ntk.nets import build


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["dense", "lenet", "tied embedding"])
def test_right_kernels_pass_and_wrong_ones_do_not(name: str, kind: str) -> None:
    model, x, y = build(name, 5, 4)
    state = torch.get_rng_state()
    for other in (None, y):
        kernel = empirical_ntk(model, x, other, kind=kind).detach()
        for _ in range(4):
            check_kernel(model, kernel, x, other, kind=kind)
            with pytest.raises(ProbeError, match=r"kernel: its entry of samples . and . differs"):
                check_kernel(model, 1.01 * kernel, x, other, kind=kind)
    assert torch.equal(state, torch.get_rng_state())
    assert all(p.grad is None for p in model.parameters())


def test_rounding_that_a_network_amplifies_is_no_fault() -> None:
    """A random U-Net of float32 is up to 0.05 % off its float64 twin, by autograd as by any other way."""
    torch.manual_seed(7)
    model = nn.Sequential(
        ShuffledNetwork(UNet(12, 4, 12, 3), 2), nn.AdaptiveAvgPool2d(2), nn.Flatten()
    ).eval()
    images = torch.rand(6, 3, 160, 240)
    for _ in range(8):
        empirical_ntk(model, images, kind="trace")
