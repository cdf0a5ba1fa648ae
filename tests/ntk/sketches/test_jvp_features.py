"""Features by forward mode: unbiased, differentiable, the same in every chunk."""

import pytest
import torch
from torch import nn

from ntkd_lib.ntk.reference import reference_ntk
from ntkd_lib.ntk.sketches import jvp_features as sketch
from ntkd_lib.ntk.sketches.jvp_features import jvp_features
from tests.ntk.faults import Net
from tests.ntk.nets import TiedEmbedding, build, dense_net
from tests.ntk.sketches.draws import assert_unbiased, exponent, gram, small_setting


def grams(model: nn.Module, x: torch.Tensor, size: int, draws: int) -> torch.Tensor:
    """Give the kernels of many draws of features."""
    features = draws**0.5 * jvp_features(model, x, size * draws, chunk=size * draws).detach()
    return torch.stack([gram(f) for f in features.split(size, dim=2)])


def test_unbiased() -> None:
    model, x, exact = small_setting()
    assert_unbiased(grams(model, x, 1, 400), exact)


def test_unbiased_where_a_table_has_padding() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(5, 2, padding_idx=1), nn.Flatten(), nn.Linear(6, 2)).double()
    words = torch.tensor([[0, 1, 1], [1, 2, 4]])
    assert_unbiased(grams(model, words, 1, 400), reference_ntk(model, words))


def test_error_falls_like_the_root_of_the_number() -> None:
    model, x, exact = small_setting()
    power = exponent([8, 32, 128], lambda size: grams(model, x, size, 40) - exact)
    assert power == pytest.approx(-0.5, abs=0.08)


def test_many_features_give_the_kernel() -> None:
    model, x, exact = small_setting()
    found = gram(jvp_features(model, x, 4000, chunk=1000))
    assert (found - exact).norm() < 0.06 * exact.norm()


@pytest.mark.parametrize("chunk", [1, 3, 7, 50])
def test_chunks_change_nothing(chunk: int) -> None:
    model, x, _ = small_setting()
    torch.testing.assert_close(jvp_features(model, x, 7, 3, chunk=chunk), jvp_features(model, x, 7, 3))


def test_same_directions_for_every_batch() -> None:
    model, x, _ = small_setting(6)
    torch.testing.assert_close(jvp_features(model, x[2:], 5, 1), jvp_features(model, x, 5, 1)[2:])
    assert not torch.equal(jvp_features(model, x, 5, 1), jvp_features(model, x, 5, 2))


@pytest.mark.parametrize("normalised", [False, True])
def test_gradient_by_finite_differences(normalised: bool) -> None:
    model, x, _ = small_setting()
    weight = model[4].weight
    model = model.insert(5, nn.LayerNorm(5).double()) if normalised else model

    def loss() -> torch.Tensor:
        return gram_loss(jvp_features(model, x, 6, 2))

    def gram_loss(features: torch.Tensor) -> torch.Tensor:
        flat = features.flatten(1)
        return (flat @ flat.T).square().sum()

    (slope,) = torch.autograd.grad(loss(), weight)
    for place in ((0, 0), (3, 7)):
        values = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                weight[place] += step
                values.append(loss().item())
                weight[place] -= step
        assert (values[0] - values[1]) / 2e-5 == pytest.approx(slope[place].item(), rel=1e-6)


def test_no_gradients_are_kept_where_none_are_wanted() -> None:
    model, x, _ = small_setting()
    with torch.no_grad():
        assert not jvp_features(model, x, 2).requires_grad


@pytest.mark.parametrize(
    "change, text",
    [
        ({"count": 0}, "count: got 0, needs at least 1"),
        ({"chunk": 0}, "chunk: got 0, needs at least 1 direction"),
        ({"x": torch.zeros(0, 6)}, "inputs: got an empty batch, needs at least one sample"),
        ({"x": [1.0]}, r"x1\[0\]: got float, allowed are tensors and arrays"),
        ({"model": nn.Flatten()}, "model: got no trainable parameter"),
        (
            {"model": TiedEmbedding(padding=0), "x": torch.zeros(2, 4, dtype=torch.long)},
            "layer 'table': an embedding with padding whose table is shared",
        ),
    ],
)
def test_refusals_name_what_came(change: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        jvp_features(**({"model": dense_net(), "x": torch.zeros(2, 6), "count": 3} | change))


def test_arrays_and_keywords_are_the_same_samples() -> None:
    model, x, _ = small_setting()
    exact = jvp_features(model, x, 3)
    torch.testing.assert_close(jvp_features(model, x.numpy(), 3), exact)
    torch.testing.assert_close(jvp_features(model, {"input": x}, 3), exact)


@pytest.mark.filterwarnings("ignore::ntkd_lib.ntk.probe.SlowKernelWarning")
def test_the_loop_takes_a_parameter_that_is_one_number(monkeypatch) -> None:
    torch.manual_seed(0)
    model = Net(lambda s, x: s.scale * s.a(x), a=nn.Linear(4, 3), scale=nn.Parameter(torch.rand(()))).double()
    x = torch.randn(5, 4).double()
    exact = jvp_features(model, x, 3)
    monkeypatch.setattr(sketch, "find_fault", lambda *_, **__: ValueError("model: a fault"))
    torch.testing.assert_close(jvp_features(model, x, 3), exact)


@pytest.mark.parametrize("name", ["convolutions", "attention", "tied"])
def test_runs_on_networks_of_every_sort(name: str) -> None:
    model, x, _ = build(name)
    assert jvp_features(model, x, 2).isfinite().all()
