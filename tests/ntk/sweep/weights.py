"""How weights are held, shared, made, frozen and read; hooks, randomness and ways to call a layer."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.functional import conv2d, linear
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm

from tests.ntk.sweep.images import conv
from tests.ntk.sweep.layers import floats, tokens
from tests.ntk.sweep.loop import Case
from tests.ntk.sweep.net import Net, case
from tests.ntk.sweep.sequences import dense, free

D = 4
FLAT, PICTURE = floats(D), floats(2, 4, 4)
DENSE, HEAD = dense(), dense(D, 2)


class Adapted(nn.Linear):
    """A frozen dense layer with a trained correction of low rank, under the name of its base class."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.weight.requires_grad_(False)
        self.down = nn.Parameter(torch.randn(2, inputs))
        self.up = nn.Parameter(torch.randn(outputs, 2))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + x @ self.down.T @ self.up.T


class Scaled(nn.Linear):
    """A dense layer whose forward pass divides by the norm of its weight."""

    def forward(self, x: Tensor) -> Tensor:
        return linear(x, self.weight / self.weight.norm(), self.bias)


class Standardised(nn.Conv2d):
    """A convolution with standardised filters."""

    def forward(self, x: Tensor) -> Tensor:
        w = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return conv2d(x, w / (w.std((1, 2, 3), keepdim=True) + 1e-5), self.bias)


class Symmetric(nn.Module):
    """A weight that equals its transpose."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight.triu() + weight.triu(1).mT


class LowRank(nn.Module):
    """A correction of low rank as a parametrisation."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Parameter(torch.randn(1, D)), nn.Parameter(torch.randn(D, 1))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.up @ self.down


def plain(net: Net, x: Tensor) -> Tensor:
    return net.read(net.first(x).tanh())


def _inner(net: Net, x: Tensor) -> Tensor:
    return net.read(net.first(net.zero(x)).tanh())


def _pooled(net: Net, x: Tensor) -> Tensor:
    return net.read(net.first(x).tanh().mean((2, 3)))


def _thrice(net: Net, x: Tensor) -> Tensor:
    return net.read(net.first(net.first(net.first(x).tanh()).sin()))


def _two_sizes(net: Net, x: Tensor) -> Tensor:
    h = net.first(x).relu()
    return net.read((h.mean((2, 3)) + net.first(x[:, :, 1:]).relu().mean((2, 3))).tanh())


def _transposed(net: Net, x: Tensor) -> Tensor:
    return net.read(linear(net.first(x).tanh(), net.first.weight.T))


def _behind_the_layer(net: Net, x: Tensor) -> Tensor:
    return net.read(linear(x, net.first.weight, net.first.bias).tanh())


def _layer_and_behind(net: Net, x: Tensor) -> Tensor:
    return net.read(net.first(x).tanh() + linear(x, net.first.weight).sin())


def _penalised(net: Net, x: Tensor) -> Tensor:
    return net.read(net.first(x).tanh()) + net.first.weight.square().sum()


def _bias_twice(net: Net, x: Tensor) -> Tensor:
    return net.read((net.first(x) + net.first.bias).tanh())


def _tied_words(net: Net, ids: Tensor) -> Tensor:
    return linear(net.first(net.word(ids)).tanh().mean(1), net.word.weight)


def _affine(net: Net, x: Tensor) -> Tensor:
    return net.read((x * net.scale + net.shift).tanh())


def _free_matrices(net: Net, x: Tensor) -> Tensor:
    return (x @ net.first + net.shift).tanh() @ net.second


def _einsum(net: Net, x: Tensor) -> Tensor:
    return net.read(torch.einsum("na,ahb->nhb", x, net.first).tanh().flatten(1))


def _stacked(net: Net, x: Tensor) -> Tensor:
    members = list(net.members)
    stacked = {k: torch.stack([m.get_parameter(k) for m in members]) for k in ("weight", "bias")}
    return vmap(lambda p: functional_call(members[0], p, (x,)))(stacked).tanh().mean(0)


def hooked(attach: Callable[[nn.Linear], object]) -> Callable[[], nn.Module]:
    """Make a dense layer to which a hook of the user is attached."""

    def make() -> nn.Module:
        layer = nn.Linear(D, D)
        attach(layer)
        return layer

    return make


def partly_frozen(*names: str) -> Callable[[], nn.Module]:
    """Make two dense layers of which some parameters are frozen."""

    def make() -> nn.Module:
        body = nn.Sequential(nn.Linear(D, D), nn.Tanh(), nn.Linear(D, D))
        for name in names:
            body.get_parameter(name).requires_grad_(False)
        return body

    return make


def tied(first: Callable[[], nn.Module], *names: str) -> Callable[[], nn.Module]:
    """Make two layers that share parameters."""

    def make() -> nn.Module:
        body = nn.Sequential(first(), nn.Tanh(), first())
        for name in names:
            setattr(body[2], name, getattr(body[0], name))
        return body

    return make


def made(
    by: Callable[..., nn.Module], layer: Callable[[], nn.Module] = DENSE, **options: object
) -> Callable[[], nn.Module]:
    """Make a layer whose weight is made from other parameters."""
    return lambda: by(layer(), **options)


def registered(part: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """Make a dense layer with a parametrised weight."""

    def make() -> nn.Module:
        layer = nn.Linear(D, D)
        parametrize.register_parametrization(layer, "weight", part())
        return layer

    return make


MAKERS = {
    "weight_norm of old": made(weight_norm),
    "weight_norm of old, convolution": made(weight_norm, conv()),
    "spectral_norm of old": made(spectral_norm),
    "spectral_norm of old, convolution": made(spectral_norm, conv()),
    "parametrizations.weight_norm": made(parametrizations.weight_norm),
    "parametrizations.weight_norm, convolution": made(parametrizations.weight_norm, conv()),
    "parametrizations.spectral_norm": made(parametrizations.spectral_norm),
    "parametrizations.orthogonal by Householder": made(
        parametrizations.orthogonal, orthogonal_map="householder"
    ),
    "parametrizations.orthogonal by Cayley": made(parametrizations.orthogonal, orthogonal_map="cayley"),
    "parametrizations.orthogonal by exponential": made(
        parametrizations.orthogonal, orthogonal_map="matrix_exp"
    ),
    "symmetric weight": registered(Symmetric),
    "low rank as a parametrisation": registered(LowRank),
    "pruned weight": made(prune.l1_unstructured, name="weight", amount=0.4),
    "pruned bias": made(prune.random_unstructured, name="bias", amount=0.5),
    "low rank in a subclass": lambda: Adapted(D, D),
    "subclass with its own forward": lambda: Scaled(D, D),
    "standardised filters": lambda: Standardised(2, 3, 3),
}
HOOKS = {
    "hook that doubles the output": lambda layer: layer.register_forward_hook(lambda _, args, out: 2 * out),
    "hook that adds the input": lambda layer: layer.register_forward_hook(lambda _, args, out: out + args[0]),
    "hook in place": lambda layer: layer.register_forward_hook(lambda _, args, out: out.mul_(3)),
    "hook on the input": lambda layer: layer.register_forward_pre_hook(lambda _, args: (args[0].sin(),)),
    "hook on keywords": lambda layer: layer.register_forward_pre_hook(
        lambda _, args, kw: ((2 * args[0],), kw), with_kwargs=True
    ),
    "hook that only looks": lambda layer: layer.register_forward_hook(lambda *_: None),
}
# Hooks after which autograd no longer returns the derivative.
GRADIENT_HOOKS = {
    "hook on the gradient": lambda layer: layer.register_full_backward_hook(
        lambda _, given, out: (2 * given[0],)
    ),
    "hook on the output's gradient": lambda layer: layer.register_full_backward_pre_hook(
        lambda _, out: (3 * out[0],)
    ),
    "hook on the weight's gradient": lambda layer: layer.weight.register_hook(
        lambda g: g * (torch.arange(D) > 1)
    ),
}
CASES: list[Case] = [
    *(
        case(
            name,
            _pooled if "filters" in name or "convolution" in name else plain,
            PICTURE if "filters" in name or "convolution" in name else FLAT,
            first=first,
            read=dense(3, 2) if "filters" in name or "convolution" in name else HEAD,
        )
        for name, first in MAKERS.items()
    ),
    case("weight_norm of old, in training", plain, FLAT, train=True, first=made(weight_norm), read=HEAD),
    case(
        "spectral_norm of old, in training",
        plain,
        FLAT,
        train=True,
        expect="either",
        first=made(spectral_norm),
        read=HEAD,
    ),
    case(
        "parametrizations.spectral_norm, in training",
        plain,
        FLAT,
        train=True,
        expect="either",
        first=made(parametrizations.spectral_norm),
        read=HEAD,
    ),
    *(
        case(name, _inner, FLAT, zero=dense(), first=hooked(attach), read=HEAD)
        for name, attach in HOOKS.items()
    ),
    *(
        case(name, _inner, FLAT, expect="either", zero=dense(), first=hooked(attach), read=HEAD)
        for name, attach in GRADIENT_HOOKS.items()
    ),
    case("module three times", _thrice, FLAT, first=dense(), read=HEAD),
    case("convolution on two sizes", _two_sizes, PICTURE, first=conv(2, D), read=HEAD),
    case("weight shared by layers", plain, FLAT, first=tied(dense(), "weight"), read=HEAD),
    case("weight and bias shared by layers", plain, FLAT, first=tied(dense(), "weight", "bias"), read=HEAD),
    case("bias shared by layers", plain, FLAT, first=tied(dense(), "bias"), read=HEAD),
    case("norm shared", plain, FLAT, first=tied(lambda: nn.LayerNorm(D), "weight"), read=HEAD),
    case("transposed weight", _transposed, FLAT, first=dense(), read=HEAD),
    case("weight read behind its layer", _behind_the_layer, FLAT, first=dense(), read=HEAD),
    case("weight read by its layer and behind it", _layer_and_behind, FLAT, first=dense(), read=HEAD),
    case("weight in the output itself", _penalised, FLAT, first=dense(), read=HEAD),
    case("bias added twice", _bias_twice, FLAT, first=dense(), read=HEAD),
    case("table gives the logits", _tied_words, tokens(), word=lambda: nn.Embedding(6, D), first=dense()),
    case(
        "table with padding gives the logits",
        _tied_words,
        tokens(),
        word=lambda: nn.Embedding(6, D, padding_idx=0),
        first=dense(),
    ),
    case("free scale and shift", _affine, FLAT, scale=free(D), shift=free(D), read=HEAD),
    case("free scalar", lambda net, x: net.scale * net.read(x), FLAT, scale=free(), read=HEAD),
    case("free matrices", _free_matrices, FLAT, first=free(D, 3), shift=free(3), second=free(3, 2)),
    case("free tensor in einsum", _einsum, FLAT, first=free(D, 2, 3), read=dense(6, 2)),
    case(
        "ensemble by vmap", _stacked, FLAT, members=lambda: nn.ModuleList([nn.Linear(D, 2) for _ in range(3)])
    ),
    case(
        "low rank beside a frozen layer",
        lambda net, x: net.read((net.first(x) + net.up(net.down(x))).tanh()),
        FLAT,
        first=partly_frozen("0.weight", "0.bias", "2.weight", "2.bias"),
        down=dense(D, 2, bias=False),
        up=dense(2, D, bias=False),
        read=HEAD,
    ),
    case("frozen weight", plain, FLAT, first=partly_frozen("0.weight"), read=HEAD),
    case("frozen bias", plain, FLAT, first=partly_frozen("0.bias", "2.bias"), read=HEAD),
    case("frozen layer in between", plain, FLAT, first=partly_frozen("2.weight", "2.bias"), read=HEAD),
    case(
        "frozen all but biases",
        lambda net, x: net.first(x),
        FLAT,
        first=partly_frozen("0.weight", "2.weight"),
    ),
]
