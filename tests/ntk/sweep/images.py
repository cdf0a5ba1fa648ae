"""Pictures, frames and coordinates: convolutional blocks, folded batches, warps, derivative outputs."""

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, jvp, vmap
from torch.nn.functional import affine_grid, avg_pool2d, conv2d, fold, grid_sample, interpolate, unfold

from tests.ntk.sweep.layers import floats
from tests.ntk.sweep.loop import Case
from tests.ntk.sweep.net import Net, case
from tests.ntk.sweep.sequences import dense, free

FRAMES, PICTURE, POINT = floats(2, 2, 4, 4), floats(2, 4, 4), floats(2)


def conv(inputs: int = 2, outputs: int = 3, size: int = 3, **options: object):
    return lambda: nn.Conv2d(inputs, outputs, size, **options)


def stack(*layers: object):
    return lambda: nn.Sequential(*(layer() for layer in layers))


def _folded_frames(net: Net, x: Tensor) -> Tensor:
    return net.read(net.first(x.flatten(0, 1)).tanh().mean((2, 3)).view(len(x), -1))


def _folded_frames_with_head(net: Net, x: Tensor) -> Tensor:
    return net.read(net.first(x.flatten(0, 1)).tanh().mean((2, 3))).view(len(x), -1, 2).mean(1)


def _frames_in_channels(net: Net, x: Tensor) -> Tensor:
    return net.read(net.first(x.flatten(1, 2)).tanh().mean((2, 3)))


def _frames_in_a_loop(net: Net, x: Tensor) -> Tensor:
    return net.read(sum(net.first(frame).tanh().mean((2, 3)) for frame in x.unbind(1)))


def _folded_windows(net: Net, x: Tensor) -> Tensor:
    windows = x.unfold(2, 2, 2).unfold(3, 2, 2).permute(0, 2, 3, 4, 5, 1).reshape(-1, 4, 2)
    h = net.norm(windows)
    h = h + (net.query(h) @ net.key(h).mT).softmax(-1) @ net.value(h)
    return net.read(h.reshape(len(x), -1, 2).mean(1))


def _folded_channels(net: Net, x: Tensor) -> Tensor:
    return net.read(net.first(x.flatten(0, 1)[:, None]).tanh().view(len(x), -1))


def _patches(net: Net, x: Tensor) -> Tensor:
    return net.read((net.first(unfold(x, 2, stride=2).mT) + net.places).tanh().mean(1))


def _patch_tokens(net: Net, x: Tensor) -> Tensor:
    h = net.first(x).flatten(2).mT
    h = torch.cat([net.token.expand(len(x), 1, -1), h], 1) + net.place(torch.arange(5)[None])
    return net.read(net.attention(h, h, h, need_weights=False)[0][:, 0])


def _refolded(net: Net, x: Tensor) -> Tensor:
    columns = net.first(unfold(x, 2, stride=2).mT).tanh().mT
    return net.read(fold(columns, (4, 4), 2, stride=2).flatten(1))


def _residual(net: Net, x: Tensor) -> Tensor:
    h = net.first(x)
    return net.read((h + net.second(h.relu())).relu().mean((2, 3)))


def _excited(net: Net, x: Tensor) -> Tensor:
    h = net.first(x)
    return net.read((h * net.gate(h.mean((2, 3))).sigmoid()[..., None, None]).tanh().mean((2, 3)))


def _in_place(net: Net, x: Tensor) -> Tensor:
    h = net.first(x)
    h += 1
    h[:, 0] *= 2
    h.relu_()
    return net.read(h.mean((2, 3)))


def _dense_connections(net: Net, x: Tensor) -> Tensor:
    h = torch.cat([x, net.first(x).relu()], dim=1)
    return net.read(torch.cat([h, net.second(h).relu()], dim=1).mean((2, 3)))


def _up_and_down(net: Net, x: Tensor) -> Tensor:
    low = net.down(x).relu()
    h = torch.cat([net.up(low), x, interpolate(low, scale_factor=2)], dim=1)
    return avg_pool2d(net.read(h), 4).flatten(1)


def _separable(net: Net, x: Tensor) -> Tensor:
    return net.read(net.point(net.depth(x)).relu().mean((2, 3)))


def _conditioned(net: Net, x: Tensor) -> Tensor:
    scale, shift = net.condition(x.mean((2, 3))).chunk(2, dim=1)
    return net.read((net.first(x) * scale[..., None, None] + shift[..., None, None]).tanh().mean((2, 3)))


def _warped(net: Net, x: Tensor) -> Tensor:
    grid = affine_grid(net.warp(x.flatten(1)).view(-1, 2, 3), x.shape, align_corners=False)
    return net.read(grid_sample(x, grid, align_corners=False).flatten(1))


def _gated_rows(net: Net, x: Tensor) -> Tensor:
    return net.read(nn.functional.glu(net.first(x), dim=1).amax((2, 3)))


def _spectrum(net: Net, x: Tensor) -> Tensor:
    return net.read(torch.fft.irfft2(torch.fft.rfft2(x) * net.filter, s=(4, 4)).tanh().flatten(1))


def _complex(net: Net, x: Tensor) -> Tensor:
    return net.read((x.to(torch.complex128) @ net.weight).abs())


def _hyper_one(net: Net, x: Tensor) -> Tensor:
    return net.read((x @ net.hyper(net.code).view(2, 3)).tanh())


def _hyper_rows(net: Net, x: Tensor) -> Tensor:
    return net.read((x @ net.hyper(net.codes)).tanh())


def _hyper_sample(net: Net, x: Tensor) -> Tensor:
    return net.read((x[:, None] @ net.hyper(x).view(-1, 2, 3)).squeeze(1).tanh())


def _hyper_filters(net: Net, x: Tensor) -> Tensor:
    return net.read(conv2d(x, net.hyper(net.code).view(3, 2, 2, 2)).tanh().mean((2, 3)))


def _slope(net: Net, x: Tensor) -> Tensor:
    x = x if x.requires_grad else x.detach().requires_grad_()
    return torch.autograd.grad(net.body(x).sum(), x, create_graph=True)[0]


def _residual_of_equation(net: Net, x: Tensor) -> Tensor:
    x = x if x.requires_grad else x.detach().requires_grad_()
    u = net.body(x)
    slope = torch.autograd.grad(u.sum(), x, create_graph=True)[0]
    bend = torch.autograd.grad(slope[:, 0].sum(), x, create_graph=True)[0][:, :1]
    return torch.cat([slope[:, 1:] - bend, u], dim=1)


def _forces(net: Net, x: Tensor) -> Tensor:
    x = x if x.requires_grad else x.detach().requires_grad_()
    energy = net.body(x)
    return torch.cat([energy, -torch.autograd.grad(energy.sum(), x, create_graph=True)[0]], dim=1)


def _hamiltonian(net: Net, x: Tensor) -> Tensor:
    state = dict(net.body.named_parameters())
    energy = jacrev(lambda point: functional_call(net.body, state, (point,)).squeeze(-1))
    dq, dp = vmap(energy)(x).unbind(1)
    return torch.stack([dp, -dq], dim=1)


def _forward_mode(net: Net, x: Tensor) -> Tensor:
    state = dict(net.body.named_parameters())
    values, slopes = jvp(lambda p: functional_call(net.body, state, (p,)), (x,), (torch.ones_like(x),))
    return torch.cat([values, slopes], dim=1)


def _differences(net: Net, x: Tensor) -> Tensor:
    return torch.cat([net.body(x), (net.body(x + 1e-3) - net.body(x - 1e-3)) / 2e-3], dim=1)


def _sine(net: Net, x: Tensor) -> Tensor:
    return net.read((30 * net.second((5 * net.first(x)).sin())).sin())


def _hashed(net: Net, x: Tensor) -> Tensor:
    cell = (x * 2).floor().long() % 3
    return net.read((net.grid(cell[:, 0] * 3 + cell[:, 1]) * (x * 2).frac().sum(1, keepdim=True)).tanh())


def _radial(net: Net, x: Tensor) -> Tensor:
    return net.read((-(x[:, None] - net.centres).square().sum(-1) * net.widths.exp()).exp())


def _equilibrium(net: Net, x: Tensor) -> Tensor:
    state = torch.zeros(len(x), 3)
    for _ in range(6):
        state = (net.second(state) / 4 + net.first(x)).tanh()
    return net.read(state)


def _flow(net: Net, x: Tensor) -> Tensor:
    for step in range(3):
        time = torch.full((len(x), 1), step / 3)
        x = x + net.body(torch.cat([x, time], dim=1)) / 3
    return x


def _flow_with_one_time(net: Net, x: Tensor) -> Tensor:
    for step in range(3):
        x = x + net.body(x) * net.time(torch.tensor([step / 3])) / 3
    return x


def _swish():
    return stack(dense(2, 5), nn.Tanh, dense(5, 1))


HEAD = dense(3, 2)
CASES: list[Case] = [
    case("frames folded into the batch", _folded_frames, FRAMES, first=conv(), read=dense(6, 2)),
    case(
        "frames folded into the batch, with their head",
        _folded_frames_with_head,
        FRAMES,
        first=conv(),
        read=HEAD,
    ),
    case("frames folded into channels", _frames_in_channels, FRAMES, first=conv(4), read=HEAD),
    case("frames in a loop", _frames_in_a_loop, FRAMES, first=conv(), read=HEAD),
    case(
        "windows folded into the batch",
        _folded_windows,
        PICTURE,
        norm=lambda: nn.LayerNorm(2),
        query=dense(2, 2),
        key=dense(2, 2),
        value=dense(2, 2),
        read=dense(2, 2),
    ),
    case("channels folded into the batch", _folded_channels, PICTURE, first=conv(1, 2, 3), read=dense(16, 2)),
    case("patches and free positions", _patches, PICTURE, first=dense(8, 3), places=free(4, 3), read=HEAD),
    case(
        "vision transformer",
        _patch_tokens,
        PICTURE,
        first=conv(2, 4, 2, stride=2),
        token=free(4),
        place=lambda: nn.Embedding(5, 4),
        attention=lambda: nn.MultiheadAttention(4, 2, batch_first=True),
        read=dense(4, 2),
    ),
    case("patches put back", _refolded, PICTURE, first=dense(8, 8), read=dense(32, 2)),
    case(
        "residual block",
        _residual,
        PICTURE,
        first=conv(),
        second=stack(lambda: nn.BatchNorm2d(3), conv(3, 3, padding=1)),
        read=HEAD,
    ),
    case("squeeze and excitation", _excited, PICTURE, first=conv(), gate=dense(3, 3), read=HEAD),
    case("changes in place", _in_place, PICTURE, first=conv(), read=HEAD),
    case(
        "dense connections",
        _dense_connections,
        PICTURE,
        first=conv(2, 2, padding=1),
        second=conv(4, 2, padding=1),
        read=dense(6, 2),
    ),
    case(
        "down and up",
        _up_and_down,
        PICTURE,
        down=conv(2, 3, 2, stride=2),
        up=lambda: nn.ConvTranspose2d(3, 2, 2, stride=2),
        read=conv(7, 2, 1),
    ),
    case(
        "separable convolutions",
        _separable,
        PICTURE,
        depth=conv(2, 4, 3, groups=2),
        point=conv(4, 3, 1),
        read=HEAD,
    ),
    case("conditioned by the sample", _conditioned, PICTURE, first=conv(), condition=dense(2, 6), read=HEAD),
    case("spatial transformer", _warped, PICTURE, warp=dense(32, 6), read=dense(32, 2)),
    case("gated convolution", _gated_rows, PICTURE, first=conv(2, 6), read=HEAD),
    case(
        "shuffled pixels",
        lambda net, x: net.body(x),
        PICTURE,
        body=stack(conv(2, 4, 3), lambda: nn.PixelShuffle(2), nn.Flatten, dense(16, 2)),
    ),
    *(
        case(
            f"{name} norm",
            lambda net, x: net.read(net.body(x).mean((2, 3))),
            PICTURE,
            body=stack(conv(2, 4), norm, nn.Tanh, conv(4, 3, 2)),
            read=HEAD,
        )
        for name, norm in {
            "instance": lambda: nn.InstanceNorm2d(4, affine=True),
            "group": lambda: nn.GroupNorm(2, 4),
            "layer": lambda: nn.LayerNorm((4, 2, 2)),
            "RMS": lambda: nn.RMSNorm((4, 2, 2)),
            "batch": lambda: nn.BatchNorm2d(4),
        }.items()
    ),
    case(
        "batch norm in training",
        lambda net, x: net.read(net.body(x).mean((2, 3))),
        PICTURE,
        train=True,
        expect="refusal",
        body=stack(conv(2, 3), lambda: nn.BatchNorm2d(3)),
        read=HEAD,
    ),
    case("filter in the spectrum", _spectrum, PICTURE, filter=free(4, 3), read=dense(32, 2)),
    case(
        "complex weights",
        _complex,
        POINT,
        expect="either",
        weight=lambda: nn.Parameter(torch.randn(2, 3, dtype=torch.complex128)),
        read=HEAD,
    ),
    case("hypernetwork with one code", _hyper_one, POINT, hyper=dense(3, 6), code=free(3), read=HEAD),
    case(
        "hypernetwork with one code as a batch",
        _hyper_one,
        POINT,
        hyper=dense(3, 6),
        code=free(1, 3),
        read=HEAD,
    ),
    case("hypernetwork by rows", _hyper_rows, POINT, hyper=dense(3, 3), codes=free(2, 3), read=HEAD),
    case("hypernetwork by sample", _hyper_sample, POINT, hyper=dense(2, 6), read=HEAD),
    case(
        "hypernetwork of filters",
        _hyper_filters,
        PICTURE,
        hyper=stack(dense(3, 4), nn.Tanh, dense(4, 24)),
        code=free(1, 3),
        read=HEAD,
    ),
    case("slope as output", _slope, POINT, body=_swish()),
    case("residual of an equation", _residual_of_equation, POINT, body=_swish()),
    case("energy and forces", _forces, POINT, body=_swish()),
    case("Hamiltonian by torch.func", _hamiltonian, POINT, body=_swish()),
    case("slope by forward mode", _forward_mode, POINT, body=_swish()),
    case("slope by differences", _differences, POINT, body=_swish()),
    case("sine layers", _sine, POINT, first=dense(2, 3), second=dense(3, 3), read=HEAD),
    case("hashed grid", _hashed, POINT, grid=lambda: nn.Embedding(9, 3), read=HEAD),
    case("radial functions", _radial, POINT, centres=free(3, 2), widths=free(3), read=HEAD),
    case("equilibrium", _equilibrium, POINT, first=dense(2, 3), second=dense(3, 3), read=HEAD),
    case("flow with time as an input", _flow, POINT, body=stack(dense(3, 4), nn.Tanh, dense(4, 2))),
    case(
        "flow with one time for all",
        _flow_with_one_time,
        POINT,
        body=stack(dense(2, 4), nn.Tanh, dense(4, 2)),
        time=dense(1, 2),
    ),
]
