"""Bags, experts, graphs and sets: which rows a layer is given, and networks that mix samples."""

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from tests.ntk.sweep.loop import Case
from tests.ntk.sweep.net import Net, case
from tests.ntk.sweep.sequences import FLAT, FLOATS, IDS, READ, D, T, dense


def _bags(net: Net, ids: Tensor) -> Tensor:
    return net.read(net.bag(ids).tanh())


def _bags_folded(net: Net, ids: Tensor) -> Tensor:
    return net.read(net.bag(ids.flatten(), torch.arange(0, ids.numel(), ids.shape[1])).tanh())


def _one_hot(net: Net, ids: Tensor) -> Tensor:
    return net.read(net.first(one_hot(ids, 6).double()).tanh().mean(1))


def _soft_experts(net: Net, x: Tensor) -> Tensor:
    outputs = torch.stack([expert(x).tanh() for expert in net.experts], dim=1)
    return net.read((net.gate(x).softmax(-1)[..., None] * outputs).sum(1))


def _hard_experts(net: Net, x: Tensor) -> Tensor:
    chance, place = net.gate(x).softmax(-1).max(-1)
    total = torch.zeros(len(x), D)
    for i, expert in enumerate(net.experts):
        rows = (place == i).nonzero().squeeze(-1)
        total = total.index_add(0, rows, expert(x[rows]).tanh() * chance[rows, None])
    return net.read(total)


def _token_experts(net: Net, x: Tensor) -> Tensor:
    flat = x.reshape(-1, D)
    place = net.gate(flat).argmax(-1)
    h = torch.zeros_like(flat)
    for i, expert in enumerate(net.experts):
        h = h.masked_scatter((place == i)[:, None], expert(flat[place == i]).tanh())
    return net.read(h.view(x.shape).mean(1))


def _graph(net: Net, x: Tensor) -> Tensor:
    adjacency = torch.tensor([[0.5, 0.5, 0], [0.3, 0.4, 0.3], [0, 0.5, 0.5]])
    return net.read((adjacency @ net.second((adjacency @ net.first(x)).relu())).mean(1))


def _messages(net: Net, x: Tensor) -> Tensor:
    source, target = torch.tensor([0, 1, 2, 0]), torch.tensor([1, 2, 0, 2])
    messages = net.first(torch.cat([x[:, source], x[:, target]], dim=-1)).tanh()
    return net.read(torch.zeros_like(x).index_add(1, target, messages).tanh().sum(1))


def _graphs_in_one(net: Net, x: Tensor) -> Tensor:
    nodes, owner = x.flatten(0, 1), torch.arange(len(x)).repeat_interleave(T)
    return net.read(torch.zeros(len(x), D).index_add(0, owner, net.first(nodes).tanh()))


def _pairs(net: Net, x: Tensor) -> Tensor:
    left, right = x[:, :, None].expand(-1, -1, T, -1), x[:, None].expand(-1, T, -1, -1)
    return net.read(net.first(torch.cat([left, right], dim=-1)).relu().sum((1, 2)))


def _across_samples(net: Net, x: Tensor) -> Tensor:
    h = net.first(x)
    return net.read((h @ h.T).softmax(-1) @ h)


def _centred_batch(net: Net, x: Tensor) -> Tensor:
    h = net.first(x)
    return net.read((h - h.mean(0)).tanh())


def _shifted_samples(net: Net, x: Tensor) -> Tensor:
    return net.read(net.first(x).tanh() + net.second(x.roll(1, 0)).tanh())


def _experts():
    return nn.ModuleList([nn.Linear(D, D) for _ in range(3)])


CASES: list[Case] = [
    case("bags of tokens", _bags, IDS, bag=lambda: nn.EmbeddingBag(6, D), read=READ),
    case(
        "bags of tokens, folded", _bags_folded, IDS, bag=lambda: nn.EmbeddingBag(6, D, mode="sum"), read=READ
    ),
    case("one-hot tokens", _one_hot, IDS, first=dense(6, D), read=READ),
    case("soft mixture of experts", _soft_experts, FLAT, experts=_experts, gate=dense(D, 3), read=READ),
    case("routed mixture of experts", _hard_experts, FLAT, experts=_experts, gate=dense(D, 3), read=READ),
    case(
        "mixture of experts by token", _token_experts, FLOATS, experts=_experts, gate=dense(D, 3), read=READ
    ),
    case("graph convolution", _graph, FLOATS, first=dense(), second=dense(), read=READ),
    case("messages along edges", _messages, FLOATS, first=dense(2 * D, D), read=READ),
    case("graphs joined into one", _graphs_in_one, FLOATS, first=dense(), read=READ),
    case("relations of pairs", _pairs, FLOATS, first=dense(2 * D, D), read=READ),
    case("attention across samples", _across_samples, FLAT, expect="either", first=dense(), read=READ),
    case("centred batch", _centred_batch, FLAT, expect="either", first=dense(), read=READ),
    case(
        "shifted samples", _shifted_samples, FLAT, expect="either", first=dense(), second=dense(), read=READ
    ),
]
