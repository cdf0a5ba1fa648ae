"""The empirical kernel against its slow twin, closed forms and invariants."""

import inspect
import math
import warnings
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ntkd_lib.nets.two_convolutions import lenet
from ntkd_lib.ntk.blocked import blocked_ntk
from ntkd_lib.ntk.checks import check_request
from ntkd_lib.ntk.choice import choose_tile
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.estimators import sign_gram
from ntkd_lib.ntk.kinds import KINDS
from ntkd_lib.ntk.landmarks import LandmarkKernel
from ntkd_lib.ntk.layout import make_plan
from ntkd_lib.ntk.network import as_network
from ntkd_lib.ntk.operator import NTKOperator
from ntkd_lib.ntk.probe import Probe
from ntkd_lib.ntk.reference import reference_ntk
from ntkd_lib.ntk.sketches.jvp_features import jvp_features
from ntkd_lib.ntk.sketches.sparse import SparseSketch
from ntkd_lib.ntk.sketches.stream import sketched_features
from ntkd_lib.ntk.structured import WholeJacobianWarning
from ntkd_lib.optics.student import cifar_student
from tests.ntk.faults import Net
from tests.ntk.nets import CASES, LARGE, WHOLE, TiedEmbedding, build, convolutions, dense_net

METHODS = ("structured", "contraction", "products")


@pytest.fixture(params=["dense", "lenet", "convolutions"])
def case(request: pytest.FixtureRequest) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    return build(request.param)


def kernel_of(name: str, *args: object, **settings: object) -> torch.Tensor:
    """Compute a kernel where only networks in WHOLE may need whole Jacobians."""
    with warnings.catch_warnings():
        if name in WHOLE:
            warnings.simplefilter("ignore", WholeJacobianWarning)
        return empirical_ntk(*args, **settings).detach()


def expected(full: torch.Tensor, kind: str) -> torch.Tensor:
    if kind == "full":
        return full
    if kind == "pseudo":
        return full.sum((2, 3))
    diagonal = full.diagonal(dim1=2, dim2=3)
    return diagonal.sum(2) if kind == "trace" else diagonal.permute(2, 0, 1)


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_slow_twin(name: str) -> None:
    model, x1, x2 = build(name, n=2 if name in LARGE else 3)
    for other in (None,) if name in LARGE else (None, x2):
        full = reference_ntk(model, x1, other)
        for kind, method in product(KINDS, METHODS):
            if name in LARGE and kind != "full" and method != "structured":
                continue
            exact = expected(full, kind)
            for dtype, tolerance in ((torch.float64, 1e-12), (None, 1e-5)):
                found = kernel_of(name, model, x1, other, kind=kind, method=method, dtype=dtype)
                assert (found.double() - exact).norm() <= tolerance * exact.norm(), (kind, method, dtype)


@pytest.mark.parametrize("tile", [1, 2, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_tiles_change_nothing(kind: str, tile: int) -> None:
    torch.manual_seed(1)
    model, x1, x2 = dense_net().double(), torch.randn(5, 6).double(), torch.randn(3, 6).double()
    for other in (None, x2):
        whole = empirical_ntk(model, x1, other, kind=kind)
        torch.testing.assert_close(empirical_ntk(model, x1, other, kind=kind, tile=tile), whole)


@pytest.mark.parametrize("method", METHODS)
def test_own_kernel_is_symmetric_and_positive(case: tuple, method: str) -> None:
    model, x, _ = case
    kernel = empirical_ntk(model, x, kind="trace", method=method, dtype=torch.float64).detach()
    assert torch.equal(kernel, kernel.T)
    assert torch.linalg.eigvalsh(kernel).min() >= -1e-10 * kernel.trace()


@pytest.mark.parametrize("method", METHODS)
def test_gradient_by_finite_differences(method: str) -> None:
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    x = torch.randn(3, 3).double()

    def loss() -> torch.Tensor:
        return empirical_ntk(model, x, kind="trace", method=method).square().sum()

    (slope,) = torch.autograd.grad(loss(), model[0].weight)
    for place in ((0, 0), (3, 1)):
        step = torch.zeros_like(model[0].weight)
        step[place] = 1e-6
        with torch.no_grad():
            model[0].weight += step
        up = loss().item()
        with torch.no_grad():
            model[0].weight -= 2 * step
        down = loss().item()
        with torch.no_grad():
            model[0].weight += step
        assert (up - down) / 2e-6 == pytest.approx(slope[place].item(), rel=1e-5)


def test_frozen_parameters_do_not_count() -> None:
    torch.manual_seed(3)
    model, x = dense_net(), torch.randn(4, 6)
    model[0].weight.requires_grad_(False)
    model[4].requires_grad_(False)
    exact = reference_ntk(model, x)
    for method in METHODS:
        found = empirical_ntk(model, x, method=method, dtype=torch.float64).detach()
        torch.testing.assert_close(found, exact)


@given(st.integers(0, 2**31 - 1), st.integers(2, 6))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_permuting_inputs_permutes_the_kernel(seed: int, n: int) -> None:
    torch.manual_seed(seed)
    model, x, order = dense_net().double(), torch.randn(n, 6).double(), torch.randperm(n)
    kernel = empirical_ntk(model, x, kind="trace")
    torch.testing.assert_close(empirical_ntk(model, x[order], kind="trace"), kernel[order][:, order])


@given(st.floats(0.1, 10))
@settings(max_examples=10, deadline=None, derandomize=True)
def test_scaling_the_output_scales_the_kernel_by_its_square(factor: float) -> None:
    class Scaled(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return factor * self.inner(x)

    torch.manual_seed(4)
    model, x = dense_net().double(), torch.randn(3, 6).double()
    torch.testing.assert_close(empirical_ntk(Scaled(model), x), factor**2 * empirical_ntk(model, x))


def test_additive_over_disjoint_parameters() -> None:
    torch.manual_seed(5)
    model, x = dense_net().double(), torch.randn(4, 6).double()
    whole = empirical_ntk(model, x, kind="trace").detach()
    parts = torch.zeros_like(whole)
    for chosen in model.parameters():
        for parameter in model.parameters():
            parameter.requires_grad_(parameter is chosen)
        parts += empirical_ntk(model, x, kind="trace").detach()
    torch.testing.assert_close(parts, whole)


def test_linear_model_gives_the_gram_matrix() -> None:
    x = torch.randn(5, 7).double()
    model = nn.Linear(7, 1, bias=False).double()
    torch.testing.assert_close(empirical_ntk(model, x, kind="trace").detach(), x @ x.T)


@pytest.mark.parametrize(
    "change, text",
    [
        ({"method": "fast"}, "method: got 'fast', allowed are auto, contraction, products, structured"),
        ({"tile": "all"}, "tile: got 'all', allowed are a number of samples, 'auto' and None"),
        ({"memory": 0}, "memory: got 0, needs at least 1 byte"),
        ({"tile": 0}, "tile: got 0, needs at least 1 sample"),
        ({"x1": torch.zeros(0, 6)}, "inputs: got an empty batch, needs at least one sample"),
        ({"x2": torch.zeros(2, 5)}, r"x2: got samples of shape \(5,\), x1 has \(6,\)"),
    ],
)
def test_refusals_name_what_came(change: dict, text: str) -> None:
    arguments = {"model": dense_net(), "x1": torch.zeros(2, 6)} | change
    with pytest.raises(ValueError, match=text):
        empirical_ntk(**arguments)


@pytest.mark.parametrize(
    "change, text",
    [
        ({"tile": 2.0}, "tile: got 2.0, allowed are a number of samples, 'auto' and None"),
        ({"memory": "1 GiB"}, "memory: got '1 GiB', needs at least 1 byte, and a finite number"),
        ({"memory": math.inf}, "memory: got inf, needs at least 1 byte, and a finite number"),
        ({"memory": math.nan}, "memory: got nan, needs at least 1 byte, and a finite number"),
    ],
)
def test_numbers_of_other_types_are_refused(change: dict, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}$"):
        inspect.unwrap(empirical_ntk)(dense_net(), torch.zeros(2, 6), **change)  # past the tests' types


def test_types_that_no_kernel_has_are_refused() -> None:
    for dtype, shown in (("float64", "'float64'"), (torch.int64, "torch.int64")):
        with pytest.raises(
            ValueError, match=f"dtype: got {shown}, allowed are torch's types of real numbers"
        ):
            inspect.unwrap(as_network)(dense_net(), torch.zeros(2, 6), None, dtype=dtype)


def test_numbers_of_numpy_are_numbers() -> None:
    model, x = dense_net().double(), torch.randn(5, 6).double()
    kernel = empirical_ntk(model, x, kind="trace")
    torch.testing.assert_close(empirical_ntk(model, x, kind="trace", tile=np.int64(2)), kernel)
    torch.testing.assert_close(empirical_ntk(model, x, kind="trace", tile="auto", memory=1e9), kernel)
    with pytest.raises(ValueError, match="tile: got 0, needs at least 1 sample"):
        empirical_ntk(model, x, tile=np.int64(0))


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="kind: got 'fulll', allowed are full, trace, per_class, pseudo"):
        check_request(torch.zeros(2, 6), None, "fulll", "auto", None, 1)


def test_layers_that_mix_samples_are_refused_by_name() -> None:
    norm = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4))
    with pytest.raises(ValueError, match="layer '1': BatchNorm1d in training mode mixes samples"):
        empirical_ntk(norm, torch.zeros(2, 6))
    with pytest.raises(ValueError, match="layer '1': dropout in training mode is random"):
        empirical_ntk(nn.Sequential(nn.Linear(6, 4), nn.Dropout()), torch.zeros(2, 6))
    with pytest.raises(ValueError, match="model: got no trainable parameter"):
        empirical_ntk(nn.Flatten(), torch.zeros(2, 6))


def test_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="model: the inputs are not finite, so no tangent kernel exists"):
        empirical_ntk(dense_net(), torch.full((2, 6), torch.nan), method="structured")
    broken = dense_net()
    with torch.no_grad():
        next(broken.parameters()).fill_(torch.inf)
    with pytest.raises(ValueError, match="model: the inputs are finite, the logits are not finite"):
        empirical_ntk(broken, torch.ones(2, 6), method="structured")


class Length(nn.Module):
    """The length of a vector, whose slope at zero is not finite."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 4, bias=False), nn.Linear(1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x).square().sum(-1, keepdim=True).sqrt())


@pytest.mark.parametrize("method", ["auto", *METHODS])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_that_are_not_finite_are_refused_by_sample(kind: str, method: str) -> None:
    torch.manual_seed(0)
    model, x, y = Length(), torch.randn(5, 3), torch.randn(2, 3)
    x[3] = 0
    text = "model: the gradient of sample 3{} is not finite, so it has no tangent kernel$"
    for options in ({}, {"probe": False}, {"tile": 2}):
        settings = {"kind": kind, "method": method, **options}
        for samples, place in (((x,), ""), ((x, y), ""), ((y, x), " of x2")):
            with pytest.raises(ValueError, match=text.format(place)):
                empirical_ntk(model, *samples, **settings)
    with pytest.raises(ValueError, match=text.format("")):
        LandmarkKernel(model, x)


def features_of(model: nn.Module, x: torch.Tensor, probe: bool) -> torch.Tensor:
    return LandmarkKernel(model, torch.rand(4, 3).double(), probe=probe).features(x, chunk=8)[0]


ENTRIES = {
    "operator": lambda model, x, probe: NTKOperator(model, x, probe=probe) @ np.ones(60),
    "operator's columns": lambda model, x, probe: NTKOperator(model, x[:9], x, probe=probe) @ np.ones(60),
    "operator's rows": lambda model, x, probe: NTKOperator(model, x, x[:9], probe=probe) @ np.ones(18),
    "trace": lambda model, x, probe: sign_gram(NTKOperator(model, x, kind="trace", probe=probe), 2, 0),
    "forward mode": lambda model, x, probe: jvp_features(model, x, 4, probe=probe),
    "sketch": lambda model, x, probe: sketched_features(model, x, SparseSketch(8), chunk=7, probe=probe),
    "features of landmarks": features_of,
    # in this thread: others would go on after the error, and restore random states that a later test sets
    "blocks": lambda model, x, probe: blocked_ntk(model, x, block=9, probe=probe).compute(scheduler="sync"),
}


@pytest.mark.parametrize("probe", [True, False])
@pytest.mark.parametrize("entry", ENTRIES)
def test_results_that_are_not_finite_are_refused_by_sample(entry: str, probe: bool) -> None:
    torch.manual_seed(0)
    model, x = Length().double(), torch.randn(30, 3).double()
    x[20] = 0
    place = {"blocks": "2 of a block", "operator's columns": "20 of x2"}.get(entry, "20")
    text = f"^model: the gradient of sample {place} is not finite, so it has no tangent kernel$"
    with pytest.raises(ValueError, match=text):
        ENTRIES[entry](model, x, probe)


def test_directions_that_are_not_finite_are_no_fault_of_the_network() -> None:
    torch.manual_seed(0)
    operator = NTKOperator(Length().double(), torch.randn(4, 3).double(), kind="trace")
    assert np.isnan(operator @ np.array([1, np.nan, 0, 0])).all()


@pytest.mark.filterwarnings("ignore::ntkd_lib.ntk.probe.SlowKernelWarning")
def test_a_kernel_beyond_the_range_of_its_type_is_refused() -> None:
    model = nn.Linear(3, 2).half()
    with pytest.raises(ValueError, match=r"entry 0, 0 is not finite in torch\.float16, the "):
        empirical_ntk(model, torch.full((2, 3), 200).half(), kind="trace")
    kernel = empirical_ntk(model, torch.full((4, 3), 60).half(), kind="trace")  # its sum alone is too large
    assert kernel.isfinite().all()
    assert not kernel.sum().isfinite()


@pytest.mark.parametrize("memory", [2**26, 2**28])
def test_tiles_leave_room_for_what_own_layers_hold(memory: int) -> None:
    model, x = cifar_student(), torch.rand(400, 3, 32, 32)
    tile = choose_tile(model, x, "trace", "structured", memory)
    patches, maps, masked = 256 * 147, 8 * 16 * 256, 10 * 16 * 256
    assert 4 * tile * (patches + maps + masked) < memory
    assert 4 * tile * (patches + maps + masked) > memory / 8


def test_padding_of_a_shared_table() -> None:
    torch.manual_seed(8)
    model, words = TiedEmbedding(padding=0), torch.randint(7, (3, 4))
    for method in ("structured", "contraction"):
        found = empirical_ntk(model, words, method=method, dtype=torch.float64).detach()
        torch.testing.assert_close(found, reference_ntk(model, words))
    with pytest.raises(ValueError, match="layer 'table': an embedding with padding whose table is shared"):
        empirical_ntk(model, words, method="products")


class Hidden(nn.Module):
    """Reads the weight of one of its layers behind that layer's back."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x).tanh() @ self.first.weight.T)


def test_weights_used_behind_their_layers_back_are_noticed() -> None:
    torch.manual_seed(9)
    model, x = Hidden(), torch.randn(3, 4)
    with pytest.warns(
        WholeJacobianWarning, match=r"first.weight: not known .* whole Jacobians .* this parameter"
    ):
        found = empirical_ntk(model, x, method="structured", dtype=torch.float64).detach()
    torch.testing.assert_close(found, reference_ntk(model, x))


class Ended(nn.Module):
    """Changes a layer's input in place after the layer has used it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.first(x).exp()
        logits = self.second(hidden)
        hidden.mul_(2)
        return logits + hidden[:, :3]


class Centred(nn.Module):
    """Subtracts the batch's mean."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.first(x)
        return self.second(hidden - hidden.mean(0))


class Branching(nn.Module):
    """Takes another way where a sum is positive."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(4, 4), Switch())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)


class Switch(nn.Module):
    """Branches on a value; the branch is the same for a sample and for its batch."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.exp().sum() > 0 else 2 * x


@pytest.mark.parametrize(
    "model, method, text",
    [
        (Ended, "structured", "layer 'second': its input is changed in place after it was used"),
        (Centred, "structured", "a sample changes with the rest of its batch, at or before layer 'second'"),
        (Branching, "contraction", "layer 'inner.1': Switch cannot run on single samples"),
        (Centred, "products", "a sample changes with the rest of its batch, at or before layer 'second'"),
        (lambda: nn.Flatten(0), "structured", "no trainable parameter"),
        (lambda: nn.Conv2d(1, 2, 1), "structured", r"got an output of shape \(5, 2, 4, 4\) for 5 samples"),
    ],
)
def test_networks_without_a_per_sample_kernel_are_refused(model: Callable, method: str, text: str) -> None:
    torch.manual_seed(10)
    shape = (5, 1, 4, 4) if "shape" in text else (5, 4)
    with pytest.raises(ValueError, match=text):
        empirical_ntk(model(), torch.randn(shape), method=method)


def time_first(net: Net, x: torch.Tensor) -> torch.Tensor:
    return net.read(net.mix(x)[0][:, -1])  # samples for time steps


def summed_up(net: Net, x: torch.Tensor) -> torch.Tensor:
    return net.read(net.first(x[:, 0]).cumsum(0).tanh())


def of_the_one_before(net: Net, x: torch.Tensor) -> torch.Tensor:
    before = torch.cat([torch.zeros_like(x[:1, 0]), x[:-1, 1]])
    return net.read(net.first(x[:, 0]).tanh() + before)


@pytest.mark.parametrize("method", ["auto", *METHODS])
@pytest.mark.parametrize("run", [time_first, summed_up, of_the_one_before])
def test_samples_that_depend_on_earlier_ones_are_refused_in_every_draw(run: Callable, method: str) -> None:
    torch.manual_seed(11)
    parts = {"mix": nn.LSTM(4, 4)} if run is time_first else {"first": nn.Linear(4, 4)}
    model, x = Net(run, read=nn.Linear(4, 2), **parts).double(), torch.randn(5, 3, 4).double()
    refusal = "model: the output for a sample changes with the rest of its batch, at or before layer 'read'"
    for other in (None, x[:4]):
        for _ in range(6):
            with pytest.raises(ValueError, match=refusal):
                empirical_ntk(model, x, other, kind="trace", method=method)
    with pytest.raises(ValueError, match=refusal):
        blocked_ntk(model, x, method=method)


def test_both_samples_of_a_probe_are_compared_with_their_runs_alone() -> None:
    """A third sample back is out of the reach of a run on two."""
    torch.manual_seed(11)
    model = nn.Linear(4, 2).double()
    x = torch.randn(9, 4).double()
    trial, plan = Probe(model, x, x[:1], "trace"), make_plan(model, x[:2])
    trial.sides = (x, 0), (x, 8)
    trial.check_alone(plan)
    trial.model = Net(lambda s, x: s.first(x + torch.cat([0 * x[:3], x[:-3]])), first=model)
    with pytest.raises(ValueError, match="model: the output for a sample changes with the rest of its batch"):
        trial.check_alone(plan)


class Discarding(nn.Module):
    """Computes an auxiliary head and does not use it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.head, self.second = nn.Linear(4, 4), nn.Linear(4, 2), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.first(x).tanh()
        self.head(hidden)
        return self.second(hidden)


def test_layers_that_do_not_reach_the_logits_do_not_count() -> None:
    torch.manual_seed(12)
    model, x = Discarding(), torch.randn(3, 4)
    for method in METHODS:
        found = empirical_ntk(model, x, method=method, dtype=torch.float64).detach()
        torch.testing.assert_close(found, reference_ntk(model, x))


def test_logits_without_a_trained_layer_are_refused() -> None:
    model = Discarding()
    for layer in (model.first, model.second):
        layer.requires_grad_(False)
    with pytest.raises(ValueError, match="model: its logits depend on no trainable parameter"):
        empirical_ntk(model, torch.randn(3, 4), method="structured")


def test_in_place_activations_change_nothing() -> None:
    torch.manual_seed(11)
    model, x = convolutions().double(), torch.randn(2, 4, 8, 8).double()
    found = empirical_ntk(model, x, method="structured").detach()
    torch.testing.assert_close(found, reference_ntk(model, x))


class OneSampleStatistics(nn.Module):
    """Normalises each channel of each sample by a batch normalisation of all of them."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.reshape(1, -1, x.shape[-1])
        return nn.functional.batch_norm(rows, None, None, training=True).view_as(x)


def attending() -> nn.Module:
    layer = nn.TransformerEncoderLayer(4, 2, 4, dropout=0, batch_first=True)
    return nn.Sequential(nn.Linear(5, 4), layer, nn.Flatten(), nn.Linear(12, 2))


NORMALISATIONS = {
    "layer": lambda: nn.LayerNorm(4),
    "layer without bias": lambda: nn.LayerNorm((3, 4), bias=False),
    "layer without weight": lambda: nn.LayerNorm(4, elementwise_affine=False),
    "instance": lambda: nn.InstanceNorm1d(3, affine=True),
    "instance without weight": lambda: nn.InstanceNorm1d(3),
    "instance with running statistics": lambda: nn.InstanceNorm1d(3, track_running_stats=True),
    "statistics of one sample": OneSampleStatistics,
    "group": lambda: nn.GroupNorm(1, 3),
    "batch": lambda: nn.BatchNorm1d(3),
    "root mean square": lambda: nn.RMSNorm(4),
    "softmax": lambda: nn.Softmax(-1),
    "weights": lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)),
}
NETWORKS = {"attention": attending} | {
    name: lambda layer=layer: nn.Sequential(
        nn.Linear(5, 4), layer(), nn.Tanh(), nn.Flatten(), nn.Linear(12, 2)
    )
    for name, layer in NORMALISATIONS.items()
}


@pytest.mark.parametrize(
    "name", ["dense", "lenet", "convolutions", "unet", "attention of dense layers", "tied", *NETWORKS]
)
@pytest.mark.filterwarnings("ignore::ntkd_lib.ntk.structured.WholeJacobianWarning")
def test_all_methods_have_the_same_gradient(name: str) -> None:
    torch.manual_seed(0)
    model, x = (NETWORKS[name]().eval(), torch.randn(4, 3, 5)) if name in NETWORKS else build(name)[:2]
    model, x = model.double(), x.double()
    parameters = list(model.parameters())

    def loss(method: str = "structured") -> torch.Tensor:
        return empirical_ntk(model, x, kind="trace", method=method).square().mean()

    slopes = [
        torch.autograd.grad(loss(method), parameters, allow_unused=True, materialize_grads=True)
        for method in METHODS
    ]
    for found in slopes[1:]:
        for a, b in zip(slopes[0], found, strict=True):
            torch.testing.assert_close(a, b)
    if name in NETWORKS:
        directions = [torch.randn_like(p) for p in parameters]
        values = []
        for step in (1e-5, -2e-5):
            with torch.no_grad():
                for p, direction in zip(parameters, directions, strict=True):
                    p += step * direction
                values.append(loss().item())
        slope = sum((a * b).sum() for a, b in zip(slopes[0], directions, strict=True)).item()
        assert (values[0] - values[1]) / 2e-5 == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tile", [3, "auto"])
def test_no_gradients_are_kept_where_none_are_wanted(tile: int | str, kind: str) -> None:
    model, x, y = build("lenet", 7, 4)
    with torch.no_grad():
        own = empirical_ntk(model, x, kind=kind, tile=tile)
        cross = empirical_ntk(model, x, y, kind=kind, tile=tile, memory=2**24)
    assert not own.requires_grad
    assert torch.equal(own, own.permute(1, 0, 3, 2) if kind == "full" else own.mT)
    torch.testing.assert_close(own, empirical_ntk(model, x, kind=kind).detach())
    torch.testing.assert_close(cross, empirical_ntk(model, x, y, kind=kind).detach())


def test_same_call_twice_gives_the_same_bits() -> None:
    torch.manual_seed(7)
    model, x = lenet(), torch.randn(3, 1, 28, 28)
    assert torch.equal(empirical_ntk(model, x, kind="trace"), empirical_ntk(model, x, kind="trace"))


@pytest.mark.parametrize("method", ["structured", "contraction", "products"])
def test_a_module_with_two_names_keeps_its_own_parameters(method):
    torch.manual_seed(0)
    shared = nn.Linear(4, 4)
    model, x = nn.Sequential(shared, nn.ReLU(), shared, nn.ReLU(), nn.Linear(4, 2)).double(), torch.rand(5, 4)
    before = list(model.parameters())
    kernel = empirical_ntk(model, x.double(), kind="trace", method=method)
    assert all(a is b for a, b in zip(before, model.parameters(), strict=True))
    exact = reference_ntk(model, x.double()).diagonal(dim1=2, dim2=3).sum(-1)
    torch.testing.assert_close(kernel, exact)
