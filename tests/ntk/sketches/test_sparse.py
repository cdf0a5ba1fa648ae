"""The sparse sketch: its matrix, its variance, and equal results from every form of gradient."""

import pytest
import torch
from torch import nn

from ntkd_lib.ntk.layers.outer import OuterProducts
from ntkd_lib.ntk.layers.rows import table_gradients
from ntkd_lib.ntk.sketches import sparse
from ntkd_lib.ntk.sketches.sparse import SparseSketch
from ntkd_lib.ntk.sketches.stream import sketched_features
from tests.ntk.sketches.draws import assert_unbiased, exponent, grams, small_setting


@pytest.mark.parametrize("nonzeros", [1, 3])
def test_every_coordinate_goes_to_one_entry_of_each_block(nonzeros: int) -> None:
    matrix = SparseSketch(12, nonzeros, seed=4).whole("w", torch.eye(50)[None])[0]
    blocks = matrix.unflatten(1, (nonzeros, -1))
    assert (blocks.count_nonzero(2) == 1).all()
    torch.testing.assert_close(blocks.abs().sum(2), torch.full((50, nonzeros), nonzeros**-0.5))


@pytest.mark.parametrize("nonzeros", [1, 4])
def test_variance_is_the_documented_one(nonzeros: int) -> None:
    torch.manual_seed(0)
    g, h, size = torch.randn(9).double(), torch.randn(9).double(), 8
    pair, draws = torch.stack([g, h])[:, None], 1500
    found = torch.empty(draws).double()
    for seed in range(draws):
        a, b = SparseSketch(size, nonzeros, seed).whole("w", pair)[:, 0]
        found[seed] = a @ b
    expected = ((g @ g) * (h @ h) + (g @ h) ** 2 - 2 * (g * h).square().sum()) / size
    assert (found.mean() - g @ h).abs() < 4 * (expected / draws) ** 0.5
    assert found.var().item() == pytest.approx(expected.item(), rel=0.2)


@pytest.mark.parametrize("step", [1, 50, 2**22])
def test_outer_products_give_what_formed_gradients_give(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse, "STEP", step)
    torch.manual_seed(1)
    parts = OuterProducts(torch.randn(3, 2, 4, 5).double(), torch.randn(3, 2, 2, 6, 5).double())
    sketch, formed = SparseSketch(16, 2, seed=1), parts.gradients().flatten(2)
    torch.testing.assert_close(sketch.outer("w", parts, bias=False), sketch.whole("w", formed))
    bias = sketch.whole("w, bias", parts.signals.sum(4).flatten(2))
    torch.testing.assert_close(sketch.outer("w", parts, bias=True), sketch.whole("w", formed) + bias)


def test_looked_up_rows_give_what_the_whole_table_gives() -> None:
    torch.manual_seed(2)
    places, signals = torch.randint(11, (3, 4)), torch.randn(3, 2, 5, 4).double()
    formed = table_gradients(nn.Embedding(11, 5), places, signals).flatten(2)
    sketch = SparseSketch(24, 3, seed=2)
    torch.testing.assert_close(sketch.lookup("t", places, signals), sketch.whole("t", formed))


@pytest.mark.parametrize("nonzeros", [1, 4])
def test_unbiased(nonzeros: int) -> None:
    model, x, exact = small_setting()
    assert_unbiased(grams(model, x, lambda s: SparseSketch(16, nonzeros, s)), exact)


def test_error_falls_like_the_root_of_the_size() -> None:
    model, x, exact = small_setting()

    def errors(size: int) -> torch.Tensor:
        return grams(model, x, lambda s: SparseSketch(size, seed=s), 60) - exact

    assert exponent([8, 32, 128], errors) == pytest.approx(-0.5, abs=0.08)


def test_seed_decides() -> None:
    model, x, _ = small_setting()
    first, again, other = (sketched_features(model, x, SparseSketch(8, seed=s)) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    "arguments, text",
    [
        ((0,), "size: got 0, needs at least 1"),
        ((8, 3), "nonzeros: got 3, needs a divisor of the size 8"),
        ((8, 0), "nonzeros: got 0, needs a divisor of the size 8"),
    ],
)
def test_refusals_name_what_came(arguments: tuple[int, ...], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        SparseSketch(*arguments)
