"""Networks with any inputs and outputs, and what is refused in one line."""

import copy
import random
from collections import OrderedDict
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ntkd_lib.ntk import (
    LandmarkKernel,
    NTKOperator,
    SparseSketch,
    blocked_ntk,
    jvp_features,
    sketched_features,
)
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.probe import check_kernel
from ntkd_lib.ntk.reference import reference_ntk
from tests.ntk.faults import Net, dense

NUMPY, DRAW = np.random.mtrand._rand, "rand"  # the global generator


class Pair(nn.Module):
    """Two inputs, by place or by name."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.dense, self.read = nn.Embedding(5, 4), nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, words: Tensor, x: Tensor) -> Tensor:
        return self.read((self.table(words).sum(1) * self.dense(x)).tanh())


def plain(seed: int = 0) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(seed)
    return dense(4, 5, 3), torch.randn(6, 4)


OUTPUTS = {
    "tuple": (lambda y: (y.sum(), y), 1),
    "tuple of one": (lambda y: (y,), None),
    "list": (lambda y: [y, y + 1], 0),
    "dictionary": (lambda y: {"loss": y.sum(), "scores": y}, "scores"),
    "logits by name": (lambda y: {"loss": y.sum(), "logits": y}, None),
    "attributes": (lambda y: SimpleNamespace(scores=y), "scores"),
    "logits by attribute": (lambda y: SimpleNamespace(logits=y), None),
    "ordered": (lambda y: OrderedDict(hidden=y * 2, logits=y), "logits"),
    "function": (lambda y: {"a": {"b": y}}, lambda out: out["a"]["b"]),
    "steps": (lambda y: y[:, None], None),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_logits_are_picked(name: str) -> None:
    wrap, output = OUTPUTS[name]
    net, x = plain()
    model = Net(lambda s, x: wrap(s.net(x)), net=net)
    for kind in ("full", "trace"):
        torch.testing.assert_close(
            empirical_ntk(model, x, kind=kind, output=output), empirical_ntk(net, x, kind=kind)
        )


def test_inputs_by_place_by_name_and_as_arrays() -> None:
    torch.manual_seed(0)
    model, words, x = Pair(), torch.randint(5, (6, 2)), torch.randn(6, 3)
    left, right = [torch.cat([words[:4], words[4:]]), x], (words[:2], x[:2])
    packed = torch.cat([words.float(), x], dim=1)
    flat = Net(lambda s, z: s.net(z[:, :2].long(), z[:, 2:]), net=model)
    for kind in ("full", "per_class"):
        own, cross = (
            empirical_ntk(flat, packed, kind=kind),
            empirical_ntk(flat, packed, packed[:2], kind=kind),
        )
        for a, b in (
            (tuple(left), right),
            ({"words": words, "x": x}, {"words": words[:2], "x": x[:2]}),
            ({"words": words.numpy(), "x": x.double().numpy()}, {"words": words[:2], "x": x[:2].numpy()}),
        ):
            torch.testing.assert_close(empirical_ntk(model, a, kind=kind, tile=4), own)
            torch.testing.assert_close(empirical_ntk(model, a, b, kind=kind), cross)
    net, x = plain()
    torch.testing.assert_close(empirical_ntk(net, x.double().numpy()), empirical_ntk(net, x))
    torch.testing.assert_close(empirical_ntk(net, x.numpy()[::-1]), empirical_ntk(net, x.flip(0)))


class ByKeyword(nn.Module):
    """Calls functions by the names that torch gives their arguments."""

    def __init__(self, named: bool) -> None:
        super().__init__()
        self.a, self.n, self.l, self.b = nn.Linear(4, 5), nn.BatchNorm1d(5), nn.LayerNorm(5), nn.Linear(5, 3)
        self.p, self.named = nn.PReLU(5), named

    def forward(self, x: Tensor) -> Tensor:
        of, n, y = nn.functional, self.n, self.a(x)
        if not self.named:
            return self.b(self.l(self.p(n(y))))
        y = of.batch_norm(
            input=y, running_mean=n.running_mean, running_var=n.running_var, weight=n.weight, bias=n.bias
        )
        y = of.layer_norm(
            input=of.prelu(input=y, weight=self.p.weight),
            normalized_shape=(5,),
            weight=self.l.weight,
            bias=self.l.bias,
        )
        return of.linear(input=y, weight=self.b.weight, bias=self.b.bias)


@pytest.mark.filterwarnings("ignore::ntkd_lib.ntk.structured.WholeJacobianWarning")
@pytest.mark.parametrize("method", ["structured", "contraction", "products"])
def test_functions_called_by_keywords_are_those_of_layers(method: str) -> None:
    kernels = []
    for named in (False, True):
        torch.manual_seed(0)
        net, x = ByKeyword(named).double().eval(), torch.randn(4, 4).double()
        kernels.append(empirical_ntk(net, x, method=method))
    torch.testing.assert_close(*kernels)


def test_sequences_of_logits_and_single_ones() -> None:
    torch.manual_seed(0)
    net, x = dense(4, 5, 3), torch.randn(5, 2, 4)
    flat = Net(lambda s, x: s.net(x).flatten(1), net=net)
    torch.testing.assert_close(empirical_ntk(net, x), empirical_ntk(flat, x))
    one = Net(lambda s, x: s.net(x)[:, 0], net=dense(4, 5, 1))
    torch.testing.assert_close(empirical_ntk(one, x[:, 0]), empirical_ntk(one.net, x[:, 0]))


@pytest.mark.filterwarnings("ignore::ntkd_lib.ntk.structured.WholeJacobianWarning")
def test_another_precision_keeps_imaginary_parts() -> None:
    def spectral(s: nn.Module, x: Tensor) -> Tensor:
        waves = x if x.is_complex() else torch.fft.rfft(s.a(x))
        return torch.fft.irfft(waves * s.w + s.shift, n=6)

    torch.manual_seed(0)
    low = Net(spectral, a=nn.Linear(6, 6), w=nn.Parameter(torch.randn(4, dtype=torch.complex64)))
    low.register_buffer("shift", torch.randn(4, dtype=torch.complex64))
    high = Net(spectral, a=copy.deepcopy(low.a).double(), w=nn.Parameter(low.w.detach().cdouble()))
    high.register_buffer("shift", low.shift.cdouble())
    for x in (torch.randn(5, 6), torch.randn(5, 4, dtype=torch.complex64)):
        exact = empirical_ntk(high, x.cdouble() if x.is_complex() else x.double())
        torch.testing.assert_close(empirical_ntk(low, x, dtype=torch.float64), exact, rtol=1e-12, atol=1e-12)
    assert low.w.dtype == torch.complex64


class Centred(nn.Module):
    """Changes its input in place before the first layer."""

    def __init__(self) -> None:
        super().__init__()
        self.b = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(x.sub_(0.3).div_(2)).tanh()


WRITERS = {
    "ReLU": lambda: nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 3), nn.Tanh()),
    "leaky ReLU": lambda: nn.Sequential(nn.LeakyReLU(0.5, inplace=True), nn.Linear(4, 3), nn.Tanh()),
    "arithmetic": Centred,
    "picked": lambda: Net(lambda s, x: {"a": s.c(x), "b": x}, c=Centred()),
}


@pytest.mark.filterwarnings("error::ntkd_lib.ntk.probe.SlowKernelWarning")
@pytest.mark.parametrize("name", WRITERS)
def test_inputs_that_a_network_changes_in_place_stay_as_they_are(name: str) -> None:
    torch.manual_seed(0)
    model, x, y = WRITERS[name]().double(), torch.randn(6, 4).double(), torch.randn(5, 4).double()
    before, output = x.clone(), "a" if name == "picked" else None
    inner = model.c if name == "picked" else model
    own, cross = (reference_ntk(Net(lambda s, z: s.c(z.clone()), c=inner), x, z) for z in (None, y))
    for graph, method in product((True, False), ("auto", "structured", "contraction", "products")):
        with torch.set_grad_enabled(graph):
            for tile in (None, 2):
                kernel = empirical_ntk(model, x, method=method, tile=tile, output=output).detach()
                torch.testing.assert_close(kernel, own)
            kernel = empirical_ntk(model, x, y, method=method, output=output).detach()
            torch.testing.assert_close(kernel, cross)
    trace = own.diagonal(dim1=2, dim2=3).sum(-1)
    check_kernel(model if output is None else inner, trace, x)
    if output is None:
        blocks = blocked_ntk(model, x, block=2).compute(scheduler="synchronous")
        torch.testing.assert_close(torch.from_numpy(blocks), trace)
        operator = NTKOperator(model, x, kind="trace")
        torch.testing.assert_close(torch.from_numpy(operator @ np.eye(6)), trace)
        diagonal = LandmarkKernel(model, x).features(x)[1]
        torch.testing.assert_close(diagonal, trace.diagonal())
        features = jvp_features(model, x, 4), sketched_features(model, x, SparseSketch(4), chunk=2)
        again = jvp_features(model, x, 4), sketched_features(model, x, SparseSketch(4), chunk=3)
        torch.testing.assert_close(features, again)
    assert torch.equal(x, before)


@pytest.mark.filterwarnings("ignore::ntkd_lib.ntk.structured.WholeJacobianWarning")
def test_a_transposed_convolution_called_by_keywords() -> None:
    torch.manual_seed(0)
    layer = nn.ConvTranspose2d(1, 2, 3, stride=2)
    model = Net(lambda s, x: s.a(output_size=[12, 12], input=x).tanh().mean((2, 3)), a=layer).double()
    x = torch.randn(4, 1, 5, 5).double()
    torch.testing.assert_close(empirical_ntk(model, x, probe=False).detach(), reference_ntk(model, x))


def by_two_names(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
    return torch.tanh(x @ parameters["a"].T) @ parameters["b"].T


@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("dtype", [None, torch.float64])
def test_a_tensor_of_two_names_is_one_parameter(trained: bool, dtype: torch.dtype | None) -> None:
    torch.manual_seed(0)
    weight, x = torch.randn(4, 4).double().requires_grad_(trained), torch.randn(5, 4).double()
    model = Net(lambda s, z: by_two_names({"a": s.w, "b": s.w}, z), w=nn.Parameter(weight.detach().clone()))
    kernel = empirical_ntk(by_two_names, x, parameters={"a": weight, "b": weight}, dtype=dtype)
    torch.testing.assert_close(kernel.detach(), reference_ntk(model, x))


def test_parameters_that_carry_a_graph_are_converted() -> None:
    torch.manual_seed(0)
    start, x = torch.randn(3, 4, requires_grad=True), torch.randn(5, 4)
    model = Net(lambda s, z: torch.tanh(z @ s.w.T), w=nn.Parameter(2 * start.detach()))
    kernel = empirical_ntk(
        lambda p, z: torch.tanh(z @ p["w"].T), x, parameters={"w": 2 * start}, dtype=torch.float64
    )
    torch.testing.assert_close(kernel.detach(), reference_ntk(model, x))


def test_a_function_of_parameters_and_inputs() -> None:
    net, x = plain()
    values = {name: p.detach() for name, p in net.named_parameters()}

    def function(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(net, parameters, (x,))

    def by_hand(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        hidden = (x @ parameters["0.weight"].T + parameters["0.bias"]).tanh()
        return hidden @ parameters["2.weight"].T + parameters["2.bias"]

    with pytest.warns(UserWarning, match="not known to the structured method"):
        found = empirical_ntk(by_hand, x, method="structured", parameters=values)
    torch.testing.assert_close(found, empirical_ntk(net, x))
    torch.testing.assert_close(
        empirical_ntk(function, x, parameters=values, method="contraction"), empirical_ntk(net, x)
    )
    assert not any(value.requires_grad for value in values.values())
    arrays = {name: value.numpy() for name, value in values.items()}
    torch.testing.assert_close(
        empirical_ntk(function, x, parameters=arrays, method="contraction"), empirical_ntk(net, x)
    )


@pytest.mark.filterwarnings("ignore::ntkd_lib.ntk.structured.WholeJacobianWarning")
@pytest.mark.parametrize("method", ["structured", "contraction", "products"])
def test_frozen_parameters_and_buffers_of_a_function_are_not_trained(method: str) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 3)).eval()
    net[0].requires_grad_(False)
    values, x = dict(net.named_parameters()) | dict(net.named_buffers()), torch.randn(6, 4)

    def function(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(net, parameters, (x,))

    kernel = empirical_ntk(function, x, parameters=values, method=method)
    torch.testing.assert_close(kernel, empirical_ntk(net, x))
    assert not any(value.requires_grad for value in (*net[0].parameters(), *net.buffers()))


REFUSED = {
    "a missing batch axis": (lambda net, x: (net, x[0]), "model: cannot run on a batch of shape"),
    "one number": (lambda net, x: (net, x[0, 0]), "x1: got Tensor without a batch axis, allowed are tensors"),
    "wrong widths": (lambda net, x: (net, x[:, :3]), r"model: cannot run on a batch of shape \(2, 3\)"),
    "wrong types": (lambda net, x: (net, x.long()), r"model: cannot run on a batch of shape \(2, 4\)"),
    "TorchScript": (
        lambda net, x: (torch.jit.trace(net, x), x),
        "model: got TopLevelTracedModule, allowed are an nn.Module",
    ),
    "a function without parameters": (lambda net, x: (lambda p, x: x, x), "model: got function, allowed are"),
    "a network on meta": (lambda net, x: (net.to("meta"), x), r"parameter '0.weight' has no values \(meta\)"),
    "inputs on meta": (lambda net, x: (net, x.to("meta")), "x1: got Tensor on the meta device"),
    "sparse inputs": (
        lambda net, x: (net, x.to_sparse()),
        r"x1: got Tensor of layout torch.sparse_coo, allowed are tensors",
    ),
    "lazy layers": (
        lambda net, x: (nn.Sequential(nn.LazyLinear(3)), x),
        r"parameter '0.weight' has no values \(lazy\)",
    ),
    "text": (lambda net, x: (net, np.array(["a", "b"])), "x1: got ndarray, allowed are tensors"),
    "a list of numbers": (lambda net, x: (net, [1.0, 2.0]), r"x1\[0\]: got float, allowed are tensors"),
    "parts of other lengths": (
        lambda net, x: (Pair(), (torch.zeros(3, 2, dtype=torch.long), x[:2, :3])),
        r"x1: got parts of \[2, 3\] samples",
    ),
    "several outputs": (
        lambda net, x: (Net(lambda s, x: (s.net(x), x), net=net), x),
        "output: got None for a network that gives tuple, allowed are 0, 1",
    ),
    "complex logits": (
        lambda net, x: (Net(lambda s, x: s.net(x) * 1j, net=net), x),
        "got an output of type torch.complex64, needs real logits",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore:`torch.jit.trace:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Lazy modules:UserWarning")
def test_refusals_say_what_came_and_what_is_allowed(name: str) -> None:
    change, text = REFUSED[name]
    model, x = change(*plain())
    with pytest.raises(ValueError, match=text) as refusal:
        empirical_ntk(model, x)
    assert "\n" not in str(refusal.value)


def test_other_structures_and_inference_mode_are_refused() -> None:
    net, x = plain()
    with pytest.raises(ValueError, match=r"x2: got one tensor, needs the structure of x1, (a )?tuple of 0"):
        empirical_ntk(net, (x,), x)
    with pytest.raises(ValueError, match=r"x2\[1\]: got samples of shape \(3,\), x1\[1\] has \(4,\)"):
        empirical_ntk(net, (x, x), (x, x[:, :3]))
    with torch.inference_mode(), pytest.raises(ValueError, match="model: got inference mode"):
        empirical_ntk(net, x)


class Depth(nn.Module):
    """Leaves a block out at random, as stochastic depth does, under no name that is known."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.bernoulli(torch.full((len(x), 1), 0.9)) if self.training else x


@pytest.mark.parametrize(
    "draw",
    [
        Depth(),
        nn.RReLU(),
        Net(lambda s, x: nn.functional.dropout(x, 0.1)),
        Net(lambda s, x: x + 0.1 * torch.randn_like(x)),
        Net(lambda s, x: x * (torch.rand(1) > 0.1)),
        Net(lambda s, x: nn.functional.gumbel_softmax(x)),
        Net(lambda s, x: x[:, torch.randperm(5)]),
        Net(lambda s, x: torch.distributions.Normal(x, 1).rsample()),
        Net(lambda s, x: x * torch.empty(5).uniform_()),
        Net(lambda s, x: nn.functional.dropout1d(x[..., None], 0.1)[..., 0]),
        Net(lambda s, x: x * torch.randint(2, (5,))),
        Net(lambda s, x: x if random.random() > 0.1 else 2 * x),
        Net(lambda s, x: x + random.uniform(0, 0.1)),
        Net(lambda s, x: x * float(getattr(np.random, DRAW)())),
    ],
)
def test_forward_passes_that_draw_are_refused_in_every_draw(draw: nn.Module) -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 5), draw, nn.Linear(5, 3)), torch.randn(6, 4)
    for method in ("auto", "structured", "contraction", "products") * 5:
        state, other = torch.get_rng_state(), NUMPY.get_state()[2]
        with pytest.raises(ValueError, match="its forward pass draws random numbers"):
            empirical_ntk(model, x, method=method)
        assert NUMPY.get_state()[2] == other
        assert torch.equal(state, torch.get_rng_state())


def test_a_large_table_costs_only_its_looked_up_rows() -> None:
    torch.manual_seed(0)
    model = Net(lambda s, x: s.b(s.a(x).tanh().sum(1)), a=nn.Embedding(1_000_000, 5), b=nn.Linear(5, 3))
    words, small = torch.randint(1_000_000, (8, 10)), nn.Embedding(80, 5)
    rows, places = words.unique(return_inverse=True)
    with torch.no_grad():
        small.weight[: len(rows)] = model.a.weight[rows]
    twin = Net(model.run, a=small, b=model.b)
    for kind in ("full", "trace", "per_class", "pseudo"):
        found = empirical_ntk(model, words, kind=kind)
        torch.testing.assert_close(found, empirical_ntk(twin, places, kind=kind))
