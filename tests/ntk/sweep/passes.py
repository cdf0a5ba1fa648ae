"""How a forward pass runs: branches, keywords, checkpoints, randomness."""

import random
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

from ntkd_lib.data.torchvision import import_torchvision
from tests.ntk.sweep.images import conv, stack
from tests.ntk.sweep.layers import tokens
from tests.ntk.sweep.loop import Case
from tests.ntk.sweep.net import Net, case
from tests.ntk.sweep.sequences import dense
from tests.ntk.sweep.weights import FLAT, HEAD, PICTURE, D, plain

BODY = stack(dense(), nn.Tanh, dense(), nn.Tanh)


class Depth(nn.Module):
    """A residual path that is left out at random in training."""

    def __init__(self, chance: Callable[[int], Tensor]) -> None:
        super().__init__()
        self.body, self.chance = nn.Linear(D, D), chance

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x).tanh() * (self.chance(len(x)) if self.training else 1)


def _no_gradient(net: Net, x: Tensor) -> Tensor:
    with torch.no_grad():
        h = net.first(x).tanh()
    return net.read(h)


def _detached(net: Net, x: Tensor) -> Tensor:
    h = net.first(x).tanh()
    return net.read(h + net.second(h.detach()).tanh())


def _straight_through(net: Net, x: Tensor) -> Tensor:
    h = net.first(x)
    return net.read(h + (h.sign() - h).detach() + h.square())


def _sometimes(net: Net, x: Tensor) -> Tensor:
    return net.read(torch.where(x[:, :1] > 0, net.first(x), net.second(x)).tanh())


def _unused(net: Net, x: Tensor) -> Tensor:
    net.second(x)
    return net.read(net.first(x).tanh())


def _view_of_output(net: Net, x: Tensor) -> Tensor:
    h = net.first(x)
    h[:, :2].mul_(2)
    return net.read(torch.cat([h[:, :2], h[:, 2:].t().contiguous().t()], dim=1).tanh())


def _keywords(net: Net, x: Tensor) -> Tensor:
    return net.read(input=net.norm(input=net.first(input=x)).tanh())


def _keyword_words(net: Net, ids: Tensor) -> Tensor:
    return net.read(input=net.word(input=ids).tanh().mean(1))


def _keyword_picture(net: Net, x: Tensor) -> Tensor:
    return net.read(net.first(input=x).tanh().mean((2, 3)))


def _checkpointed(net: Net, x: Tensor) -> Tensor:
    return net.read(checkpoint(net.body, x, use_reentrant=False))


def _checkpointed_reentrant(net: Net, x: Tensor) -> Tensor:
    return net.read(checkpoint(net.body, net.first(x), use_reentrant=True))


def _checkpointed_pieces(net: Net, x: Tensor) -> Tensor:
    return net.read(checkpoint_sequential(net.body, 2, net.first(x), use_reentrant=False))


def _mixed_heads(net: Net, x: Tensor) -> Tensor:
    return torch.cat([net.read(net.first(x).tanh()), net.second(x)], dim=1)


def _skipped(net: Net, x: Tensor) -> Tensor:
    return net.read(x + net.depth(net.first(x).tanh()))


def _noise(net: Net, x: Tensor) -> Tensor:
    return net.read((net.first(x) + torch.randn(len(x), D) / 10).tanh())


def _function_dropout(net: Net, x: Tensor) -> Tensor:
    return net.read(dropout(net.first(x).tanh(), 0.3, training=True))


def _chance_of_python(net: Net, x: Tensor) -> Tensor:
    return net.read(net.first(x).tanh() * (1 + random.random()))


def by_row(n: int) -> Tensor:
    return (torch.rand(n, 1) < 0.5) * 2.0


def by_batch(n: int) -> float:
    return 2.0 * (torch.rand(()).item() < 0.5)


CASES: list[Case] = [
    case("backbone without gradients", _no_gradient, FLAT, first=dense(), read=HEAD),
    case("detached branch", _detached, FLAT, first=dense(), second=dense(), read=HEAD),
    case("straight-through sign", _straight_through, FLAT, first=dense(), read=HEAD),
    case("branch by sample", _sometimes, FLAT, first=dense(), second=dense(), read=HEAD),
    case("layer that is not read", _unused, FLAT, first=dense(), second=dense(), read=HEAD),
    case("views of an output", _view_of_output, FLAT, first=dense(), read=HEAD),
    case("several heads", _mixed_heads, FLAT, first=dense(), second=dense(D, 1), read=HEAD),
    case(
        "wrapped in DataParallel",
        lambda net, x: net.body(x),
        FLAT,
        body=lambda: nn.DataParallel(nn.Linear(D, 2)),
    ),
    case("keyword calls", _keywords, FLAT, first=dense(), norm=lambda: nn.LayerNorm(D), read=HEAD),
    case(
        "keyword calls of an embedding", _keyword_words, tokens(), word=lambda: nn.Embedding(6, D), read=HEAD
    ),
    case("keyword calls of a convolution", _keyword_picture, PICTURE, first=conv(2, D), read=HEAD),
    case("checkpointed", _checkpointed, FLAT, train=True, body=BODY, read=HEAD),
    case(
        "checkpointed, reentrant",
        _checkpointed_reentrant,
        FLAT,
        train=True,
        expect="either",
        first=dense(),
        body=BODY,
        read=HEAD,
    ),
    case(
        "checkpointed in pieces", _checkpointed_pieces, FLAT, train=True, first=dense(), body=BODY, read=HEAD
    ),
    case("stochastic depth, evaluation", plain, FLAT, first=lambda: Depth(by_row), read=HEAD),
    case(
        "stochastic depth by row",
        plain,
        FLAT,
        train=True,
        expect="refusal",
        first=lambda: Depth(by_row),
        read=HEAD,
    ),
    case(
        "stochastic depth by batch",
        plain,
        FLAT,
        train=True,
        expect="refusal",
        first=lambda: Depth(by_batch),
        read=HEAD,
    ),
    *(
        case(
            f"stochastic depth of torchvision by {mode}",
            _skipped,
            FLAT,
            train=True,
            expect="refusal",
            first=dense(),
            depth=lambda mode=mode: import_torchvision().ops.StochasticDepth(0.5, mode),
            read=HEAD,
        )
        for mode in ("row", "batch")
    ),
    case("noise", _noise, FLAT, expect="refusal", first=dense(), read=HEAD),
    case("dropout as a function", _function_dropout, FLAT, expect="refusal", first=dense(), read=HEAD),
    case(
        "dropout as a layer",
        plain,
        FLAT,
        train=True,
        expect="refusal",
        first=stack(dense(), nn.Dropout),
        read=HEAD,
    ),
    case(
        "random slopes", plain, FLAT, train=True, expect="refusal", first=stack(dense(), nn.RReLU), read=HEAD
    ),
    case("chance of Python", _chance_of_python, FLAT, expect="refusal", first=dense(), read=HEAD),
]
