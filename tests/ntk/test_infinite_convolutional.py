"""Kernels of infinitely many filters against a slow twin, other closed forms and random finite networks."""

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.infinite.convolutional import convolutional_kernels
from ntkd_lib.ntk.infinite.dense import dense_kernels


def images(n: int, *shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def patches(image: np.ndarray, size: int, padding: int) -> dict[tuple[int, int], np.ndarray]:
    padded = np.pad(image, ((0, 0), (padding, padding), (padding, padding)))
    rows, columns = (side - size + 1 for side in padded.shape[1:])
    return {(i, j): padded[:, i : i + size, j : j + size] for i in range(rows) for j in range(columns)}


def moments(covariance: float, variance1: float, variance2: float) -> tuple[float, float]:
    scale = math.sqrt(variance1 * variance2)
    if not scale:
        return 0.0, 0.25
    angle = math.acos(max(-1, min(1, covariance / scale)))
    value = scale * (math.sin(angle) + (math.pi - angle) * math.cos(angle)) / (2 * math.pi)
    return value, (math.pi - angle) / (2 * math.pi)


def slow_pair(
    x: np.ndarray, y: np.ndarray, size: int, padding: int, window: int, scale: float, shift: float
) -> tuple[float, float]:
    """Go through all pairs of positions that share a window."""
    left, right = patches(x, size, padding), patches(y, size, padding)

    def product(a: np.ndarray, b: np.ndarray) -> float:
        return scale * float((a * b).sum()) / a.size + shift

    nngp = tangent = 0.0
    for (i, j), a in left.items():
        for (k, m), b in right.items():
            if (i // window, j // window) == (k // window, m // window):
                value, slope = moments(product(a, b), product(a, a), product(b, b))
                nngp += value
                tangent += slope * product(a, b)
    pairs = len(left) * window**2
    return scale * nngp / pairs + shift, scale * (nngp + tangent) / pairs + shift


def slow_kernels(x: torch.Tensor, y: torch.Tensor, *args: float) -> torch.Tensor:
    rows = [[slow_pair(a, b, *args) for b in y.numpy()] for a in x.numpy()]
    return torch.tensor(rows, dtype=torch.float64).permute(2, 0, 1)


@pytest.mark.parametrize(
    "size, padding, window",
    [(3, 1, 1), (3, 1, 2), (3, 1, "global"), (2, 0, 1), (5, 2, 3), (4, 1, "global"), (1, 0, 2), (7, 3, 2)],
)
@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_agrees_with_slow_twin(size: int, padding: int, window: int | str, shift: float) -> None:
    sides = 6 + 2 * padding - size + 1
    x, y = images(2, 2, 6, 6), images(3, 2, 6, 6, seed=1)
    exact = slow_kernels(x, y, size, padding, sides if window == "global" else window, 1.7, shift)
    found = convolutional_kernels(
        x, y, filter_size=size, padding=padding, window=window, weight_std=1.7**0.5, bias_std=shift**0.5
    )
    torch.testing.assert_close(torch.stack(found), exact, rtol=1e-12, atol=0)


def test_dark_and_equal_images() -> None:
    x = torch.cat([images(1, 1, 4, 4).relu(), torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)])
    x[0, :, :, 2:] = 0
    for shift in (0.0, 0.2):
        exact = slow_kernels(x, x, 3, 1, 2, 2.0, shift)
        for other in (None, x.clone()):
            found = convolutional_kernels(x, other, filter_size=3, window=2, bias_std=shift**0.5)
            torch.testing.assert_close(torch.stack(found), exact, rtol=1e-7, atol=1e-12)


def test_one_position_is_a_dense_network() -> None:
    x, y = images(3, 2, 3, 3), images(2, 2, 3, 3, seed=1)
    found = convolutional_kernels(x, y, filter_size=3, padding=0, bias_std=0.4)
    for a, b in zip(found, dense_kernels(x.flatten(1), y.flatten(1), depth=1, bias_std=0.4), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("window", [1, 2, "global"])
@pytest.mark.parametrize("step", [1, 100, 10**6])
def test_steps_change_nothing(window: int | str, step: int) -> None:
    x, y = images(7, 1, 4, 6), images(4, 1, 4, 6, seed=1)
    for other in (None, y):
        whole = convolutional_kernels(x, other, filter_size=3, window=window)
        parts = convolutional_kernels(x, other, filter_size=3, window=window, step=step)
        for a, b in zip(whole, parts, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-13, atol=0)


@pytest.fixture
def _two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_two_threads")
def test_threads_change_nothing() -> None:
    x = images(7, 1, 4, 4).requires_grad_()
    found = convolutional_kernels(x, filter_size=3, window=2, step=64)
    assert torch.get_num_threads() == 2
    (slope,) = torch.autograd.grad(found.ntk.sum(), x)
    with torch.no_grad():
        assert not convolutional_kernels(x, filter_size=3, window=2, step=64).ntk.requires_grad
    torch.set_num_threads(1)
    alone = convolutional_kernels(x, filter_size=3, window=2, step=64)
    assert torch.equal(found.ntk, alone.ntk)
    torch.testing.assert_close(torch.autograd.grad(alone.ntk.sum(), x)[0], slope)


@given(st.integers(0, 2**31 - 1), st.sampled_from([1, 2, "global"]), st.floats(0, 1))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_symmetric_positive_and_a_block_of_the_whole(seed: int, window: int | str, bias_std: float) -> None:
    x = images(6, 1, 4, 4, seed=seed)
    options = {"filter_size": 3, "window": window, "bias_std": bias_std, "step": 64}
    own, cross = convolutional_kernels(x, **options), convolutional_kernels(x[:2], x[2:], **options)
    for kernel, part in zip(own, cross, strict=True):
        assert torch.equal(kernel, kernel.T)
        assert torch.linalg.eigvalsh(kernel).min() >= -1e-12 * kernel.trace()
        torch.testing.assert_close(part, kernel[:2, 2:])
    assert torch.linalg.eigvalsh(own.ntk - own.nngp).min() >= -1e-12 * own.ntk.trace()


@given(st.floats(0.01, 100))
@settings(max_examples=10, deadline=None, derandomize=True)
def test_positively_homogeneous_without_biases(factor: float) -> None:
    x = images(3, 2, 4, 4)
    plain = convolutional_kernels(x, filter_size=3, window=2)
    scaled = convolutional_kernels(factor * x, filter_size=3, window=2)
    for a, b in zip(plain, scaled, strict=True):
        torch.testing.assert_close(b, factor**2 * a)


def test_global_average_does_not_see_a_shift() -> None:
    x = torch.zeros(2, 1, 8, 8, dtype=torch.float64)
    x[0, :, 2:4, 2:5] = images(1, 1, 2, 3)[0]
    x[1, :, 4:6, 3:6] = x[0, :, 2:4, 2:5]
    for kernel in convolutional_kernels(x, filter_size=3, window="global"):
        torch.testing.assert_close(kernel, kernel[0, 0].expand(2, 2))
    flat = convolutional_kernels(x, filter_size=3).nngp
    assert flat[0, 1] < 0.5 * flat[0, 0]


def test_fixed_filters_leave_the_read_out() -> None:
    x = images(4, 1, 4, 4)
    trained = convolutional_kernels(x, filter_size=3, window=2)
    fixed = convolutional_kernels(x, filter_size=3, window=2, trained_filters=False)
    assert torch.equal(fixed.nngp, trained.nngp)
    assert torch.equal(fixed.ntk, fixed.nngp)


def test_float32_is_close() -> None:
    x = images(4, 3, 8, 8).float()
    for a, b in zip(
        convolutional_kernels(x, filter_size=5, window=2, dtype=torch.float32),
        convolutional_kernels(x, filter_size=5, window=2),
        strict=True,
    ):
        assert (a.double() - b).norm() <= 1e-6 * b.norm()


def test_gradient_in_the_images() -> None:
    x, y = images(2, 1, 4, 4).requires_grad_(), images(2, 1, 4, 4, seed=1)

    def kernels(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(convolutional_kernels(x, y, filter_size=3, window=2, bias_std=0.3))

    assert torch.autograd.gradcheck(kernels, x)
    (slope,) = torch.autograd.grad(convolutional_kernels(x, filter_size=3, window=2).ntk.sum(), x)
    assert slope.isfinite().all()


class FilteredNet(nn.Module):
    """Random filters in the tangent-kernel parameterisation, averaged and read out by one dense layer."""

    def __init__(self, filters: int, window: int, bias_std: float, outputs: int) -> None:
        super().__init__()
        self.filters = nn.Parameter(torch.randn(filters, 2, 3, 3))
        self.offsets = nn.Parameter(torch.randn(filters))
        self.weight = nn.Parameter(torch.randn(outputs, filters * (4 // window) ** 2))
        self.bias = nn.Parameter(torch.randn(outputs))
        self.window, self.bias_std = window, bias_std

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        filters = self.filters * (2 / 18) ** 0.5
        maps = nn.functional.conv2d(x, filters, self.bias_std * self.offsets, padding=1).relu()
        seen = nn.functional.avg_pool2d(maps, self.window).flatten(1)
        weight = self.weight * (2 / self.weight.shape[1]) ** 0.5
        return seen @ weight.T + self.bias_std * self.bias


def nets(count: int, *options: float, trained: bool = True) -> Iterator[FilteredNet]:
    for _ in range(count):
        net = FilteredNet(*options).double()
        net.filters.requires_grad_(trained)
        net.offsets.requires_grad_(trained)
        yield net


def tangent(net: nn.Module, x: torch.Tensor, outputs: int = 1) -> torch.Tensor:
    return empirical_ntk(net, x, kind="trace", method="contraction").detach() / outputs


@pytest.mark.parametrize("window", [1, 2, 4])
@pytest.mark.parametrize("trained", [True, False])
def test_finite_networks_agree_within_three_standard_errors(window: int, trained: bool) -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 2, 4, 4).double()
    found = []
    for net in nets(100, 64, window, 0.3, 16, trained=trained):
        logits = net(x).detach()
        found.append(torch.stack([logits @ logits.T / 16, tangent(net, x, 16)]))
    samples = torch.stack(found)
    error = samples.std(0) / len(samples) ** 0.5
    exact = convolutional_kernels(x, filter_size=3, window=window, bias_std=0.3, trained_filters=trained)
    assert ((samples.mean(0) - torch.stack(exact)).abs() <= 3 * error).all()
    assert (error / samples.mean(0).abs()).max() < 0.1


def test_variance_falls_with_the_number_of_filters() -> None:
    torch.manual_seed(1)
    x = torch.randn(3, 2, 4, 4).double()
    exact = convolutional_kernels(x, filter_size=3, window=2, bias_std=0.3).ntk
    counts = [16, 32, 64, 128, 256]
    errors = [
        torch.stack([tangent(net, x) - exact for net in nets(50, filters, 2, 0.3, 1)]).square().mean().item()
        for filters in counts
    ]
    assert np.polyfit(np.log(counts), np.log(errors), 1)[0] == pytest.approx(-1, abs=0.2)


@pytest.mark.parametrize(
    "change, text",
    [
        ({"filter_size": 0}, "filter_size: got 0, needs at least 1 pixel"),
        (
            {"filter_size": 9, "padding": 1},
            "filter_size: got 9, images of 4 x 4 .* padding 1 allow at most 6",
        ),
        ({"padding": -1}, "padding: got -1, needs at least 0 pixels"),
        ({"window": 3}, "window: got 3, allowed are 'global' and a side that divides maps of 4 x 4"),
        ({"window": 0}, "window: got 0, allowed are"),
        ({"window": "all"}, "window: got 'all', allowed are"),
        ({"step": 0}, "step: got 0, needs at least 1 pair of positions"),
        ({"bias_std": math.inf}, "bias_std: got inf, needs a finite number"),
        (
            {"x1": torch.ones(2, 4, 4)},
            r"x1: got shape \(2, 4, 4\), needs \(samples, colours, rows, columns\)",
        ),
        ({"x2": torch.ones(2, 3, 4, 4)}, r"x2: got samples of shape \(3, 4, 4\), x1 has \(1, 4, 4\)"),
    ],
)
def test_refusals_name_what_came(change: dict, text: str) -> None:
    arguments: dict = {"x1": torch.ones(2, 1, 4, 4), "filter_size": 3} | change
    with pytest.raises(ValueError, match=text):
        convolutional_kernels(arguments.pop("x1"), **arguments)
