"""The probe: one entry of a kernel against plain autograd on single samples."""

import pytest
import torch

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
