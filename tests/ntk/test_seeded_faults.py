"""One-line faults in the kernel's code: the probe alone notices each of them in every draw."""

import inspect
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

import pytest
import torch
from torch import Tensor, nn

from ntkd_lib.ntk import traces
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.probe import SlowKernelWarning
from tests.ntk.faults import Net, dense, real, words

DRAWS = 20


def convolutions() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(2, 3, 2, padding_mode="circular", padding=1),
        nn.Tanh(),
        nn.Conv2d(3, 4, 3),
        nn.Flatten(),
        nn.Linear(36, 3),
    )


def lookup() -> nn.Module:
    return Net(
        lambda s, x: s.b(s.n(s.a(x)).tanh().mean(1)),
        a=nn.Embedding(5, 4, padding_idx=1),
        n=nn.LayerNorm(4),
        b=nn.Linear(4, 3),
    )


def sequence() -> nn.Module:
    return Net(lambda s, x: s.b(s.a(x).tanh()).mean(1), a=nn.Linear(32, 32), b=nn.Linear(32, 3))


def frames() -> nn.Module:
    return Net(
        lambda s, x: s.b(s.a(x.flatten(0, 1)).tanh().flatten(1)).view(len(x), -1, 3).mean(1),
        a=nn.Conv1d(2, 3, 2),
        b=nn.Linear(9, 3),
    )


def attention() -> nn.Module:
    return Net(
        lambda s, x: s.b(s.a(x, x.sin(), x.cos(), need_weights=False)[0].tanh()).mean(1),
        a=nn.MultiheadAttention(4, 2, batch_first=True),
        b=nn.Linear(4, 3),
    )


def filters() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 64, 3), nn.Tanh(), nn.Conv2d(64, 2, 3), nn.Flatten(), nn.Linear(128, 3))


def running() -> nn.Module:
    net = nn.Sequential(nn.Conv1d(2, 3, 2), nn.BatchNorm1d(3), nn.Tanh(), nn.Flatten(), nn.Linear(9, 3))
    nn.init.uniform_(net[1].running_var)
    nn.init.normal_(net[1].weight)
    return net.eval()


def doubled() -> nn.Module:
    net = nn.Sequential(nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 3))
    net[0].register_forward_hook(lambda layer, args, out: 2 * out)
    return net


# function, line, fault, network, inputs, kind
FAULTS = {
    "dropped bias": (
        "factors:OnePosition.pair",
        "gram = gram + 1",
        "gram = gram + 0",
        lambda: dense(4, 5, 3),
        real(4),
        "full",
    ),
    "Gram matrix of one side": (
        "factors:OnePosition.pair",
        "self.inputs @ other.inputs.T",
        "self.inputs @ self.inputs.T",
        lambda: dense(4, 5, 3),
        real(4),
        "trace",
    ),
    "trace over the wrong axis": (
        "kinds:contract",
        "long_product(left.flatten(1), right.flatten(1))",
        "long_product(left[:, 0], right[:, 0])",
        lambda: dense(4, 5, 3),
        real(4),
        "trace",
    ),
    "classes not swapped below the diagonal": (
        "kinds:mirrored",
        "block.permute(2, 3, 0, 1)",
        "block.permute(2, 1, 0, 3)",
        lambda: dense(4, 6, 6, 6, 3, act=nn.ELU),
        real(4),
        "full",
    ),
    "dropped bias at positions": (
        "factors:Positions._gram",
        "gram + 1 if left.bias",
        "gram + 0 if left.bias",
        sequence,
        real(2, 32),
        "trace",
    ),
    "bias not counted with its weight": (
        "traces:group_uses",
        "uses, bias)",
        "uses, None)",
        sequence,
        real(2, 32),
        "per_class",
    ),
    "unnormalised input of a norm": (
        "layers.rows:norm_gradients",
        "_normalised(layer, inputs)[:, None]",
        "inputs[:, None]",
        lookup,
        words(6, 5),
        "trace",
    ),
    "padding turned around": (
        "layers.rows:lookup_signals",
        "places != layer.padding_idx",
        "places == layer.padding_idx",
        lookup,
        words(6, 5),
        "full",
    ),
    "patches of one place": (
        "layers.outer:_windows",
        "slice(a, a + n, s)",
        "slice(0, n, s)",
        convolutions,
        real(2, 4, 4),
        "pseudo",
    ),
    "rows of other samples": (
        "traces:_together",
        "values.unflatten(0, (-1, rows))",
        "values.unflatten(0, (rows, -1)).transpose(0, 1)",
        frames,
        real(3, 2, 4),
        "trace",
    ),
    "hook that comes last": ("recording:_hooks", "prepend=True", "prepend=False", doubled, real(4), "trace"),
    "rows of another projection": (
        "recording:_part",
        "value.storage_offset() - base.storage_offset()",
        "0 * value.storage_offset()",
        attention,
        real(5, 4),
        "trace",
    ),
    "bias of another projection": (
        "traces:_shared_bias",
        "biases[0] if",
        "biases[0] if uses[0].parts['weight'].span[0] else next(iter(members.values()))[0][1] if",
        attention,
        real(5, 4),
        "full",
    ),
    "bias of one position": (
        "layers.outer:OuterProducts.with_bias",
        "self.inputs.shape[3])",
        "self.inputs.shape[3]).cumsum(3).eq(1).to(self.inputs)",
        filters,
        real(1, 12, 12),
        "trace",
    ),
    "classes of the other way round": (
        "layers.outer:OuterProducts.gradients",
        "torch.bmm(b[:, 0],",
        "torch.bmm(b.flip(0)[:, 0],",
        filters,
        real(1, 12, 12),
        "full",
    ),
    "mean of three": (
        "assembly:streamed_kernel",
        "/ 2 if a == b",
        "/ 3 if a == b",
        lambda: dense(4, 5, 3),
        real(4),
        "trace",
    ),
    "signals of other classes": (
        "signals:_Physical.vmap",
        "movedim(dims[0], 0)",
        "movedim(dims[0], 0).roll(1, 0)",
        lambda: dense(4, 6, 5, 3),
        real(4),
        "full",
    ),
    "scale of a batch norm": (
        "functional:_batch_norm",
        "input * scale.view(shape)",
        "input * scale.view(shape).detach().square()",
        running,
        real(2, 4),
        "trace",
    ),
    "slope of the wrong half": (
        "layers.rows:slope_gradients",
        "inputs.clamp_max(0)",
        "inputs.clamp_min(0)",
        lambda: dense(4, 5, 3, act=nn.PReLU),
        real(4),
        "trace",
    ),
    "signals of the first class": (
        "signals:_backward",
        "torch.eye(logits.shape[1])",
        "torch.ones(2 * [logits.shape[1]]).tril()",
        lambda: dense(4, 5, 3),
        real(4),
        "trace",
    ),
}


# In code that runs without gradients alone.
STREAMED = {"classes of the other way round", "mean of three", "signals of other classes"}


@contextmanager
def seeded(place: str, line: str, fault: str) -> Iterator[None]:
    """Exchange the code of a function for one with another line."""
    module, _, path = place.partition(":")
    target = import_module(f"ntkd_lib.ntk.{module}")
    for name in path.split("."):
        target = getattr(target, name)
    function = inspect.unwrap(target)
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(line) == 1
    made: dict[str, object] = {}
    exec(compile(source.replace(line, fault), place, "exec"), {**function.__globals__}, made)
    (changed,) = made.values()
    before = function.__code__
    function.__code__ = inspect.unwrap(getattr(changed, "__func__", changed)).__code__
    try:
        yield
    finally:
        function.__code__ = before


def kernel(
    model: nn.Module, x: Tensor, kind: str, *, probe: bool, graph: bool = False
) -> tuple[Tensor | None, bool]:
    """Compute a kernel, or None where the loop is refused as well, and say whether the probe was alarmed."""
    with warnings.catch_warnings(record=True) as seen, torch.set_grad_enabled(graph):
        warnings.simplefilter("always")
        try:
            found = empirical_ntk(model, x, kind=kind, method="structured", probe=probe).detach()
        except ValueError:
            return None, True
    return found, any(issubclass(w.category, SlowKernelWarning) for w in seen)


@pytest.mark.parametrize("name", FAULTS)
def test_every_draw_notices_a_seeded_fault(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place, line, fault, build, draw, kind = FAULTS[name]
    if name in STREAMED:
        monkeypatch.setattr(traces, "AT_ONCE", 0)
    torch.manual_seed(0)
    model, x = build(), draw(32)
    exact, warned = kernel(model, x, kind, probe=True)
    assert not warned
    with seeded(place, line, fault):
        wrong, warned = kernel(model, x, kind, probe=False)
        assert not warned
        assert (wrong - exact).norm() > 1e-3 * exact.norm()
        drawn = [
            kernel(model, x, kind, probe=True, graph=draw % 2 > 0 and name not in STREAMED)
            for draw in range(DRAWS)
        ]
    assert sum(warned for _, warned in drawn) == DRAWS
    assert all(found is None or (found - exact).norm() <= 1e-4 * exact.norm() for found, _ in drawn)
