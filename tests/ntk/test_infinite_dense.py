"""Kernels of infinitely wide dense networks against closed forms, quadrature and random finite networks."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.infinite.arc_cosine import kappas, relu_moments
from ntkd_lib.ntk.infinite.dense import dense_kernels


class Widened(nn.Module):
    """Divides by the root of the fan-in and appends the value that carries a bias."""

    def __init__(self, weight_std: float, bias_std: float, fan_in: int) -> None:
        super().__init__()
        self.scale, self.bias_std = weight_std / fan_in**0.5, bias_std

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.scale * x, torch.full_like(x[:, :1], self.bias_std)], dim=1)


def finite_net(
    inputs: int, width: int, depth: int, outputs: int, weight_std: float, bias_std: float
) -> nn.Sequential:
    """Draw a network in the tangent-kernel parameterisation; biases are weights of a constant value."""
    layers: list[nn.Module] = []
    widths = [inputs, *[width] * depth, outputs]
    for fan_in, fan_out in pairwise(widths):
        dense = nn.Linear(fan_in + 1, fan_out, bias=False)
        nn.init.normal_(dense.weight)
        layers += [Widened(weight_std, bias_std, fan_in), dense, nn.ReLU()]
    return nn.Sequential(*layers[:-1]).double()


def finite_kernels(x: torch.Tensor, count: int, outputs: int, **net: float) -> torch.Tensor:
    """Give covariance over logits and tangent kernel a logit of many random nets, ``(count, 2, n, n)``."""
    found = []
    for _ in range(count):
        model = finite_net(x.shape[1], outputs=outputs, **net)
        logits = model(x).detach()
        theta = empirical_ntk(model, x, kind="trace", method="structured").detach()
        found.append(torch.stack([logits @ logits.T, theta]) / outputs)
    return torch.stack(found)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_kappas_at_the_ends_and_between(dtype: torch.dtype) -> None:
    cosine = torch.tensor([-1.0, -0.5, 0.0, 0.5, 1.0], dtype=dtype)
    zero, one = kappas(cosine)
    root = math.sqrt(3) / 2 / math.pi
    torch.testing.assert_close(zero, torch.tensor([0, 1 / 3, 0.5, 2 / 3, 1], dtype=dtype))
    torch.testing.assert_close(
        one, torch.tensor([0, root - 1 / 6, 1 / math.pi, root + 1 / 3, 1], dtype=dtype)
    )
    ends = kappas(torch.tensor([-1.0, 1.0], dtype=dtype))
    assert [k.tolist() for k in ends] == [[0, 1], [0, 1]]


def test_kappas_beyond_the_ends_by_rounding_are_exact() -> None:
    eps = torch.finfo(torch.float64).eps
    cosine = torch.tensor([1 - 4 * eps, 1 + 4 * eps, -1 + 4 * eps, -1 - 4 * eps], dtype=torch.float64)
    assert [k.tolist() for k in kappas(cosine)] == [[1, 1, 0, 0], [1, 1, 0, 0]]


def test_slopes_of_kappas() -> None:
    cosine = torch.linspace(-1, 1, 21).double().requires_grad_()
    zero, one = kappas(cosine)
    (slope1,) = torch.autograd.grad(one.sum(), cosine, retain_graph=True)
    torch.testing.assert_close(slope1, zero.detach())
    (slope0,) = torch.autograd.grad(zero.sum(), cosine)
    assert slope0[[0, -1]].tolist() == [0, 0]
    torch.testing.assert_close(slope0[1:-1], 1 / (math.pi * (1 - cosine[1:-1].detach() ** 2).sqrt()))


def test_slopes_of_kappas_next_to_the_ends_are_finite() -> None:
    steps = torch.logspace(-17, -1, 65).double()
    for end in (1, -1):
        cosine = (end * (1 - steps)).requires_grad_()
        (slope0,) = torch.autograd.grad(kappas(cosine).zero.sum(), cosine)
        (slope1,) = torch.autograd.grad(kappas(cosine).one.sum(), cosine)
        assert slope0.isfinite().all()
        torch.testing.assert_close(slope1, kappas(cosine.detach()).zero)


def test_kappas_twice_differentiable_and_mapped() -> None:
    cosine = torch.tensor([-0.7, 0.2, 0.9]).double().requires_grad_()
    assert torch.autograd.gradgradcheck(lambda c: tuple(kappas(c)), cosine)
    mapped = torch.func.vmap(torch.func.grad(lambda c: kappas(c).one))(cosine.detach())
    torch.testing.assert_close(mapped, kappas(cosine.detach()).zero)


def test_moments_by_quadrature() -> None:
    """Two Gaussians are a radius, whose moments are known, and an angle, which is integrated."""
    angle = (torch.arange(200_000).double() + 0.5) / 200_000 * 2 * math.pi
    variance1, variance2, covariance = 2.0, 0.7, -0.6
    u = variance1**0.5 * angle.cos()
    v = covariance / variance1 * u + (variance2 - covariance**2 / variance1) ** 0.5 * angle.sin()
    one = torch.ones(1, dtype=torch.float64)
    found = relu_moments(covariance * one[None], variance1 * one, variance2 * one)
    assert found.values.item() == pytest.approx(2 * (u.relu() * v.relu()).mean().item(), rel=1e-8)
    assert found.slopes.item() == pytest.approx(((u > 0) & (v > 0)).double().mean().item(), abs=1e-5)


def test_values_without_variance() -> None:
    moments = relu_moments(torch.zeros(2, 2), torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(moments.values, torch.tensor([[0, 0], [0, 0.5 / math.pi]]))
    assert moments.slopes.tolist() == [[0.25, 0.25], [0.25, 0.25]]


def by_hand(x: np.ndarray, y: np.ndarray, depth: int, scale: float, shift: float) -> tuple[float, float]:
    """Run the recursion of one pair with scalars and the arccosine."""
    xx, yy, xy = (scale * float(a @ b) / len(x) + shift for a, b in ((x, x), (y, y), (x, y)))
    ntk = xy
    for _ in range(depth):
        angle = math.acos(xy / math.sqrt(xx * yy))
        slope = (math.pi - angle) / (2 * math.pi)
        value = math.sqrt(xx * yy) * (math.sin(angle) + (math.pi - angle) * math.cos(angle)) / (2 * math.pi)
        ntk = scale * value + shift + scale * slope * ntk
        xx, yy, xy = scale * xx / 2 + shift, scale * yy / 2 + shift, scale * value + shift
    return xy, ntk


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("scale, shift", [(2.0, 0.0), (1.3, 0.2)])
def test_depth_by_hand(depth: int, scale: float, shift: float) -> None:
    x, y = np.array([0.3, -1.2, 0.8]), np.array([1.0, 0.4, -0.1])
    found = dense_kernels(
        torch.tensor(x)[None],
        torch.tensor(y)[None],
        depth=depth,
        weight_std=scale**0.5,
        bias_std=shift**0.5,
    )
    assert [kernel.item() for kernel in found] == pytest.approx(by_hand(x, y, depth, scale, shift), rel=1e-12)


def test_no_hidden_layer_is_a_linear_model() -> None:
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0)).double()
    for kernel in dense_kernels(x, depth=0, weight_std=3**0.5, bias_std=0.5):
        torch.testing.assert_close(kernel, x @ x.T + 0.25)


def test_own_diagonal_counts_the_layers() -> None:
    x = torch.randn(5, 40, generator=torch.Generator().manual_seed(1))
    for dtype, tolerance in ((torch.float64, 1e-14), (torch.float32, 1e-6)):
        nngp, ntk = dense_kernels(x, depth=4, dtype=dtype)
        torch.testing.assert_close(ntk.diagonal(), 5 * nngp.diagonal(), rtol=tolerance, atol=0)


@given(st.integers(0, 2**31 - 1), st.integers(1, 4), st.floats(0, 1))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_symmetric_positive_and_a_block_of_the_whole(seed: int, depth: int, bias_std: float) -> None:
    x = torch.randn(7, 5, generator=torch.Generator().manual_seed(seed)).double()
    own = dense_kernels(x, depth=depth, bias_std=bias_std)
    cross = dense_kernels(x[:3], x[3:], depth=depth, bias_std=bias_std)
    for kernel, part in zip(own, cross, strict=True):
        assert torch.equal(kernel, kernel.T)
        assert torch.linalg.eigvalsh(kernel).min() >= -1e-12 * kernel.trace()
        torch.testing.assert_close(part, kernel[:3, 3:])


@given(st.floats(0.01, 100), st.integers(1, 3))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_positively_homogeneous_without_biases(factor: float, depth: int) -> None:
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(2)).double()
    plain, left = dense_kernels(x, x + 1, depth=depth), dense_kernels(factor * x, x + 1, depth=depth)
    both = dense_kernels(factor * x, factor * (x + 1), depth=depth)
    for a, b, c in zip(plain, left, both, strict=True):
        torch.testing.assert_close(b, factor * a)
        torch.testing.assert_close(c, factor**2 * a)


def test_gradient_in_the_inputs() -> None:
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(3)).double().requires_grad_()
    y = torch.randn(2, 4, generator=torch.Generator().manual_seed(4)).double()
    assert torch.autograd.gradcheck(lambda a: tuple(dense_kernels(a, y, depth=2, bias_std=0.3)), x)
    (slope,) = torch.autograd.grad(dense_kernels(x, depth=2).ntk.sum(), x)
    assert slope.isfinite().all()


def test_finite_networks_agree_within_three_standard_errors() -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 5).double()
    net = {"depth": 2, "weight_std": 1.3, "bias_std": 0.4}
    samples = finite_kernels(x, count=60, outputs=64, width=512, **net)
    error = samples.std(0) / len(samples) ** 0.5
    assert ((samples.mean(0) - torch.stack(dense_kernels(x, **net))).abs() <= 3 * error).all()
    assert (error / samples.mean(0).abs()).max() < 0.05


def test_variance_falls_with_the_width() -> None:
    torch.manual_seed(1)
    x = torch.randn(3, 5).double()
    widths, net = [16, 32, 64, 128, 256], {"depth": 2, "weight_std": 2**0.5, "bias_std": 0.1}
    exact = dense_kernels(x, **net).ntk
    errors = [
        (finite_kernels(x, count=40, outputs=1, width=w, **net)[:, 1] - exact).square().mean().item()
        for w in widths
    ]
    rate = np.polyfit(np.log(widths), np.log(errors), 1)[0]
    assert rate == pytest.approx(-1, abs=0.2)


def test_standard_parameterisation_counts_a_layer_by_its_fan_in() -> None:
    torch.manual_seed(2)
    x, width = torch.randn(3, 5).double(), 64
    wide = finite_net(5, width, 1, 1, weight_std=1.3, bias_std=0.0)
    plain = nn.Sequential(
        nn.Linear(5, width, bias=False), nn.ReLU(), nn.Linear(width, 1, bias=False)
    ).double()
    parts = []
    for layer, twin, fan_in in ((wide[1], plain[0], 5), (wide[4], plain[2], width)):
        twin.weight.data = layer.weight.data[:, :-1] * 1.3 / fan_in**0.5
    for layer, fan_in in ((wide[1], 5), (wide[4], width)):
        wide.requires_grad_(False)
        layer.requires_grad_(True)
        parts.append(fan_in / 1.3**2 * empirical_ntk(wide, x, kind="trace").detach())
    torch.testing.assert_close(empirical_ntk(plain, x, kind="trace").detach(), sum(parts))


@pytest.mark.parametrize(
    "change, text",
    [
        ({"depth": -1}, "depth: got -1, needs at least 0 hidden layers"),
        ({"weight_std": 0.0}, "weight_std: got 0.0, needs a finite number above 0"),
        ({"bias_std": -1.0}, "bias_std: got -1.0, needs a finite number of at least 0"),
        ({"dtype": torch.float16}, "dtype: got torch.float16, allowed are torch.float64, torch.float32"),
        ({"x1": torch.ones(2, 3, 1)}, r"x1: got shape \(2, 3, 1\), needs \(samples, values\)"),
        ({"x2": torch.ones(0, 3)}, r"x2: got shape \(0, 3\), needs \(samples, values\), none of them 0"),
        ({"x2": torch.ones(2, 4)}, r"x2: got samples of shape \(4,\), x1 has \(3,\)"),
        ({"x2": torch.full((1, 3), torch.nan)}, "x2: got values that are not finite"),
    ],
)
def test_refusals_name_what_came(change: dict, text: str) -> None:
    arguments: dict = {"x1": torch.ones(2, 3), "depth": 1} | change
    with pytest.raises(ValueError, match=text):
        dense_kernels(arguments.pop("x1"), **arguments)
