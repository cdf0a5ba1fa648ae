"""Hooks on gradients, and rows of tables that are held still, as a loop over samples sees them."""

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from ntkd_lib.ntk.blocked import blocked_ntk
from ntkd_lib.ntk.contraction import looped_jacobian
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.landmarks import LandmarkKernel
from ntkd_lib.ntk.operator import NTKOperator
from ntkd_lib.ntk.sketches.jvp_features import jvp_features
from ntkd_lib.ntk.sketches.sparse import SparseSketch
from ntkd_lib.ntk.sketches.stream import sketched_features


def frozen_column() -> tuple[nn.Module, Tensor]:
    """Build a dense network with a frozen column, whose feature two of sixty samples have."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    held = torch.ones(5, 6).double()
    held[:, 0] = 0
    model[0].weight.register_hook(lambda gradient: gradient * held)
    x = torch.randn(60, 6).double()
    x[:, 0] = 0
    x[5, 0], x[33, 0] = 2.0, -2.0
    return model, x


def frozen_row() -> tuple[nn.Module, Tensor]:
    """Build a network with a table of which one row, that two of sixty samples look up, is frozen."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Tanh(), nn.Linear(8, 3)).double()
    held = torch.ones(9, 1).double()
    held[0] = 0
    model[0].weight.register_hook(lambda gradient: gradient * held)
    words = torch.randint(1, 9, (60, 2))
    words[5, 0] = words[33, 1] = 0
    return model, words


def exact_trace(model: nn.Module, x: Tensor) -> Tensor:
    rows = looped_jacobian(model, x).detach()
    return torch.einsum("ncp,mcp->nm", rows, rows)


@pytest.fixture(params=[frozen_column, frozen_row])
def hooked(request: pytest.FixtureRequest) -> tuple[nn.Module, Tensor]:
    return request.param()


def test_the_loop_sees_the_hook(hooked: tuple[nn.Module, Tensor]) -> None:
    model, x = hooked
    first = looped_jacobian(model, x[5:6])[0, 0, : model[0].weight.numel()].view_as(model[0].weight)
    still = first[:, 0] if x.is_floating_point() else first[0]
    assert not still.any()
    assert first.any()


WAYS: dict[str, Callable] = {
    "auto": lambda model, x: empirical_ntk(model, x, kind="trace"),
    "structured": lambda model, x: empirical_ntk(model, x, kind="trace", method="structured"),
    "without a probe": lambda model, x: empirical_ntk(model, x, kind="trace", probe=False),
    "operator": lambda model, x: NTKOperator(model, x, kind="trace").matmul(torch.eye(60).double()),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_kernel_is_that_of_hooked_gradients(hooked: tuple[nn.Module, Tensor], way: str) -> None:
    model, x = hooked
    torch.testing.assert_close(WAYS[way](model, x).detach(), exact_trace(model, x), rtol=1e-10, atol=1e-12)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_features_and_the_diagonal_of_landmarks_are_those_of_hooked_gradients(
    hooked: tuple[nn.Module, Tensor],
) -> None:
    model, x = hooked
    exact = exact_trace(model, x)
    _, diagonal = LandmarkKernel(model, x[:2]).features(x)
    torch.testing.assert_close(diagonal, exact.diagonal(), rtol=1e-10, atol=1e-12)
    sketched = sketched_features(model, x, SparseSketch(20_000)).flatten(1)
    forward = jvp_features(model, x, 4000, chunk=1000).detach().flatten(1)
    for features in (sketched, forward):
        gram = features @ features.T
        assert ((gram - exact).norm() / exact.norm()).item() < 0.1


@pytest.mark.parametrize("method", ["contraction", "products"])
def test_transforms_refuse_hooks(hooked: tuple[nn.Module, Tensor], method: str) -> None:
    model, x = hooked
    with pytest.raises(
        ValueError, match=r"parameter '0\.weight': a hook on its gradient works in loops alone"
    ):
        empirical_ntk(model, x, method=method)


def test_copies_refuse_hooks(hooked: tuple[nn.Module, Tensor]) -> None:
    model, x = hooked
    for compute in (lambda: empirical_ntk(model, x, dtype=torch.float32), lambda: blocked_ntk(model, x)):
        with pytest.raises(ValueError, match=r"parameter '0\.weight': a hook on its gradient .* on no copy"):
            compute()


def test_a_hook_that_was_removed_is_none(hooked: tuple[nn.Module, Tensor]) -> None:
    model = nn.Linear(3, 2)
    model.weight.register_hook(lambda gradient: 2 * gradient).remove()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x = torch.randn(4, 3)
        theta = empirical_ntk(model, x, kind="trace").detach()
    torch.testing.assert_close(theta, 2 * (x @ x.T + 1))


class Tied(nn.Module):
    """A padded table that also gives the logits, by a function and not by a layer."""

    def __init__(self, *, computed: bool = False) -> None:
        super().__init__()
        self.table = nn.Embedding(12, 6, padding_idx=0)
        self.middle, self.computed = nn.Linear(6, 6), computed

    def forward(self, words: Tensor) -> Tensor:
        if self.computed:
            table = 2 * self.table.weight
            return nn.functional.embedding(words, table, padding_idx=0).tanh().mean(1)
        return nn.functional.linear(self.middle(self.table(words)).tanh().mean(1), self.table.weight)


class Twice(nn.Module):
    """A padded table that is looked up by two calls."""

    def __init__(self, second: int) -> None:
        super().__init__()
        self.table, self.second = nn.Embedding(12, 6, padding_idx=0), second

    def forward(self, words: Tensor) -> Tensor:
        other = nn.functional.embedding(words.flip(1), self.table.weight, padding_idx=self.second)
        return (self.table(words).tanh() * other).mean(1)


def padded_words() -> Tensor:
    torch.manual_seed(2)
    words = torch.randint(1, 12, (8, 5))
    words[5, 2:] = 0
    return words


REFUSED = {
    "read by a function": lambda: Tied(),
    "computed": lambda: Tied(computed=True),
    "two paddings": lambda: Twice(3),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_forward_mode_refuses_padding_of_a_table_that_others_read(name: str) -> None:
    torch.manual_seed(3)
    model, words = REFUSED[name]().double(), padded_words()
    for compute in (
        lambda: empirical_ntk(model, words, method="products", probe=False),
        lambda: NTKOperator(model, words, probe=False),
        lambda: jvp_features(model, words, 4, probe=False),
    ):
        with pytest.raises(ValueError, match="an embedding with padding whose table is shared or computed"):
            compute()
    rows = looped_jacobian(model, words).detach()
    right = torch.einsum("ncp,mdp->nmcd", rows, rows)
    torch.testing.assert_close(empirical_ntk(model, words).detach(), right, rtol=1e-10, atol=1e-12)


def test_a_table_looked_up_twice_with_one_padding_has_products() -> None:
    torch.manual_seed(4)
    model, words = Twice(0).double(), padded_words()
    rows = looped_jacobian(model, words).detach()
    right = torch.einsum("ncp,mdp->nmcd", rows, rows)
    theta = empirical_ntk(model, words, method="products").detach()
    torch.testing.assert_close(theta, right, rtol=1e-10, atol=1e-12)
