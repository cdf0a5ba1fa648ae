"""Every layer of ``torch.nn`` that holds parameters, in several settings."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tests.ntk.sweep.calls import (
    attention_time_first,
    attention_weights,
    bags,
    bilinear,
    causal,
    closed_bags,
    cross_attention,
    elements,
    last_state,
    masked_attention,
    one_step,
    output,
    pair,
    pair_time_first,
    plain_time_first,
    self_attention,
    steps,
    time_first,
    weighted_bags,
)
from tests.ntk.sweep.loop import Case, Expectation

LOGITS = 2
Call = Callable[[nn.Module, Tensor], Tensor]


class Net(nn.Module):
    """A dense layer on the last axis, the layer in question, and dense logits."""

    def __init__(self, layer: nn.Module, call: Call, sample: Tensor) -> None:
        super().__init__()
        size = sample.shape[-1]
        self.first = nn.Linear(size, size) if sample.is_floating_point() else nn.Identity()
        self.layer, self.call = layer, call
        self.read = nn.Linear(self._features(sample).shape[1], LOGITS)

    def forward(self, x: Tensor) -> Tensor:
        return self.read(self._features(x))

    def _features(self, x: Tensor) -> Tensor:
        return self.call(self.layer, self.first(x)).tanh().flatten(1)


@dataclass(frozen=True)
class Setting:
    """Arguments of a layer and the samples that it takes.

    Attributes:
        layer: Makes the layer.
        draw: Draws samples.
        call: Calls the layer.
        train: Whether the network is in training mode.
        expect: As in `Case`.
    """

    layer: Callable[[], nn.Module]
    draw: Callable[[int], Tensor]
    call: Call = lambda layer, x: layer(x)
    train: bool = False
    expect: Expectation = "value"

    def build(self) -> nn.Module:
        """Make the network around the layer."""
        layer = self.layer().eval()
        net = Net(layer, self.call, self.draw(2))
        _settle(net)
        return net.train(self.train)


def _settle(net: nn.Module) -> None:
    """Move normalisations away from their start."""
    for layer in net.modules():
        for name, values in (*layer.named_parameters(recurse=False), *layer.named_buffers(recurse=False)):
            if values.is_floating_point() and values.ndim == 1:
                values.data.uniform_(0.5, 1.5) if "var" in name else values.data.add_(
                    torch.randn_like(values) / 5
                )


def floats(*shape: int) -> Callable[[int], Tensor]:
    """Draw samples of normal numbers."""
    return lambda n: torch.randn(n, *shape)


def tokens(length: int = 3, vocabulary: int = 6) -> Callable[[int], Tensor]:
    """Draw samples of token numbers."""
    return lambda n: torch.randint(vocabulary, (n, length))


def frozen(layer: nn.Module, *names: str) -> nn.Module:
    """Freeze parameters of a layer."""
    for name in names:
        layer.get_parameter(name).requires_grad_(False)
    return layer


def _ready(layer: nn.Module, sample: Tensor) -> nn.Module:
    """Run a lazy layer once, so that its parameters take their shapes."""
    layer(sample)
    return layer


def _convolutions(
    kind: str, channels: tuple[int, ...] = (4, 6), size: int = 3
) -> tuple[type[nn.Module], Callable[[int], Tensor]]:
    return getattr(nn, kind), floats(channels[0], *[size] * int(kind[-2]))


def _convolution(kind: str) -> list[Setting]:
    layer, draw = _convolutions(kind, size=4 if kind != "Conv3d" else 3)
    plain = [{}, {"bias": False, "stride": 2, "padding": 1}, {"groups": 2, "dilation": 2, "padding": "same"}]
    plain += [{"padding": 1, "padding_mode": mode} for mode in ("circular", "reflect", "replicate")]
    settings = [Setting(lambda o=o: layer(4, 2, 2 + ("padding_mode" in o), **o), draw) for o in plain]
    return [*settings, Setting(lambda: frozen(layer(4, 4, 2, groups=4), "weight"), draw)]


def _transposed(kind: str) -> list[Setting]:
    layer, draw = _convolutions(kind)
    options = [
        {},
        {"bias": False, "stride": 2, "padding": 1, "output_padding": 1},
        {"groups": 2, "dilation": 2},
    ]
    settings = [Setting(lambda o=o: layer(4, 2, 2, **o), draw) for o in options]
    larger = Setting(
        lambda: layer(4, 2, 2, stride=2), draw, lambda layer, x: layer(x, output_size=[7] * (x.ndim - 2))
    )
    return [*settings, larger]


def _batch_norm(kind: str, *shapes: tuple[int, ...]) -> list[Setting]:
    layer = getattr(nn, kind)
    settings = [Setting(lambda: layer(3), floats(*shape)) for shape in shapes]
    return [
        *settings,
        Setting(lambda: frozen(layer(3, eps=0.1), "bias"), floats(*shapes[0])),
        Setting(lambda: layer(3), floats(*shapes[0]), train=True, expect="refusal"),
        Setting(
            lambda: layer(3, track_running_stats=False),
            floats(*shapes[-1]),
            expect="either",
        ),
    ]


def _instance_norm(kind: str, *shape: int) -> list[Setting]:
    layer = getattr(nn, kind)
    return [
        Setting(lambda: layer(3, affine=True), floats(3, *shape)),
        Setting(lambda: layer(3, affine=True), floats(3, *shape), train=True),
        Setting(lambda: layer(3, affine=True, track_running_stats=True), floats(3, *shape)),
        Setting(
            lambda: layer(3, affine=True, track_running_stats=True),
            floats(3, *shape),
            train=True,
            expect="either",
        ),
    ]


def _recurrent(kind: str) -> list[Setting]:
    layer, draw = getattr(nn, kind), floats(3, 3)
    more = {"RNN": {"nonlinearity": "relu"}, "LSTM": {"proj_size": 2}, "GRU": {}}[kind]
    return [
        Setting(lambda: layer(3, 4, batch_first=True), draw, output),
        Setting(lambda: layer(3, 4), draw, time_first),
        Setting(lambda: layer(3, 4, 2, bidirectional=True, batch_first=True, **more), draw, output),
        Setting(lambda: layer(3, 3, bias=False, batch_first=True), draw, last_state),
        Setting(lambda: frozen(layer(3, 4, batch_first=True), "weight_hh_l0"), draw, output, train=True),
        Setting(
            lambda: layer(3, 4, 2, dropout=0.5, batch_first=True), draw, output, train=True, expect="refusal"
        ),
    ]


def _cell(kind: str) -> list[Setting]:
    layer = getattr(nn, kind)
    return [
        Setting(lambda: layer(3, 4), floats(3), one_step),
        Setting(lambda: layer(3, 4), floats(3, 3), steps),
        Setting(lambda: layer(3, 2, bias=False), floats(2, 3), steps),
    ]


def _coder(layer: Callable[..., nn.Module], call: Call, time_first: Call) -> list[Setting]:
    draw, small = floats(3, 4), {"d_model": 4, "nhead": 2, "dim_feedforward": 5}
    return [
        Setting(lambda: layer(**small, batch_first=True), draw, call),
        Setting(lambda: layer(**small), draw, time_first),
        Setting(
            lambda: layer(
                **small, batch_first=True, norm_first=True, bias=False, activation="gelu", dropout=0
            ),
            draw,
            call,
            train=True,
        ),
        Setting(lambda: layer(**small, batch_first=True), draw, call, train=True, expect="refusal"),
    ]


def _encoder(**options: object) -> nn.Module:
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(**options), 2, enable_nested_tensor=False)


def _decoder(**options: object) -> nn.Module:
    return nn.TransformerDecoder(nn.TransformerDecoderLayer(**options), 2)


def _transformer(**options: object) -> nn.Module:
    return nn.Transformer(**options, num_encoder_layers=1, num_decoder_layers=1)


# Lazy instance norms follow running means, which training moves.
LAZY_TRAINING = {"BatchNorm": "refusal", "InstanceNorm": "either"}


def _lazy(kind: str, *arguments: object, shape: tuple[int, ...], **options: object) -> list[Setting]:
    layer = getattr(nn, kind)
    return [
        Setting(lambda: _ready(layer(*arguments, **options), torch.randn(2, *shape)), floats(*shape)),
        Setting(
            lambda: _ready(layer(*arguments, **options), torch.randn(2, *shape)),
            floats(*shape),
            train=True,
            expect=LAZY_TRAINING.get(kind[4:-2], "value"),
        ),
    ]


SETTINGS: dict[str, list[Setting]] = {
    "Linear": [
        Setting(lambda: nn.Linear(4, 3), floats(4)),
        Setting(lambda: nn.Linear(4, 3, bias=False), floats(3, 4)),
        Setting(lambda: frozen(nn.Linear(4, 3), "weight"), floats(2, 2, 4)),
        Setting(lambda: frozen(nn.Linear(4, 3), "bias"), floats(3, 4)),
        Setting(lambda: nn.Linear(4, 1), floats(3, 4), lambda layer, x: layer(input=x)),
    ],
    "Bilinear": [
        Setting(lambda: nn.Bilinear(4, 3, 2), floats(4), bilinear),
        Setting(lambda: nn.Bilinear(4, 3, 2, bias=False), floats(3, 4), bilinear),
        Setting(lambda: frozen(nn.Bilinear(4, 3, 2), "weight"), floats(4), bilinear),
    ],
    **{kind: _convolution(kind) for kind in ("Conv1d", "Conv2d", "Conv3d")},
    **{f"ConvTranspose{d}d": _transposed(f"ConvTranspose{d}d") for d in (1, 2, 3)},
    "BatchNorm1d": _batch_norm("BatchNorm1d", (3,), (3, 4)),
    "BatchNorm2d": _batch_norm("BatchNorm2d", (3, 2, 2)),
    "BatchNorm3d": _batch_norm("BatchNorm3d", (3, 1, 2, 2)),
    "SyncBatchNorm": _batch_norm("SyncBatchNorm", (3, 2, 2)),
    "InstanceNorm1d": _instance_norm("InstanceNorm1d", 4),
    "InstanceNorm2d": _instance_norm("InstanceNorm2d", 2, 3),
    "InstanceNorm3d": _instance_norm("InstanceNorm3d", 2, 1, 2),
    "GroupNorm": [
        Setting(lambda: nn.GroupNorm(2, 4), floats(4, 3)),
        Setting(lambda: nn.GroupNorm(4, 4, eps=0.1), floats(4, 2, 2)),
        Setting(lambda: frozen(nn.GroupNorm(1, 4), "weight"), floats(4)),
    ],
    "LayerNorm": [
        Setting(lambda: nn.LayerNorm(4), floats(4)),
        Setting(lambda: nn.LayerNorm((3, 4), eps=0.1), floats(2, 3, 4)),
        Setting(lambda: nn.LayerNorm(4, bias=False), floats(3, 4)),
        Setting(lambda: nn.LayerNorm(4), floats(3, 4), plain_time_first),
    ],
    "RMSNorm": [
        Setting(lambda: nn.RMSNorm(4), floats(4)),
        Setting(lambda: nn.RMSNorm((3, 4), eps=0.1), floats(2, 3, 4)),
        Setting(lambda: nn.RMSNorm(4), floats(3, 4), plain_time_first),
    ],
    "PReLU": [
        Setting(nn.PReLU, floats(4)),
        Setting(lambda: nn.PReLU(4), floats(4)),
        Setting(lambda: nn.PReLU(3, init=-0.5), floats(3, 2, 2)),
        Setting(lambda: nn.PReLU(init=1.5), floats(3, 2)),
    ],
    "Embedding": [
        Setting(lambda: nn.Embedding(6, 3), tokens()),
        Setting(lambda: nn.Embedding(6, 3, padding_idx=2), tokens()),
        Setting(lambda: nn.Embedding(6, 3), tokens(), plain_time_first),
        Setting(lambda: nn.Embedding(6, 3, scale_grad_by_freq=True), tokens()),
        Setting(lambda: nn.Embedding(6, 3, sparse=True), tokens()),
        Setting(lambda: nn.Embedding(6, 3, max_norm=1.0), tokens(), expect="either"),
    ],
    "EmbeddingBag": [
        *(Setting(lambda m=m: nn.EmbeddingBag(6, 3, mode=m), tokens()) for m in ("sum", "mean", "max")),
        Setting(lambda: nn.EmbeddingBag(6, 3, padding_idx=2), tokens()),
        Setting(lambda: nn.EmbeddingBag(6, 3, mode="sum"), tokens(), weighted_bags),
        Setting(lambda: nn.EmbeddingBag(6, 3), tokens(), bags),
        Setting(lambda: nn.EmbeddingBag(6, 3, include_last_offset=True), tokens(), closed_bags),
        Setting(lambda: nn.EmbeddingBag(6, 3, sparse=True), tokens()),
        Setting(lambda: nn.EmbeddingBag(6, 3, scale_grad_by_freq=True), tokens()),
        Setting(lambda: nn.EmbeddingBag(6, 3, max_norm=1.0), tokens(), expect="either"),
    ],
    **{kind: _recurrent(kind) for kind in ("RNN", "LSTM", "GRU")},
    **{kind: _cell(kind) for kind in ("RNNCell", "LSTMCell", "GRUCell")},
    "MultiheadAttention": [
        Setting(lambda: nn.MultiheadAttention(4, 2, batch_first=True), floats(3, 4), self_attention),
        Setting(
            lambda: nn.MultiheadAttention(4, 2, bias=False, batch_first=True),
            floats(3, 4),
            attention_weights,
        ),
        Setting(lambda: nn.MultiheadAttention(4, 2), floats(3, 4), attention_time_first),
        Setting(
            lambda: nn.MultiheadAttention(4, 2, kdim=3, vdim=2, batch_first=True),
            floats(3, 4),
            cross_attention,
        ),
        Setting(
            lambda: nn.MultiheadAttention(4, 1, add_bias_kv=True, add_zero_attn=True, batch_first=True),
            floats(3, 4),
            masked_attention,
        ),
        Setting(
            lambda: nn.MultiheadAttention(4, 2, dropout=0.5, batch_first=True),
            floats(3, 4),
            self_attention,
            train=True,
            expect="refusal",
        ),
    ],
    "TransformerEncoderLayer": _coder(nn.TransformerEncoderLayer, lambda f, x: f(x), plain_time_first),
    "TransformerEncoder": [
        *_coder(_encoder, lambda f, x: f(x), plain_time_first),
        Setting(
            lambda: _encoder(d_model=4, nhead=2, dim_feedforward=5, batch_first=True), floats(3, 4), causal
        ),
    ],
    "TransformerDecoderLayer": _coder(nn.TransformerDecoderLayer, pair, pair_time_first),
    "TransformerDecoder": _coder(_decoder, pair, pair_time_first),
    "Transformer": _coder(_transformer, pair, pair_time_first),
    "AdaptiveLogSoftmaxWithLoss": [
        Setting(lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 6, [2, 4]), floats(4), lambda f, x: f.log_prob(x)),
        Setting(
            lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 6, [3], head_bias=True),
            floats(4),
            lambda f, x: f.log_prob(x),
        ),
        Setting(
            lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 6, [2, 4], div_value=2.0),
            floats(4),
            lambda f, x: f(x, (x[:, 0] > 0).long() * 3)[0][:, None],
        ),
    ],
    "LinearCrossEntropyLoss": [
        Setting(
            lambda: nn.LinearCrossEntropyLoss(4, 3, reduction="none"),
            floats(4),
            lambda f, x: f(x, (x[:, 0] > 0).long())[:, None],
        ),
        Setting(
            lambda: nn.LinearCrossEntropyLoss(4, 3, out_features=(2,), bias=True, reduction="none"),
            floats(4),
            lambda f, x: f(x, (x[:, :2] > 0).long()),
        ),
    ],
    "ParameterList": [
        Setting(lambda: nn.ParameterList([torch.randn(4), torch.randn(4, 3)]), floats(4), elements),
        Setting(lambda: nn.ParameterList([torch.randn(3, 4), torch.randn(4, 2)]), floats(3, 4), elements),
    ],
    "ParameterDict": [
        Setting(
            lambda: nn.ParameterDict({"a": torch.randn(()), "b": torch.randn(4, 3)}), floats(3, 4), elements
        ),
    ],
    "LazyLinear": _lazy("LazyLinear", 3, shape=(4,)),
    "LazyConv1d": _lazy("LazyConv1d", 2, 2, shape=(3, 4)),
    "LazyConv2d": _lazy("LazyConv2d", 2, 2, shape=(3, 3, 3)),
    "LazyConv3d": _lazy("LazyConv3d", 2, 2, shape=(2, 2, 2, 3)),
    "LazyConvTranspose1d": _lazy("LazyConvTranspose1d", 2, 2, shape=(3, 4)),
    "LazyConvTranspose2d": _lazy("LazyConvTranspose2d", 2, 2, shape=(3, 2, 2)),
    "LazyConvTranspose3d": _lazy("LazyConvTranspose3d", 2, 2, shape=(2, 1, 2, 2)),
    "LazyBatchNorm1d": _lazy("LazyBatchNorm1d", shape=(3, 4)),
    "LazyBatchNorm2d": _lazy("LazyBatchNorm2d", shape=(3, 2, 2)),
    "LazyBatchNorm3d": _lazy("LazyBatchNorm3d", shape=(3, 1, 2, 2)),
    "LazyInstanceNorm1d": _lazy("LazyInstanceNorm1d", shape=(3, 4), affine=True),
    "LazyInstanceNorm2d": _lazy("LazyInstanceNorm2d", shape=(3, 2, 2), affine=True),
    "LazyInstanceNorm3d": _lazy("LazyInstanceNorm3d", shape=(3, 1, 2, 2), affine=True),
}
CASES = [
    Case(f"{kind} {i}", setting.build, setting.draw, setting.expect)
    for kind, settings in SETTINGS.items()
    if hasattr(nn, kind)
    for i, setting in enumerate(settings)
]
# Layers that only serve as bases of others, and have no forward pass of their own.
BASES = {"RNNBase", "RNNCellBase"}
