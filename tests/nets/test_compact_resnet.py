"""The small residual network and its wide twin: how they start."""

import pytest
import torch
from torch.nn.functional import avg_pool2d

from ntkd_lib.nets.compact_resnet import compact_resnet, whiten_first, wide_resnet

REGULARISER = 5e-4


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """Smooth random images, so that neighbouring pixels are correlated."""
    return avg_pool2d(torch.rand(200, 3, 66, 66, generator=torch.Generator().manual_seed(0)), 3, 2)


@pytest.mark.parametrize("make", [compact_resnet, wide_resnet])
def test_whitened_patches_are_uncorrelated(make, images) -> None:
    net = make()
    whiten_first(net, images)
    with torch.no_grad():
        found = net[0](images).double().permute(1, 0, 2, 3).flatten(1)
    assert found.mean(1).abs().max() < 1e-4
    second = found @ found.T / found.shape[1]
    apart = second[:12, :12] - torch.diag(second.diagonal()[:12])
    assert apart.abs().max() < 1e-4
    patches = images.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12).double()
    spread = torch.linalg.eigvalsh(torch.cov(patches.T, correction=0))
    torch.testing.assert_close(second.diagonal()[:12], spread / (spread + REGULARISER), rtol=1e-3, atol=0)
    torch.testing.assert_close(found[12:], -found[:12])
