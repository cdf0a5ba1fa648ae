"""Attention in closed form: its projections are dense layers over positions, whoever computes them."""

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.kinds import KINDS
from ntkd_lib.ntk.reference import reference_ntk
from ntkd_lib.ntk.structured import WholeJacobianWarning
from tests.ntk.faults import Net

D, T, HEADS = 4, 3, {"batch_first": True, "num_heads": 2}
CAUSAL = nn.Transformer.generate_square_subsequent_mask(T).isinf()


def mha(run: Callable, **options: object) -> Net:
    layer = nn.MultiheadAttention(D, **HEADS, **options)
    for name, p in layer.named_parameters():
        if "bias" in name:  # which attention starts at zero
            nn.init.normal_(p)
    return Net(lambda s, x: s.read(run(s.mix, x).tanh()).mean(1), mix=layer, read=nn.Linear(D, 2))


def padded(x: Tensor) -> Tensor:
    return (x[..., 0] > 1).logical_and(torch.arange(T) > 0)


def by_hand(net: nn.Module, x: Tensor) -> Tensor:
    q, k, v = (f(x).unflatten(-1, (2, -1)).transpose(1, 2) for f in (net.q, net.k, net.v))
    h = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
    return net.read(net.out(h)).mean(1)


def grouped(net: nn.Module, x: Tensor) -> Tensor:
    q, k = (f(x).unflatten(-1, (-1, 2)).transpose(1, 2) for f in (net.q, net.kv))
    h = F.scaled_dot_product_attention(q, k, k.sin(), enable_gqa=True).transpose(1, 2).flatten(2)
    return net.read(h).mean(1)


def rows_by_hand(net: nn.Module, x: Tensor) -> Tensor:
    q, k, v = (F.linear(x, net.qkv.weight[i : i + D], net.qkv.bias[i : i + D]) for i in (0, D, 2 * D))
    return net.read(F.scaled_dot_product_attention(q, k, v)).mean(1)


def coder(kind: type, run: Callable, **options: object) -> Net:
    layer = kind(D, 2, 5, dropout=0, batch_first=True, **options)
    return Net(lambda s, x: s.read(run(s.mix, x)).mean(1), mix=layer, read=nn.Linear(D, 2)).eval()


def line(*sizes: int) -> nn.Linear:
    return nn.Linear(*sizes)


CASES: dict[str, Callable[[], nn.Module]] = {
    "self": lambda: mha(lambda f, x: f(x, x, x, need_weights=False)[0]),
    "self, with weights": lambda: mha(lambda f, x: f(x, x, x)[0] + f(x, x, x)[1].sum(-1, keepdim=True)),
    "no bias": lambda: mha(lambda f, x: f(x, x, x)[0], bias=False),
    "keys are values": lambda: mha(lambda f, x: f(x, *2 * [x.flip(1).sin()])[0]),
    "three inputs": lambda: mha(lambda f, x: f(x, x.sin(), x.cos())[0]),
    "other sizes": lambda: mha(lambda f, x: f(x, x[:, :2, :3].sin(), x[:, 1:, :2])[0], kdim=3, vdim=2),
    "self and cross": lambda: mha(lambda f, x: f(x, x, x)[0] + f(x, x.sin(), x)[0]),
    "masks": lambda: mha(lambda f, x: f(x, x, x, key_padding_mask=padded(x), attn_mask=CAUSAL)[0]),
    "causal": lambda: mha(lambda f, x: f(x, x, x, attn_mask=CAUSAL, is_causal=True, need_weights=False)[0]),
    "twice": lambda: mha(lambda f, x: f(*3 * [f(x, x, x)[0].tanh()])[0]),
    "by hand": lambda: Net(by_hand, **{key: line(D, D) for key in ("q", "k", "v", "out")}, read=line(D, 2)),
    "grouped heads": lambda: Net(grouped, q=line(D, 2 * D), kv=line(D, D // 2), read=line(2 * D, 2)),
    "rows by hand": lambda: Net(rows_by_hand, qkv=line(D, 3 * D), read=line(D, 2)),
    "encoder": lambda: coder(nn.TransformerEncoderLayer, lambda f, x: f(x)),
    "encoder, norm first": lambda: coder(nn.TransformerEncoderLayer, lambda f, x: f(x), norm_first=True),
    "encoder with padding": lambda: coder(
        nn.TransformerEncoderLayer, lambda f, x: f(x, src_key_padding_mask=padded(x))
    ),
    "decoder": lambda: coder(nn.TransformerDecoderLayer, lambda f, x: f(x, x.sin(), tgt_mask=CAUSAL)),
}


def reduced(full: Tensor, kind: str) -> Tensor:
    diagonal = full.diagonal(dim1=2, dim2=3)
    parts = {"full": full, "trace": diagonal.sum(2), "per_class": diagonal.permute(2, 0, 1)}
    return parts.get(kind, full.sum((2, 3)))


@pytest.mark.parametrize("name", CASES)
def test_every_projection_is_a_dense_layer(name: str) -> None:
    torch.manual_seed(0)
    model, x, y = CASES[name]().double(), torch.randn(3, T, D).double(), torch.randn(2, T, D).double()
    for other in (None, y):
        full = reference_ntk(model, x, other)
        for kind in KINDS:
            exact = reduced(full, kind)
            kernel = empirical_ntk(model, x, other, kind=kind, method="structured", tile=2).detach()
            assert (kernel - exact).norm() <= 1e-9 * exact.norm(), kind


def overlapping(net: nn.Module, x: Tensor) -> Tensor:
    return net.read(F.linear(x, net.a.weight[:3]).tanh() + F.linear(x, net.a.weight[1:])).mean(1)


# Networks that read some of their parameters in other ways, and the parameters of which this is so.
REST = {
    "rows that overlap": (lambda: Net(overlapping, a=line(D, 4), read=line(3, 2)), "a.weight"),
    "keys made of biases": (
        lambda: mha(lambda f, x: f(x, x, x)[0], add_bias_kv=True),
        "mix.bias_k, mix.bias_v",
    ),
}


@pytest.mark.parametrize("name", REST)
def test_only_what_is_read_otherwise_gets_whole_jacobians(name: str) -> None:
    torch.manual_seed(0)
    build, names = REST[name]
    model, x = build().double(), torch.randn(3, T, D).double()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", WholeJacobianWarning)
        kernel = empirical_ntk(model, x, method="structured").detach()
    assert [str(w.message).partition(":")[0] for w in seen] == [names]
    torch.testing.assert_close(kernel, reference_ntk(model, x), rtol=1e-9, atol=1e-9)


def test_the_kernel_of_attention_is_differentiable() -> None:
    torch.manual_seed(0)
    model, x = CASES["three inputs"]().double(), torch.randn(3, T, D).double()
    slopes = []
    for method in ("structured", "contraction"):
        loss = empirical_ntk(model, x, kind="trace", method=method).square().mean()
        parameters = list(model.parameters())
        slopes.append(torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True))
    for a, b in zip(*slopes, strict=True):
        torch.testing.assert_close(a, b)


class Halves(nn.Linear):
    """A layer of a user's own whose forward pass has a second way to read its weight."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias) + F.linear(x.sin(), self.weight, None)


def test_a_layer_of_a_users_own_is_dense_where_it_computes_one() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(Halves(D, 5), nn.Tanh(), Halves(5, 2)).double(), torch.randn(3, D).double()
    with warnings.catch_warnings():
        warnings.simplefilter("error", WholeJacobianWarning)
        kernel = empirical_ntk(model, x, method="structured").detach()
    torch.testing.assert_close(kernel, reference_ntk(model, x), rtol=1e-9, atol=1e-9)
