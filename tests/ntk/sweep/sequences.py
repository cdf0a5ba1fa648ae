"""Text, sequences, graphs and sets: positions, layouts of the batch, attention, recurrence, routing."""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.nn.utils.rnn import pack_padded_sequence

from tests.ntk.sweep.layers import floats, tokens
from tests.ntk.sweep.loop import Case
from tests.ntk.sweep.net import Net, case

T, D = 3, 4
SMALL = {"d_model": D, "nhead": 2, "dim_feedforward": 5}


def dense(inputs: int = D, outputs: int = D, **options: object):
    return lambda: nn.Linear(inputs, outputs, **options)


def table(rows: int = 6, **options: object):
    return lambda: nn.Embedding(rows, D, **options)


def free(*shape: int):
    return lambda: nn.Parameter(torch.randn(shape))


def encoder_layer(**options: object):
    return lambda: nn.TransformerEncoderLayer(**SMALL, dropout=0, **options)


READ = dense(D, 2)


def _positions_looked_up_once(net: Net, ids: Tensor) -> Tensor:
    h = net.word(ids) + net.place(torch.arange(ids.shape[1])[None])
    return net.read(net.norm(h).tanh().mean(1))


def _positions_without_batch(net: Net, ids: Tensor) -> Tensor:
    return net.read((net.word(ids) + net.place(torch.arange(ids.shape[1]))).tanh().mean(1))


def _positions_expanded(net: Net, ids: Tensor) -> Tensor:
    places = torch.arange(ids.shape[1]).expand(len(ids), -1)
    return net.read((net.word(ids) * net.place(places)).tanh().mean(1))


def _positions_through_dense(net: Net, x: Tensor) -> Tensor:
    grid = torch.linspace(0, 1, x.shape[1])[:, None]
    return net.read((net.first(x) + net.place(grid)).tanh().mean(1))


def _segments(net: Net, ids: Tensor) -> Tensor:
    h = net.word(ids) + net.place(torch.arange(ids.shape[1])[None]) + net.segment(torch.zeros_like(ids))
    return net.read(net.body(net.norm(h))[:, 0])


def _relative_positions(net: Net, x: Tensor) -> Tensor:
    place = torch.arange(x.shape[1])
    bias = net.place(place[:, None] - place[None] + x.shape[1]).squeeze(-1)
    weights = (net.query(x) @ net.key(x).mT + bias).softmax(-1)
    return net.read((weights @ net.value(x)).mean(1))


def _class_token(net: Net, x: Tensor) -> Tensor:
    h = torch.cat([net.token.expand(len(x), 1, -1), net.first(x)], dim=1) + net.places
    return net.read(net.body(h)[:, 0])


def _class_token_looked_up(net: Net, x: Tensor) -> Tensor:
    token = net.tokens(torch.zeros(1, 1, dtype=torch.long)).expand(len(x), -1, -1)
    return net.read(net.body(torch.cat([token, net.first(x)], dim=1))[:, 0])


def _sequence_first_dense(net: Net, x: Tensor) -> Tensor:
    return net.read(net.second(net.first(x.transpose(0, 1)).tanh()).tanh().mean(0))


def _sequence_first_encoder(net: Net, x: Tensor) -> Tensor:
    return net.read(net.body(net.first(x).transpose(0, 1)).mean(0))


def _sequence_first_recurrent(net: Net, x: Tensor) -> Tensor:
    return net.read(net.body(x.transpose(0, 1))[0][-1])


def _sequence_first_embedding(net: Net, ids: Tensor) -> Tensor:
    return net.read(net.first(net.word(ids.T)).tanh().sum(0))


def _batch_last(net: Net, x: Tensor) -> Tensor:
    return net.read(net.first(x.permute(1, 2, 0).transpose(1, 2)).tanh().permute(1, 0, 2).mean(1))


def _folded_tokens(net: Net, x: Tensor) -> Tensor:
    return net.read(net.first(x.reshape(-1, D)).tanh().view(len(x), -1, D).mean(1))


def _folded_logits(net: Net, x: Tensor) -> Tensor:
    return net.read(net.first(x).tanh().flatten(0, 1)).view(len(x), -1, 2).mean(1)


def _folded_heads(net: Net, x: Tensor) -> Tensor:
    heads = net.first(x).view(len(x), T, 2, 2).transpose(1, 2).flatten(0, 1)
    return net.read(net.mix(heads).tanh().view(len(x), -1))


def _folded_time_first(net: Net, x: Tensor) -> Tensor:
    h = net.first(x.transpose(0, 1).flatten(0, 1)).tanh()
    return net.read(h.view(T, len(x), D).mean(0))


def _mixer(net: Net, x: Tensor) -> Tensor:
    x = x + net.across(net.norm(x).mT).mT
    return net.read((x + net.within(x).tanh()).mean(1))


def _siamese(net: Net, x: Tensor) -> Tensor:
    return net.read((net.body(x[:, 0]) - net.body(x[:, 1])).abs())


def _siamese_joined(net: Net, x: Tensor) -> Tensor:
    left, right = net.body(torch.cat([x[:, 0], x[:, 1]])).chunk(2)
    return net.read(left * right)


def _triplet(net: Net, x: Tensor) -> Tensor:
    anchor, near, far = net.body(torch.stack([x[:, 0], x[:, 1], x[:, 2]]))
    return torch.stack([(anchor - near).square().sum(1), (anchor - far).square().sum(1)], dim=1)


def _loop_over_rows(net: Net, x: Tensor) -> Tensor:
    return torch.stack([net.read(net.first(row).tanh().mean(0)) for row in x])


def _loop_over_samples(net: Net, x: Tensor) -> Tensor:
    return torch.cat([net.read(net.first(row[None]).tanh().mean(1)) for row in x])


def _loop_over_time(net: Net, x: Tensor) -> Tensor:
    state = torch.zeros(len(x), D)
    for step in x.unbind(1):
        state = (net.first(step) + net.second(state)).tanh()
    return net.read(state)


def _half_a_loop(net: Net, x: Tensor) -> Tensor:
    return net.read(torch.stack([net.first(row).mean(0) for row in x]).tanh())


def _learned_state(net: Net, x: Tensor) -> Tensor:
    return net.read(net.body(x, net.state.expand(-1, len(x), -1).contiguous())[0][:, -1])


def _packed(net: Net, x: Tensor) -> Tensor:
    lengths = 1 + (x[:, 0, 0] > 0).long()
    return net.read(net.body(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))[1][0])


def _cells(net: Net, x: Tensor) -> Tensor:
    state = None
    for step in x.unbind(1):
        state = net.body(step, state)
    return net.read(state[0])


def _encoder_decoder(net: Net, ids: Tensor) -> Tensor:
    memory = net.encoder(net.word(ids))
    return net.read(net.decoder(net.word(ids.flip(1)[:, :2]), memory)[:, -1])


def _decoder_only(net: Net, ids: Tensor) -> Tensor:
    h = net.word(ids) + net.place(torch.arange(ids.shape[1]))
    q, k, v = net.qkv(net.norm(h)).chunk(3, dim=-1)
    h = h + net.out(scaled_dot_product_attention(q, k, v, is_causal=True))
    return net.head(net.final(h))[:, -1, :2]


def _latents(net: Net, x: Tensor) -> Tensor:
    query = net.latents.expand(len(x), -1, -1)
    return net.read(net.attention(query, x, x, need_weights=False)[0].flatten(1))


def _queries_through_dense(net: Net, x: Tensor) -> Tensor:
    weights = (net.query(net.latents) @ net.key(x).mT).softmax(-1)
    return net.read((weights @ x).flatten(1))


IDS, FLOATS, FLAT = tokens(T), floats(T, D), floats(D)
CASES: list[Case] = [
    case(
        "positions looked up once",
        _positions_looked_up_once,
        IDS,
        word=table(),
        place=table(T),
        norm=lambda: nn.LayerNorm(D),
        read=READ,
    ),
    case(
        "positions looked up once, as long as the batch",
        _positions_looked_up_once,
        tokens(4),
        word=table(),
        place=table(4),
        norm=lambda: nn.LayerNorm(D),
        read=READ,
    ),
    case(
        "positions looked up without a batch axis",
        _positions_without_batch,
        IDS,
        word=table(),
        place=table(T),
        read=READ,
    ),
    case("positions expanded", _positions_expanded, IDS, word=table(), place=table(T), read=READ),
    case(
        "positions through a dense layer",
        _positions_through_dense,
        FLOATS,
        first=dense(),
        place=dense(1, D),
        read=READ,
    ),
    case(
        "positions and segments",
        _segments,
        IDS,
        word=table(padding_idx=0),
        place=table(T),
        segment=table(2),
        norm=lambda: nn.LayerNorm(D),
        body=encoder_layer(batch_first=True),
        read=READ,
    ),
    case(
        "relative positions",
        _relative_positions,
        FLOATS,
        place=lambda: nn.Embedding(2 * T, 1),
        query=dense(),
        key=dense(),
        value=dense(),
        read=READ,
    ),
    case(
        "class token",
        _class_token,
        FLOATS,
        token=free(1, 1, D),
        places=free(1, T + 1, D),
        first=dense(),
        body=encoder_layer(batch_first=True),
        read=READ,
    ),
    case(
        "class token looked up once",
        _class_token_looked_up,
        FLOATS,
        tokens=table(1),
        first=dense(),
        body=encoder_layer(batch_first=True),
        read=READ,
    ),
    case("sequence first, dense", _sequence_first_dense, FLOATS, first=dense(), second=dense(), read=READ),
    case(
        "sequence first, as long as the batch",
        _sequence_first_dense,
        floats(20, D),
        first=dense(),
        second=dense(),
        read=READ,
    ),
    case(
        "sequence first, encoder",
        _sequence_first_encoder,
        FLOATS,
        first=dense(),
        body=encoder_layer(),
        read=READ,
    ),
    case("sequence first, LSTM", _sequence_first_recurrent, FLOATS, body=lambda: nn.LSTM(D, D), read=READ),
    case("sequence first, embedding", _sequence_first_embedding, IDS, word=table(), first=dense(), read=READ),
    case("batch on the middle axis", _batch_last, floats(T, 2), first=dense(2, 5), read=dense(5, 2)),
    case("folded tokens", _folded_tokens, FLOATS, first=dense(), read=READ),
    case("folded logits", _folded_logits, FLOATS, first=dense(), read=READ),
    case("folded heads", _folded_heads, FLOATS, first=dense(), mix=dense(2, 2), read=dense(D * T, 2)),
    case("folded with time first", _folded_time_first, FLOATS, first=dense(), read=READ),
    case(
        "mixer", _mixer, FLOATS, norm=lambda: nn.LayerNorm(D), across=dense(T, T), within=dense(), read=READ
    ),
    case("siamese", _siamese, FLOATS, body=lambda: nn.Sequential(nn.Linear(D, D), nn.Tanh()), read=READ),
    case(
        "siamese, joined on the batch axis",
        _siamese_joined,
        FLOATS,
        body=lambda: nn.Sequential(nn.Linear(D, D), nn.Tanh()),
        read=READ,
    ),
    case(
        "triplet, stacked before the batch axis",
        _triplet,
        FLOATS,
        body=lambda: nn.Sequential(nn.Linear(D, D), nn.Tanh()),
    ),
    case("loop over rows", _loop_over_rows, FLOATS, first=dense(), read=READ),
    case("loop over samples", _loop_over_samples, FLOATS, first=dense(), read=READ),
    case("loop over rows, then a batch", _half_a_loop, FLOATS, first=dense(), read=READ),
    case("loop over time", _loop_over_time, FLOATS, first=dense(), second=dense(bias=False), read=READ),
    case(
        "GRU with a learned state",
        _learned_state,
        FLOATS,
        body=lambda: nn.GRU(D, D, batch_first=True),
        state=free(1, 1, D),
        read=READ,
    ),
    case("GRU of packed sequences", _packed, FLOATS, body=lambda: nn.GRU(D, D, batch_first=True), read=READ),
    case("LSTM cells", _cells, FLOATS, body=lambda: nn.LSTMCell(D, D), read=READ),
    case(
        "encoder and decoder",
        _encoder_decoder,
        IDS,
        word=table(),
        encoder=encoder_layer(batch_first=True),
        decoder=lambda: nn.TransformerDecoderLayer(**SMALL, dropout=0, batch_first=True),
        read=READ,
    ),
    case(
        "decoder only",
        _decoder_only,
        IDS,
        word=table(),
        place=table(T),
        norm=lambda: nn.LayerNorm(D),
        qkv=dense(D, 3 * D),
        out=dense(),
        final=lambda: nn.LayerNorm(D),
        head=dense(D, 6, bias=False),
    ),
    case(
        "latent queries",
        _latents,
        FLOATS,
        latents=free(2, D),
        attention=lambda: nn.MultiheadAttention(D, 2, batch_first=True),
        read=dense(2 * D, 2),
    ),
    case(
        "latent queries through a dense layer",
        _queries_through_dense,
        FLOATS,
        latents=free(2, D),
        query=dense(),
        key=dense(),
        read=dense(2 * D, 2),
    ),
]
