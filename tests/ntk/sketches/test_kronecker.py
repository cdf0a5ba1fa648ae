"""The Kronecker sketch: a linear map of gradients that are never formed, unbiased, of known variance."""

import pytest
import torch

from ntkd_lib.ntk.layers.outer import OuterProducts
from ntkd_lib.ntk.sketches import kronecker
from ntkd_lib.ntk.sketches.kronecker import KroneckerSketch
from ntkd_lib.ntk.sketches.sparse import SparseSketch
from tests.ntk.sketches.draws import assert_unbiased, exponent, grams, small_setting


@pytest.fixture
def projecting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sketch every weight by its parts, however small it is."""
    monkeypatch.setattr(KroneckerSketch, "_projecting_work", lambda *_: 0)


def unit_parts(groups: int, outputs: int, inputs: int) -> OuterProducts:
    """Give samples whose gradients are the unit matrices of each group, output and input."""
    a = torch.zeros(groups, outputs, inputs, groups, inputs, 1).double()
    b = torch.zeros(groups, outputs, inputs, 1, groups, outputs, 1).double()
    for g in range(groups):
        for o in range(outputs):
            for i in range(inputs):
                a[g, o, i, g, i] = b[g, o, i, 0, g, o] = 1
    return OuterProducts(a.flatten(0, 2), b.flatten(0, 2))


@pytest.mark.parametrize("step", [1, 2**22])
@pytest.mark.parametrize("block", [1, 2])
def test_parts_give_what_a_linear_map_of_gradients_gives(
    block: int, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kronecker, "STEP", step)
    torch.manual_seed(0)
    g, o, i = 2, 3, 4
    sketch = KroneckerSketch(12, 1, block)
    matrix = sketch.projected("w", unit_parts(g, o, i), bias=False)[:, 0]
    parts = OuterProducts(torch.randn(5, g, i, 6).double(), torch.randn(5, 2, g, o, 6).double())
    expected = parts.gradients().flatten(2) @ matrix
    torch.testing.assert_close(sketch.projected("w", parts, bias=False), expected)


def test_bias_is_an_input_of_ones() -> None:
    torch.manual_seed(1)
    parts = OuterProducts(torch.randn(5, 1, 4, 3).double(), torch.randn(5, 2, 1, 3, 3).double())
    ones = torch.cat([parts.inputs, torch.ones(5, 1, 1, 3).double()], 2)
    sketch = KroneckerSketch(12, 1)
    widened = sketch.projected("w", OuterProducts(ones, parts.signals), bias=False)
    torch.testing.assert_close(sketch.projected("w", parts, bias=True), widened)


def test_variance_is_that_of_products_of_signs() -> None:
    torch.manual_seed(2)
    a, b = torch.randn(2, 5).double(), torch.randn(2, 4).double()
    parts, draws, size = OuterProducts(a[:, None, :, None], b[:, None, None, :, None]), 1500, 8

    def fourth(v: torch.Tensor) -> torch.Tensor:
        """Give the mean of ``(s . v_1)^2 (s . v_2)^2`` over signs."""
        crossed = v[0] @ v[1]
        return (v[0] @ v[0]) * (v[1] @ v[1]) + 2 * crossed**2 - 2 * v.square().prod(0).sum()

    exact = (a[0] @ a[1]) * (b[0] @ b[1])
    expected = (fourth(a) * fourth(b) - exact**2) / size
    found = torch.stack(
        [KroneckerSketch(size, s).projected("w", parts, bias=False)[:, 0].prod(0).sum() for s in range(draws)]
    )
    assert (found.mean() - exact).abs() < 4 * (expected / draws) ** 0.5
    assert found.var().item() == pytest.approx(expected.item(), rel=0.2)


@pytest.mark.usefixtures("projecting")
@pytest.mark.parametrize("block", [1, 4])
def test_unbiased(block: int) -> None:
    model, x, exact = small_setting()
    assert_unbiased(grams(model, x, lambda s: KroneckerSketch(16, s, block)), exact)


@pytest.mark.usefixtures("projecting")
@pytest.mark.parametrize("root, power", [(False, -0.5), (True, -0.25)])
def test_error_falls_as_documented(root: bool, power: float) -> None:
    model, x, exact = small_setting()

    def errors(size: int) -> torch.Tensor:
        block = int(size**0.5) if root else 1
        return grams(model, x, lambda s: KroneckerSketch(size, s, block), 60) - exact

    assert exponent([16, 64, 256], errors) == pytest.approx(power, abs=0.08)


def test_small_weights_are_counted_and_large_ones_are_not() -> None:
    torch.manual_seed(3)
    small = OuterProducts(torch.randn(2, 1, 4, 3), torch.randn(2, 2, 1, 3, 3))
    large = OuterProducts(torch.randn(2, 1, 400, 1), torch.randn(2, 2, 1, 300, 1))
    sketch, counted = KroneckerSketch(16, 1), SparseSketch(16, seed=1)
    assert torch.equal(sketch.outer("w", small, bias=True), counted.outer("w", small, bias=True))
    assert torch.equal(sketch.outer("v", large, bias=True), sketch.projected("v", large, bias=True))


def test_seed_decides() -> None:
    parts = OuterProducts(torch.ones(1, 1, 40, 1), torch.ones(1, 1, 1, 30, 1))
    first, again, other = (KroneckerSketch(8, s).projected("w", parts, bias=False) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("block", [0, 3])
def test_refusals_name_what_came(block: int) -> None:
    with pytest.raises(ValueError, match=f"block: got {block}, needs .* divides the size 16, at most 4"):
        KroneckerSketch(16, block=block)
