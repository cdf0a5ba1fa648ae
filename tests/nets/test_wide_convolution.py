"""Wide convolutions: values and gradients are the library's, and weights keep their places."""

import pytest
import torch
from torch import nn

from ntkd_lib.nets.resnet import resnet18_cifar
from ntkd_lib.nets.wide_convolution import WIDE, WideConv2d, widen

LAYERS = [
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 3, "padding": 1, "stride": 2},
    {"kernel_size": (1, 3), "padding": (0, 1), "stride": (2, 1)},
    {"kernel_size": 1, "stride": 2},
]


@pytest.mark.parametrize("arguments", LAYERS, ids=str)
@pytest.mark.parametrize("sides", [(6, 6), (7, 5)])
def test_gradients_are_those_of_finite_differences(arguments, sides) -> None:
    torch.manual_seed(0)
    layer = WideConv2d(2, 3, bias=False, dtype=torch.float64, **arguments)
    images = torch.randn(2, 2, *sides, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (images,))

    def of_weight(weight: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(layer, {"weight": weight}, images.detach())

    assert torch.autograd.gradcheck(of_weight, (layer.weight.detach().requires_grad_(),))


def test_bfloat16_is_as_near_to_the_truth_as_the_library(monkeypatch) -> None:
    monkeypatch.setattr("ntkd_lib.nets.wide_convolution.WIDE", 1)
    torch.manual_seed(0)
    plain = nn.Conv2d(32, 48, 3, padding=1, bias=False)
    images, signals = torch.randn(16, 32, 8, 8), torch.randn(16, 48, 8, 8)

    def gradient(layer: nn.Module, *, mixed: bool) -> torch.Tensor:
        layer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            values = layer(images)
        values.backward(signals.to(values.dtype))
        assert values.dtype is (torch.bfloat16 if mixed else torch.float32)
        return next(layer.parameters()).grad.clone()

    exact, library = gradient(plain, mixed=False), gradient(plain, mixed=True)
    ours = gradient(widen(nn.Sequential(plain)), mixed=True)
    assert ours.dtype is torch.float32
    assert (ours - exact).norm() <= 1.2 * (library - exact).norm()


def test_a_network_keeps_its_weights_and_their_names() -> None:
    network = resnet18_cifar()
    before = dict(network.named_parameters())
    wide = [m for m in widen(network).modules() if isinstance(m, WideConv2d)]
    assert len(wide) == 8  # three of 256 channels, and the five of the last stage
    assert all(layer.weight.shape[0] * layer.weight.shape[1] >= WIDE for layer in wide)
    after = dict(network.named_parameters())
    assert list(after) == list(before)
    assert all(after[name] is before[name] for name in before)


KINDS = (
    {"groups": 2},
    {"dilation": 2},
    {"padding": "same"},
    {"padding": 1, "padding_mode": "reflect"},
    {"bias": True},
)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_in_training_another_kind_is_the_librarys_convolution(kind) -> None:
    torch.manual_seed(0)
    wide = WideConv2d(4, 6, 3, **{"bias": False, **kind})
    plain = nn.Conv2d(4, 6, 3, **{"bias": False, **kind})
    plain.load_state_dict(wide.state_dict())
    images = torch.randn(2, 4, 7, 7)
    values, expected = wide(images), plain(images)
    assert wide.training
    assert torch.equal(values, expected)
    values.square().sum().backward()
    expected.square().sum().backward()
    pairs = zip(wide.parameters(), plain.parameters(), strict=True)
    assert all(torch.equal(a.grad, b.grad) for a, b in pairs)


def test_convolutions_of_another_kind_are_left_alone() -> None:
    made = [nn.Conv2d(256, 512, 3, **{"bias": False, **kind}) for kind in KINDS]
    assert not any(isinstance(layer, WideConv2d) for layer in widen(nn.Sequential(*made)))


def test_nothing_changes_where_it_does_not_train() -> None:
    plain = nn.Conv2d(256, 256, 3, bias=False)
    images = torch.randn(1, 256, 4, 4)
    expected = plain(images)
    values = widen(nn.Sequential(plain)).eval()(images)
    assert torch.equal(values, expected)
    assert values.grad_fn.name() == expected.grad_fn.name()
