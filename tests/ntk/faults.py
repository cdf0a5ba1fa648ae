"""Networks for which tangent kernels were wrong or failed, by kind of cause, and others of the same kinds."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn import utils
from torch.nn.utils import parametrizations, parametrize, prune
from torch.utils.checkpoint import checkpoint


class Net(nn.Module):
    """Layers and parameters by name, and what a forward pass does with them."""

    def __init__(self, run: Callable, **parts: nn.Module | nn.Parameter) -> None:
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def dense(*sizes: int, act: Callable[[], nn.Module] = nn.Tanh, last: bool = True) -> nn.Sequential:
    layers = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), act())]
    return nn.Sequential(*layers[: -1 if last else None])


def real(*shape: int) -> Callable[[int], Tensor]:
    return lambda n: torch.randn(n, *shape)


def words(t: int, vocabulary: int = 9) -> Callable[[int], Tensor]:
    return lambda n: torch.randint(vocabulary, (n, t))


def places(x: Tensor) -> Tensor:
    return torch.arange(x.shape[1])


def embedded(run: Callable, **parts: nn.Module) -> Net:
    return Net(run, word=nn.Embedding(9, 4), place=nn.Embedding(6, 4), read=nn.Linear(4, 3), **parts)


def read(net: nn.Module, hidden: Tensor) -> Tensor:
    return net.read(hidden.tanh()).mean(1)


def attention(net: nn.Module, x: Tensor) -> Tensor:
    x = x.transpose(0, 1)
    return net.read(net.norm(x + net.mix(x, x, x, need_weights=False)[0])).mean(0)


# A1: a layer that is not given one row per sample
SHARED = {
    "positions of a batch of one": (
        embedded(lambda s, x: read(s, s.word(x) + s.place(places(x)[None]))),
        words(6),
    ),
    "positions without a batch": (embedded(lambda s, x: read(s, s.word(x) + s.place(places(x)))), words(6)),
    "positions times words": (embedded(lambda s, x: read(s, s.word(x) * s.place(places(x)[None]))), words(5)),
    "normalised positions": (
        embedded(lambda s, x: read(s, s.word(x) + s.norm(s.place(places(x)[None]))), norm=nn.LayerNorm(4)),
        words(6),
    ),
    "dense on positions": (
        embedded(lambda s, x: read(s, s.word(x) + s.mix(s.place(places(x)))), mix=nn.Linear(4, 4)),
        words(4),
    ),
    "relative positions": (
        embedded(lambda s, x: read(s, s.word(x) + s.place((places(x)[:, None] - places(x)).abs()).mean(1))),
        words(5),
    ),
    "one token type for all": (
        embedded(lambda s, x: read(s, s.word(x) + s.place(torch.zeros(1, 1, dtype=torch.long)))),
        words(5),
    ),
    "learned queries": (
        Net(
            lambda s, x: s.read(torch.softmax(s.ask(s.queries) @ s.keys(x).mT, -1) @ x).flatten(1),
            ask=nn.Linear(4, 4),
            keys=nn.Linear(4, 4),
            read=nn.Linear(4, 2),
            queries=nn.Parameter(torch.randn(2, 4)),
        ),
        real(5, 4),
    ),
    "a class token": (
        Net(
            lambda s, x: s.read(torch.cat([s.norm(s.token).expand(len(x), 1, 4), x], 1).tanh()).mean(1),
            norm=nn.LayerNorm(4),
            read=nn.Linear(4, 3),
            token=nn.Parameter(torch.randn(1, 1, 4)),
        ),
        real(5, 4),
    ),
    "prototypes": (
        Net(lambda s, x: -torch.cdist(s.a(x), s.b(torch.eye(3).to(x))), a=dense(4, 5), b=nn.Linear(3, 5)),
        real(4),
    ),
    "one convolved mask": (
        Net(
            lambda s, x: s.read((x * s.conv(torch.ones(1, 1, 4, 4).to(x)).sigmoid()).flatten(1)),
            conv=nn.Conv2d(1, 1, 3, padding=1),
            read=nn.Linear(16, 3),
        ),
        real(1, 4, 4),
    ),
}
# A2: sequence first
SEQUENCE_FIRST = {
    "dense layers": (
        Net(lambda s, x: s.b(s.a(x.transpose(0, 1)).tanh()).mean(0), a=nn.Linear(4, 5), b=nn.Linear(5, 3)),
        real(7, 4),
    ),
    "encoder of torch": (
        Net(
            lambda s, x: s.read(s.encode(x.transpose(0, 1))).mean(0),
            encode=nn.TransformerEncoder(
                nn.TransformerEncoderLayer(4, 2, 8, dropout=0), 1, enable_nested_tensor=False
            ),
            read=nn.Linear(4, 3),
        ),
        real(6, 4),
    ),
    "attention of torch": (
        Net(attention, mix=nn.MultiheadAttention(4, 2), norm=nn.LayerNorm(4), read=nn.Linear(4, 3)),
        real(6, 4),
    ),
    "samples on the third axis": (
        Net(
            lambda s, x: s.b(s.a(x.movedim(0, 2)).tanh()).mean((0, 1)),
            a=nn.Linear(3, 5),
            b=nn.Linear(5, 2),
        ),
        real(4, 2, 3),
    ),
    "RMS norm": (
        Net(lambda s, x: s.b(s.a(x.transpose(0, 1))).tanh().mean(0), a=nn.RMSNorm(4), b=nn.Linear(4, 3)),
        real(5, 4),
    ),
    "embedding": (
        Net(lambda s, x: s.b(s.a(x.T).tanh()).mean(0), a=nn.Embedding(9, 4), b=nn.Linear(4, 3)),
        words(6),
    ),
    "recurrent": (
        Net(lambda s, x: s.b(s.a(x.transpose(0, 1))[0][-1]), a=nn.GRU(3, 4), b=nn.Linear(4, 2)),
        real(5, 3),
    ),
    "one step": (
        Net(lambda s, x: s.b(s.a(x[None]).tanh())[0], a=nn.Linear(4, 5), b=nn.Linear(5, 3)),
        real(4),
    ),
    "batch norm between": (
        Net(
            lambda s, x: s.b(s.n(s.a(x.transpose(0, 1)).movedim(1, 0).mT).mT.tanh()).mean(1),
            a=nn.Linear(4, 5),
            n=nn.BatchNorm1d(5).eval(),
            b=nn.Linear(5, 3),
        ).eval(),
        real(6, 4),
    ),
    "samples reversed": (
        Net(lambda s, x: s.b(s.a(x.flip(0)).tanh()).flip(0), a=nn.Linear(4, 5), b=nn.Linear(5, 3)),
        real(4),
    ),
    "samples rolled": (
        Net(lambda s, x: s.b(s.a(x.roll(1, 0)).tanh().roll(-1, 0)), a=nn.Linear(4, 5), b=nn.Linear(5, 3)),
        real(4),
    ),
}


def difference(halves: Tensor) -> Tensor:
    a, b = halves.chunk(2)
    return a - b


# A3: folded batches
FOLDED = {
    "frames": (
        Net(
            lambda s, x: s.b(s.n(s.a(x.flatten(0, 1))).tanh().mean((2, 3)).view(len(x), -1, 3)).mean(1),
            a=nn.Conv2d(2, 3, 2),
            n=nn.GroupNorm(1, 3),
            b=nn.Linear(3, 3),
        ),
        real(3, 2, 4, 4),
    ),
    "frames first": (
        Net(
            lambda s, x: (
                s.b(s.a(x.transpose(0, 1).flatten(0, 1)).tanh().mean((2, 3))).view(-1, len(x), 3).mean(0)
            ),
            a=nn.Conv2d(2, 4, 2),
            b=nn.Linear(4, 3),
        ),
        real(3, 2, 4, 4),
    ),
    "hypernetwork": (
        Net(
            lambda s, x: (x @ s.g(s.z).view(4, 3)).tanh(),
            g=nn.Linear(5, 12),
            z=nn.Parameter(torch.randn(5)),
        ),
        real(4),
    ),
    "hypernetwork per sample": (
        Net(lambda s, x: (x[:, None] @ s.g(x).view(-1, 4, 3))[:, 0].tanh(), g=nn.Linear(4, 12)),
        real(4),
    ),
    "rows of an image": (
        Net(
            lambda s, x: s.b(s.a(x.flatten(0, 1)).tanh()).view(len(x), -1),
            a=nn.Linear(4, 3),
            b=nn.Linear(3, 2),
        ),
        real(3, 4),
    ),
    "channels as samples": (
        Net(
            lambda s, x: s.b(s.a(x.flatten(0, 1)[:, None]).tanh().mean(2)).view(len(x), -1),
            a=nn.Conv1d(1, 3, 2),
            b=nn.Linear(3, 1),
        ),
        real(3, 6),
    ),
    "siamese by concatenation": (
        Net(
            lambda s, x: difference(s.a(torch.cat([x[:, 0], x[:, 1]]))),
            a=dense(4, 5, 3),
        ),
        real(2, 4),
    ),
    "folded words": (
        Net(
            lambda s, x: s.b(s.a(x.flatten()).tanh()).view(len(x), -1, 3).mean(1),
            a=nn.Embedding(9, 4),
            b=nn.Linear(4, 3),
        ),
        words(5),
    ),
    "folded upsampling": (
        Net(
            lambda s, x: s.b(s.a(x.flatten(0, 1)).tanh().flatten(1).view(len(x), -1)),
            a=nn.ConvTranspose2d(1, 2, 2),
            b=nn.Linear(36, 3),
        ),
        real(2, 1, 2, 2),
    ),
    "a loop over samples": (
        Net(lambda s, x: torch.stack([s.a(each) for each in x]), a=dense(4, 5, 3)),
        real(4),
    ),
    "a loop over samples with convolutions": (
        Net(
            lambda s, x: torch.stack([s.b(s.a(each).tanh().mean((1, 2))) for each in x]),
            a=nn.Conv2d(1, 4, 2),
            b=nn.Linear(4, 3),
        ),
        real(1, 4, 4),
    ),
    "experts": (
        Net(
            lambda s, x: (
                torch.zeros(len(x), 3).to(x).index_put((x[:, 0] > 0,), s.a(x[x[:, 0] > 0]))
                + torch.zeros(len(x), 3).to(x).index_put((x[:, 0] <= 0,), s.b(x[x[:, 0] <= 0]))
            ),
            a=dense(4, 5, 3),
            b=dense(4, 6, 3),
        ),
        real(4),
    ),
}


def slope(net: nn.Module, x: Tensor, *, keep: bool = True) -> Tensor:
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return torch.autograd.grad(net(x).sum(), x, create_graph=keep)[0]


def residual(net: nn.Module, x: Tensor) -> Tensor:
    """Compute ``u'' + u' + u`` along the first coordinate."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        u = net(x)
        (first,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first[:, 0].sum(), x, create_graph=True)
        return second[:, :1] + first[:, 1:] * u + u


# A4: derivatives inside of the forward pass, and weights read behind their layers' backs
DERIVATIVES = {
    "force": (Net(lambda s, x: -slope(s.a, x), a=dense(3, 6, 1)), real(3)),
    "residual": (Net(lambda s, x: residual(s.a, x), a=dense(2, 6, 6, 1)), real(2)),
    "energy and force": (
        Net(lambda s, x: torch.cat([s.a(x), slope(s.a, x)], 1), a=dense(3, 6, 1)),
        real(3),
    ),
    "softplus": (Net(lambda s, x: slope(s.a, x), a=dense(3, 6, 1, act=nn.Softplus)), real(3)),
    "convolved": (
        Net(
            lambda s, x: slope(lambda y: s.b(s.a(y).tanh().mean(2)), x).flatten(1),
            a=nn.Conv1d(1, 3, 2),
            b=nn.Linear(3, 1),
        ),
        real(1, 4),
    ),
    "normalised": (
        Net(lambda s, x: slope(lambda y: s.a(s.n(y)), x), a=dense(3, 5, 1), n=nn.LayerNorm(3)),
        real(3),
    ),
    "read out of a slope": (
        Net(lambda s, x: s.b(slope(s.a, x)), a=dense(3, 6, 1), b=nn.Linear(3, 2)),
        real(3),
    ),
    "functional derivative": (
        Net(lambda s, x: torch.func.vmap(torch.func.grad(lambda y: s.a(y)[0]))(x), a=dense(3, 6, 1)),
        real(3),
    ),
    "penalty on a weight": (
        Net(lambda s, x: s.a(x) + s.a[0].weight.square().sum(), a=dense(3, 4, 2)),
        real(3),
    ),
    "tied by functional": (
        Net(lambda s, x: F.linear(s.a(x).tanh(), s.a.weight.T), a=nn.Linear(4, 3)),
        real(4),
    ),
    "bias read twice": (Net(lambda s, x: s.a(x).tanh() * s.a.bias, a=nn.Linear(4, 3)), real(4)),
    "cosine of weights": (
        Net(
            lambda s, x: F.normalize(s.a(x)) @ F.normalize(s.b.weight, dim=1).T,
            a=dense(4, 5),
            b=nn.Linear(5, 3),
        ),
        real(4),
    ),
}


def old(layer: nn.Module, make: Callable, *shape: int) -> nn.Module:
    layer = make(layer)
    layer(torch.randn(2, *shape))  # old hooks need a first pass in training mode
    return layer.eval()


def masked(layer: nn.Module) -> nn.Module:
    prune.random_unstructured(layer, "weight", 0.4)
    return layer


def standardised(layer: nn.Module, _: tuple) -> None:
    layer.weight = layer.raw - layer.raw.mean(1, keepdim=True)


def by_hook(layer: nn.Linear) -> nn.Linear:
    layer.raw = layer.weight
    del layer.weight
    layer.register_forward_pre_hook(standardised)
    return layer


def low_rank(layer: nn.Linear) -> nn.Linear:
    layer.down, layer.up = nn.Parameter(torch.randn(2, 4)), nn.Parameter(torch.randn(5, 2))
    plain = layer.forward
    layer.forward = lambda x: plain(x) + x @ layer.down.T @ layer.up.T
    return layer


class Scaled(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return 2 * weight.tanh()


def parametrised(layer: nn.Module) -> nn.Module:
    parametrize.register_parametrization(layer, "weight", Scaled())
    return layer


def behind(layer: nn.Module) -> nn.Module:
    return nn.Sequential(layer, nn.Tanh(), nn.Linear(5, 3)).eval()


# A5: weights that are not leaves
MADE_WEIGHTS = {
    "old spectral norm": (behind(old(nn.Linear(4, 5), utils.spectral_norm, 4)), real(4)),
    "spectral norm": (behind(parametrizations.spectral_norm(nn.Linear(4, 5))), real(4)),
    "weight norm": (behind(parametrizations.weight_norm(nn.Linear(4, 5))), real(4)),
    "orthogonal": (behind(parametrizations.orthogonal(nn.Linear(4, 5))), real(4)),
    "pruned": (behind(masked(nn.Linear(4, 5))), real(4)),
    "pruned twice": (behind(masked(masked(nn.Linear(4, 5)))), real(4)),
    "a hook before": (behind(by_hook(nn.Linear(4, 5))), real(4)),
    "low rank beside": (behind(low_rank(nn.Linear(4, 5))), real(4)),
    "own parametrisation": (behind(parametrised(nn.Linear(4, 5))), real(4)),
    "old spectral norm of a convolution": (
        nn.Sequential(
            old(nn.Conv1d(1, 3, 2), utils.spectral_norm, 1, 4), nn.Flatten(), nn.Linear(9, 2)
        ).eval(),
        real(1, 4),
    ),
    "pruned embedding": (
        Net(lambda s, x: s.b(s.a(x).tanh().mean(1)), a=masked(nn.Embedding(9, 4)), b=nn.Linear(4, 3)),
        words(5),
    ),
    "frozen half": (
        nn.Sequential(parametrised(nn.Linear(4, 5)).requires_grad_(False), nn.Tanh(), nn.Linear(5, 3)),
        real(4),
    ),
}


def hooked(place: str, hook: Callable, *, layer: int = 0, **settings: object) -> nn.Sequential:
    net = dense(4, 5, 3)
    getattr(net[layer], f"register_{place}")(hook, **settings)
    return net


def adapter(net: nn.Sequential) -> nn.Sequential:
    net.extra = nn.Linear(5, 5)
    net[0].register_forward_hook(lambda layer, args, out: out + net.extra(out.tanh()))
    net.forward = lambda x: net[2](net[1](net[0](x)))
    return net


def sine(net: nn.Module) -> nn.Module:
    net.register_forward_hook(lambda layer, args, out: out.sin())
    return net


# A6: hooks of the user
HOOKS = {
    "doubled output": (hooked("forward_hook", lambda layer, args, out: 2 * out), real(4)),
    "squared output": (hooked("forward_hook", lambda layer, args, out: out.square()), real(4)),
    "doubled logits": (hooked("forward_hook", lambda layer, args, out: 2 * out, layer=2), real(4)),
    "hook that comes first": (
        hooked("forward_hook", lambda layer, args, out: out.sin(), prepend=True),
        real(4),
    ),
    "hook with keywords": (
        hooked("forward_hook", lambda layer, args, named, out: 3 * out, with_kwargs=True),
        real(4),
    ),
    "changed input": (hooked("forward_pre_hook", lambda layer, args: (args[0] ** 2,)), real(4)),
    "changed in place": (hooked("forward_hook", lambda layer, args, out: out.mul_(2)), real(4)),
    "residual": (hooked("forward_hook", lambda layer, args, out: out + args[0], layer=1), real(4)),
    "full backward hook": (
        hooked("full_backward_hook", lambda layer, grads_in, _: None, layer=1),
        real(4),
    ),
    "gradient doubled by a hook": (
        hooked("full_backward_hook", lambda layer, grads_in, _: (2 * grads_in[0],), layer=2),
        real(4),
    ),
    "adapter": (adapter(dense(4, 5, 3)), real(4)),
    "hook on the network": (
        sine(dense(4, 5, 3)),
        real(4),
    ),
}
# A7: operations whose batching rules are wrong or missing
RULES = {
    "PReLU": (dense(4, 5, 3, act=nn.PReLU), real(4)),
    "PReLU per channel": (dense(4, 5, 3, act=lambda: nn.PReLU(5)), real(4)),
    "PReLU on images": (
        nn.Sequential(nn.Conv2d(1, 3, 2), nn.PReLU(3), nn.Flatten(), nn.Linear(27, 2)),
        real(1, 4, 4),
    ),
    "PReLU first": (nn.Sequential(nn.PReLU(4), nn.Linear(4, 3)), real(4)),
    "PReLU used twice": (
        Net(lambda s, x: s.b(s.p(s.a(s.p(x)))), a=nn.Linear(4, 5), b=nn.Linear(5, 3), p=nn.PReLU()),
        real(4),
    ),
    "functional PReLU": (
        Net(lambda s, x: F.prelu(s.a(x), s.w), a=nn.Linear(4, 5), w=nn.Parameter(torch.tensor([0.3]))),
        real(4),
    ),
    "torch.prelu": (
        Net(lambda s, x: torch.prelu(s.a(x), s.w), a=nn.Linear(4, 5), w=nn.Parameter(torch.rand(5))),
        real(4),
    ),
    "frozen PReLU": (
        nn.Sequential(nn.Linear(4, 5), nn.PReLU().requires_grad_(False), nn.Linear(5, 3)),
        real(4),
    ),
    "instance norm": (
        nn.Sequential(nn.InstanceNorm1d(2, affine=True), nn.Flatten(), nn.Linear(8, 3)),
        real(2, 4),
    ),
    "bilinear": (Net(lambda s, x: s.a(x, x.tanh()), a=nn.Bilinear(4, 4, 3)), real(4)),
    "bag of words": (nn.Sequential(nn.EmbeddingBag(9, 4), nn.Tanh(), nn.Linear(4, 3)), words(5)),
    "branch on values": (
        Net(lambda s, x: s.a(x) if x.shape[0] > 1 or x.sum() > -1e9 else s.a(2 * x), a=dense(4, 5, 3)),
        real(4),
    ),
}


def given(layer: nn.Module, **settings: object) -> nn.Module:
    """Change settings of a layer after it was made, and put other weights in."""
    for name, value in settings.items():
        setattr(layer, name, nn.Parameter(value) if isinstance(value, Tensor) else value)
    return layer


def grouped(net: nn.Module, x: Tensor) -> Tensor:
    """Use a grouped convolution's weight and bias in a dense layer too, at which the groups are none."""
    return net.c(x[:, :, None])[..., 0].tanh() + F.linear(x[:, :2].sin(), net.c.weight[:, :, 0], net.c.bias)


def read_flat(layer: nn.Module, inputs: int) -> nn.Sequential:
    return nn.Sequential(layer, nn.Tanh(), nn.Flatten(), nn.Linear(inputs, 2))


def one_vector(layer: nn.Module) -> nn.Module:
    layer.bias = nn.init.uniform_(layer.weight)
    return layer


# A8: shapes that are not those of a layer's settings, or two of one weight
SHAPES = {
    "a weight and its view": (
        Net(lambda s, x: F.linear(s.a(x).tanh(), s.a.weight.view(6, 2)), a=nn.Linear(6, 2)),
        real(6),
    ),
    "a square weight and its view": (
        Net(
            lambda s, x: s.b(F.linear(s.a(x)[:, :2], s.a.weight.view(8, 2))),
            a=nn.Linear(4, 4),
            b=nn.Linear(8, 2),
        ),
        real(4),
    ),
    "a grouped weight without groups": (Net(grouped, c=nn.Conv1d(4, 4, 1, groups=2)), real(4)),
    "two numbers of groups": (
        Net(
            lambda s, x: s.b(s.a(x)[:, :2].tanh()).flatten(1),
            a=nn.Conv1d(4, 4, 1, groups=2),
            b=nn.Conv1d(2, 4, 1),
        ),
        real(4, 3),
    ),
    "a table and its view": (
        Net(lambda s, x: F.linear(s.e(x).flatten(1).tanh(), s.e.weight.view(2, 12)), e=nn.Embedding(6, 4)),
        words(3, 6),
    ),
    "a longer table": (
        Net(
            lambda s, x: s.h(s.e(x).tanh().mean(1)),
            e=given(nn.Embedding(5, 4, padding_idx=1), weight=torch.randn(9, 4)),
            h=nn.Linear(4, 2),
        ),
        words(3),
    ),
    "a wider and much longer table": (
        Net(
            lambda s, x: s.h(s.e(x).tanh().mean(1)),
            e=given(nn.Embedding(5, 4), weight=torch.randn(50, 6)),
            h=nn.Linear(6, 2),
        ),
        words(3, 50),
    ),
    "padding counted from the end": (
        Net(
            lambda s, x: s.h(s.e(x).tanh().mean(1)),
            e=given(nn.Embedding(9, 4), padding_idx=-2),
            h=nn.Linear(4, 2),
        ),
        words(3),
    ),
    "a larger filter": (
        read_flat(given(nn.Conv2d(1, 2, 3, padding=2), weight=torch.randn(2, 1, 5, 5)), 32),
        real(1, 4, 4),
    ),
    "a smaller filter": (read_flat(given(nn.Conv1d(1, 2, 3), weight=torch.randn(2, 1, 2)), 10), real(1, 6)),
    "a larger filter, transposed": (
        read_flat(given(nn.ConvTranspose1d(2, 1, 2, bias=False), weight=torch.randn(3, 2, 4)), 18),
        real(3, 6),
    ),
    "padding of one number": (read_flat(given(nn.Conv1d(1, 2, 3), padding=1), 12), real(1, 6)),
    "stride and padding of one number": (
        read_flat(given(nn.Conv2d(1, 2, 3), stride=2, padding=1), 8),
        real(1, 4, 4),
    ),
    "settings of one number in a tuple": (
        read_flat(given(nn.Conv3d(1, 2, 2), stride=(2,), padding=(1,), dilation=[2]), 16),
        real(1, 3, 3, 3),
    ),
    "padding set to same": (
        read_flat(given(nn.Conv2d(1, 2, (3, 2), dilation=(1, 2)), padding="same"), 32),
        real(1, 4, 4),
    ),
    "padding set to valid": (read_flat(given(nn.Conv1d(1, 2, 3, padding=1), padding="valid"), 8), real(1, 6)),
    "padding set in a circle": (
        read_flat(given(nn.Conv1d(1, 2, 3, padding=1), padding_mode="circular"), 12),
        real(1, 6),
    ),
    "stride of one number, transposed": (
        read_flat(given(nn.ConvTranspose1d(1, 2, 3, padding=1), stride=2), 22),
        real(1, 6),
    ),
    "a weight without an axis of outputs": (
        Net(lambda s, x: F.linear(x, s.w).tanh(), w=nn.Parameter(torch.randn(4))),
        real(5, 4),
    ),
    "a weight and a bias without an axis of outputs": (
        Net(
            lambda s, x: F.linear(s.a(x).tanh(), s.w, s.v).sin(),
            a=nn.Linear(3, 4),
            w=nn.Parameter(torch.randn(4)),
            v=nn.Parameter(torch.randn(())),
        ),
        real(5, 3),
    ),
    "a bias and a weight": (
        Net(
            lambda s, x: F.linear(F.linear(x, s.w, s.v).tanh(), s.v[None]),
            w=nn.Parameter(torch.randn(5, 3)),
            v=nn.Parameter(torch.randn(5)),
        ),
        real(3),
    ),
    "a weight and a bias": (
        Net(
            lambda s, x: F.linear(F.linear(x, s.v[None]).tanh(), s.w, s.v),
            w=nn.Parameter(torch.randn(3, 1)),
            v=nn.Parameter(torch.randn(3)),
        ),
        real(3),
    ),
    "a weight and a bias of one call": (
        Net(lambda s, x: F.linear(x, s.v[:, None], s.v).tanh(), v=nn.Parameter(torch.randn(3))),
        real(1),
    ),
    "a scale and its shift": (
        nn.Sequential(nn.Linear(3, 5), one_vector(nn.LayerNorm(5)), nn.Linear(5, 2)),
        real(3),
    ),
    "a bias and a scale": (
        Net(lambda s, x: s.b(s.n(s.a(x)).tanh()), a=nn.Linear(3, 5), n=nn.LayerNorm(5), b=nn.Linear(5, 2)),
        real(3),
    ),
    "more slopes": (
        nn.Sequential(nn.Linear(4, 5), given(nn.PReLU(), weight=torch.rand(5)), nn.Linear(5, 2)),
        real(4),
    ),
}
# C3 and others: a method fails, another would do
OTHERS = {
    "keyword call": (
        Net(lambda s, x: s.b(input=s.a(input=x).tanh()), a=nn.Linear(4, 5), b=nn.Linear(5, 3)),
        real(4),
    ),
    "LSTM": (
        Net(lambda s, x: s.b(s.a(x)[0][:, -1]), a=nn.LSTM(3, 4, batch_first=True), b=nn.Linear(4, 2)),
        real(5, 3),
    ),
    "complex weights": (
        Net(
            lambda s, x: s.b((x.to(s.w.dtype) @ s.w).abs()),
            w=nn.Parameter(torch.randn(4, 5, dtype=torch.cdouble)),
            b=nn.Linear(5, 3),
        ),
        real(4),
    ),
    "sparse embedding": (
        Net(lambda s, x: s.b(s.a(x).tanh().mean(1)), a=nn.Embedding(9, 4, sparse=True), b=nn.Linear(4, 3)),
        words(5),
    ),
    "checkpoint": (
        Net(
            lambda s, x: s.b(checkpoint(s.a, x, use_reentrant=False)),
            a=dense(4, 5, last=False),
            b=nn.Linear(5, 3),
        ),
        real(4),
    ),
    "reentrant checkpoint": (
        Net(
            lambda s, x: s.b(checkpoint(s.a, s.first(x), use_reentrant=True)),
            first=nn.Linear(4, 4),
            a=dense(4, 5, last=False),
            b=nn.Linear(5, 3),
        ),
        real(4),
    ),
}
SHAPES["a bias and a scale"][0].n.weight = SHAPES["a bias and a scale"][0].a.bias
SHAPES["two numbers of groups"][0].b.weight = SHAPES["two numbers of groups"][0].a.weight
KINDS_OF_FAULT = {
    "shared": SHARED,
    "sequence first": SEQUENCE_FIRST,
    "folded": FOLDED,
    "derivatives": DERIVATIVES,
    "made weights": MADE_WEIGHTS,
    "hooks": HOOKS,
    "rules": RULES,
    "shapes": SHAPES,
    "others": OTHERS,
}
