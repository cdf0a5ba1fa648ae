"""Networks that sort, drop or share the rows of a batch: their kernel or a refusal, never another kernel."""

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence

from ntkd_lib.nets.efficientnet_lite import EfficientNetLite0
from ntkd_lib.nets.unet import ShuffledNetwork, UNet
from ntkd_lib.ntk import owners
from ntkd_lib.ntk.blocked import blocked_ntk
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.landmarks import LandmarkKernel
from ntkd_lib.ntk.layout import SampleLayout, UnsettledError, is_known, make_plan
from ntkd_lib.ntk.probe import SlowKernelWarning
from ntkd_lib.ntk.recording import record
from ntkd_lib.ntk.sketches.kronecker import KroneckerSketch
from ntkd_lib.ntk.sketches.sparse import SparseSketch
from ntkd_lib.ntk.sketches.stream import join_classes, sketched_features, trace_features
from ntkd_lib.ntk.tiles import StructuredTiles
from tests.ntk.faults import Net, dense
from tests.ntk.nets import build
from tests.ntk.test_faults import loop_jacobian

IGNORED = (
    "ignore::ntkd_lib.ntk.structured.WholeJacobianWarning",
    "ignore::ntkd_lib.ntk.probe.SlowKernelWarning",
)


def words(*lengths: int) -> Tensor:
    """Draw sequences of some lengths, padded by zeros."""
    ids = torch.randint(1, 9, (len(lengths), max(lengths)))
    for row, length in zip(ids, lengths, strict=True):
        row[length:] = 0
    return ids


def real_tokens(net: Net, ids: Tensor) -> Tensor:
    real = ids > 0
    rows = net.a(net.e(ids[real])).tanh()
    return net.h(rows.new_zeros(*ids.shape, 4).masked_scatter(real[..., None], rows).sum(1))


def sorted_by_length(net: Net, ids: Tensor) -> Tensor:
    order = (ids > 0).sum(1).argsort(descending=True, stable=True)
    ids = ids[order]
    return net.h((net.a(net.e(ids)).tanh() * (ids > 0)[..., None]).sum(1))[order.argsort()]


def packed(net: Net, ids: Tensor) -> Tensor:
    lengths, order = (ids > 0).sum(1).sort(descending=True, stable=True)
    rows = pack_padded_sequence(net.a(net.e(ids[order])).tanh(), lengths, batch_first=True)
    return net.h(net.recurrent(rows)[1][0])[order.argsort()]


def experts_by_token(net: Net, ids: Tensor) -> Tensor:
    rows = net.e(ids).flatten(0, 1)
    first = (ids.flatten() > 0).nonzero()[:, 0]
    rows = rows.index_add(0, first, net.a(rows[first]).tanh())
    return net.h(rows.view(*ids.shape, 4).mean(1))


def net(run: Callable) -> Net:
    recurrent = {"recurrent": nn.GRU(4, 4, batch_first=True)} if run is packed else {}
    return Net(run, e=nn.Embedding(9, 4), a=nn.Linear(4, 4), h=nn.Linear(4, 2), **recurrent)


# the lengths of the first two fit a layout that is wrong for all; and the first layer that shows it
CASES = {
    "real tokens": (real_tokens, (3, 3, 4, 2, 3), "e"),
    "sorted by length": (sorted_by_length, (5, 4, 3, 4, 2, 3), "e"),
    "packed": (packed, (5, 4, 3, 4, 2), "e"),
    "experts by token": (experts_by_token, (2, 2, 3, 1), "a"),
}


def case(name: str) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    run, lengths, _ = CASES[name]
    return net(run).double(), words(*lengths)


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_a_layout_of_two_samples_that_is_wrong_for_all_is_refused(name: str, graph: bool) -> None:
    model, ids = case(name)
    plan = make_plan(model, ids[:2])
    assert any(plan.layouts)
    refusal = f"layer '{CASES[name][2]}': the rows of a sample change with its batch"
    for kind in ("full", "trace", "per_class", "pseudo"):
        with torch.set_grad_enabled(graph), pytest.raises(UnsettledError, match=refusal):
            StructuredTiles(model, kind, plan).keep(ids)


@pytest.mark.filterwarnings(*IGNORED)
@pytest.mark.parametrize("name", CASES)
def test_every_draw_of_every_method_returns_the_kernel_of_single_samples(name: str) -> None:
    model, ids = case(name)
    jacobian = loop_jacobian(model, ids)
    exact = torch.einsum("ncp,mcp->nm", jacobian, jacobian)
    for method, tile in (("auto", None), ("structured", None), ("structured", 4)) * 4:
        for other, columns in ((None, slice(None)), (ids[1:4], slice(1, 4))):
            kernel = empirical_ntk(model, ids, other, kind="trace", method=method, tile=tile)
            assert (kernel - exact[:, columns]).norm() <= 1e-9 * exact.norm()


@pytest.mark.filterwarnings(*IGNORED)
@pytest.mark.parametrize("probe", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_kernels_in_blocks_sketches_and_landmarks(name: str, probe: bool) -> None:
    model, ids = case(name)
    ids = torch.cat([ids[[0]], ids[2:], ids[[1]]])  # plans of these entries come from the first and the last
    jacobian = loop_jacobian(model, ids)
    exact = torch.einsum("ncp,mcp->nm", jacobian, jacobian)
    blocks = blocked_ntk(model, ids, method="structured", block=len(ids), probe=probe)
    blocks = torch.from_numpy(blocks.compute(scheduler="synchronous"))
    assert (blocks - exact).norm() <= 1e-9 * exact.norm()
    _, diagonal = LandmarkKernel(model, ids[[0, -1]], probe=probe).features(ids)
    assert (diagonal - exact.diagonal()).norm() <= 1e-9 * exact.norm()
    for sketch in (SparseSketch(2**14), KroneckerSketch(2**14, block=8)):
        features = sketched_features(model, ids, sketch, probe=probe)
        assert (torch.einsum("nck,mck->nm", features, features) - exact).norm() <= 0.1 * exact.norm()
    if not probe:
        with pytest.raises(UnsettledError, match="the rows of a sample change with its batch"):
            sketched_features(model, [ids], SparseSketch(64), probe=False)


def behind_its_back(net: Net, x: Tensor) -> Tensor:
    large = x[:, :1] > 2
    return net.net(x) + large * net.net[0].weight.sum() if large.any() else net.net(x)


def of_its_own(net: Net, x: Tensor) -> Tensor:
    large, logits = x[:, :1] > 2, net.net(x)
    return logits + large * net.free if large.any() else logits


def without_layers(net: Net, x: Tensor) -> Tensor:
    large, logits = x[:, :1] > 2, (x @ net.net[0].weight.T).tanh() @ net.net[2].weight.T
    return logits + large * net.net[0](x)[:, :3] if large.any() else logits


BRANCHES = {behind_its_back: "net.0.weight", of_its_own: "free", without_layers: "net.0.bias"}


@pytest.mark.filterwarnings(*IGNORED)
@pytest.mark.parametrize("run", BRANCHES)
def test_parameters_that_few_samples_use(run: Callable) -> None:
    torch.manual_seed(0)
    model = Net(run, net=dense(4, 5, 3), free=nn.Parameter(torch.rand(3))).double()
    x = torch.rand(6, 4).double()
    plan = make_plan(model, x[:2])
    x[3, 0] = 3
    refusal = f"model: {BRANCHES[run]}: used by other layers in some batches"
    with pytest.raises(UnsettledError, match=refusal):
        StructuredTiles(model, "trace", plan).keep(x)
    jacobian = loop_jacobian(model, x)
    exact = torch.einsum("ncp,mcp->nm", jacobian, jacobian)
    for _ in range(8):
        kernel = empirical_ntk(model, x, kind="trace", method="structured")
        assert (kernel - exact).norm() <= 1e-9 * exact.norm()
    features = sketched_features(model, x, SparseSketch(2**14), chunk=2, probe=False)
    assert (torch.einsum("nck,mck->nm", features, features) - exact).norm() <= 0.1 * exact.norm()


def shuffled(n: int, dtype: torch.dtype) -> tuple[Net, Tensor]:
    def run(net: Net, x: Tensor) -> Tensor:
        order = x[:, 0].argsort()
        return net.b(net.a(x[order]).tanh())[order.argsort()]

    torch.manual_seed(0)
    x = torch.cat([(torch.arange(n)[:, None] - n // 2) / 64, torch.randn(n, 3)], 1)
    return Net(run, a=nn.Linear(4, 5), b=nn.Linear(5, 3)).to(dtype), x.to(dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_two_samples_that_change_places_are_noticed(dtype: torch.dtype) -> None:
    """In float32 up to 127 samples in every draw; here more, of which any two might have shared a factor."""
    model, x = shuffled(200, dtype)
    plan = make_plan(model, x[:2])
    StructuredTiles(model, "trace", plan).keep(x)
    missed = 0
    for i, j in torch.combinations(torch.arange(20)).tolist():
        places = torch.arange(200)
        places[[i, j]] = places[[j, i]]
        try:
            StructuredTiles(model, "trace", plan).keep(x[places])
            missed += 1
        except UnsettledError:
            continue
    assert missed <= {torch.float64: 0, torch.float16: 30}.get(dtype, 5)


@pytest.mark.filterwarnings(*IGNORED)
def test_joined_features_of_a_chunk_that_is_out_of_order() -> None:
    model, x = shuffled(9, torch.float64)
    x = x[[0, 1, 2, 3, 4, 6, 5, 7, 8]]
    features = trace_features(model, x, SparseSketch(64), chunk=4, probe=False)
    torch.testing.assert_close(features, join_classes(SparseSketch(64).whole("", loop_jacobian(model, x))))


def swapped(h: Tensor) -> Tensor:
    h = h.clone()
    h[:2] = h[:2].flip(0)
    return h


MATRIX = torch.arange(16.0, dtype=torch.float64).view(4, 4).cos()
MOVES = {
    "flipped": lambda h: h.flip(0),
    "rolled": lambda h: h.roll(1, 0),
    "sorted": lambda h: h.sort(0, descending=True)[0] + h.sort(0)[0],
    "looked up": lambda h: h[[1, 0, 2, 3]],
    "selected": lambda h: h.index_select(0, torch.tensor([0, 0, 2, 3])),
    "gathered": lambda h: h.gather(0, torch.tensor([[1], [0], [2], [3]]).expand(4, 4)),
    "transposed": lambda h: h.T,
    "products of samples": lambda h: h @ h.T,
    "times its transpose": lambda h: h * h.T,
    "from the left": lambda h: torch.mm(MATRIX, h),
    "added from the left": lambda h: torch.addmm(MATRIX, MATRIX, h),
    "scaled by a column": lambda h: h * h[:, 0],
    "summed up": lambda h: h.cumsum(0),
    "softmax": lambda h: h.softmax(0),
    "centred": lambda h: h - h.mean(0, keepdim=True),
    "mean": lambda h: h.mean(0).expand(4, 4),
    "largest": lambda h: h - h.amax(0, keepdim=True),
    "normalised": lambda h: F.layer_norm(h, (4, 4)),
    "shifted": lambda h: F.pad(h, (0, 0, 1, -1)),
    "joined": lambda h: torch.cat([h[1:], h[:1]]),
    "joined rows": lambda h: h.view(2, 8).tanh().view(2, 2, 4).transpose(0, 1).reshape(4, 4),
    "halves": lambda h: torch.cat(h.chunk(2)[::-1]),
    "filters": lambda h: F.conv1d(MATRIX[:, :, None], h[:, :, None])[..., 0],
    "convolved": lambda h: F.conv1d(h[None], MATRIX[:, :, None])[0],
    "in place": swapped,
}


@pytest.mark.parametrize("name", MOVES)
def test_operations_that_move_rows_are_noticed(name: str) -> None:
    """With as many samples as values, so that the shapes say nothing."""
    torch.manual_seed(0)
    model = Net(lambda s, x: s.b(MOVES[name](s.a(x))), a=nn.Linear(4, 4), b=nn.Linear(4, 3)).double()
    recording = record(model, torch.randn(4, 4).double(), is_known)
    layouts = {use: SampleLayout(0, 1, adjacent=True) for use in recording.uses}
    with pytest.raises(UnsettledError, match="layer 'a': the rows of a sample change with its batch"):
        owners.check_owners(recording.logits, layouts)
    assert owners.check_owners(recording.logits, dict(list(layouts.items())[1:])) is None


PLAIN = ("dense", "lenet", "resnet18", "siren", "optical student")


@pytest.mark.parametrize("name", [*PLAIN, "unet", "efficientnet"])
def test_plain_networks_need_no_further_pass(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "unet":
        model = nn.Sequential(ShuffledNetwork(UNet(12, 4, 12, 3), 2), nn.AdaptiveAvgPool2d(2), nn.Flatten())
    model, x = {
        "unet": lambda: (model.eval(), torch.rand(3, 3, 16, 16)),
        "efficientnet": lambda: (EfficientNetLite0(10).eval(), torch.rand(2, 3, 32, 32)),
    }.get(name, lambda: build(name, 3, 1)[:2])()
    monkeypatch.delattr(owners, "plain_operations")
    with torch.no_grad():
        assert StructuredTiles(model, "pseudo").keep(x)


@pytest.mark.parametrize("name", ["dense", "lenet", "attention of dense layers", "embedding", "tied"])
def test_the_check_changes_no_bit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, x, _ = build(name, 9, 1)
    with torch.no_grad():
        for kind in ("full", "trace", "per_class", "pseudo"):
            kernels = []
            for order in (True, False):
                monkeypatch.setattr(owners, "_keep_order", lambda *_, order=order: order)
                kernels.append(empirical_ntk(model, x, kind=kind, method="structured"))
            assert torch.equal(*kernels)


def test_factors_that_do_not_fit_into_a_type_between_the_layers_hide_nothing() -> None:
    """Signals that overflow there are not numbers behind a softmax, whatever the layout is."""

    def run(net: Net, x: Tensor) -> Tensor:
        order = x[:, 0].argsort()
        return net.b(net.a(x[order]).float().softmax(1).double())[order.argsort()]

    model, x = shuffled(600, torch.float64)
    model.run = run
    plan = make_plan(model, x[:2])
    for i, j in torch.combinations(torch.arange(0, 600, 66)).tolist():
        places = torch.arange(600)
        places[[i, j]] = places[[j, i]]
        with pytest.raises(UnsettledError, match="the rows of a sample change with its batch"):
            StructuredTiles(model, "trace", plan).keep(x[places])


@pytest.mark.parametrize("types", [(torch.float32, torch.float64), (torch.bfloat16, torch.float32)])
def test_factors_fit_into_the_narrowest_type(types: tuple[torch.dtype, torch.dtype]) -> None:
    torch.manual_seed(0)
    body, head = dense(4, 5, 5).to(types[0]), dense(5, 3).to(types[1])
    model = Net(lambda s, x: s.head(s.body(x).softmax(1).to(types[1])), body=body, head=head)
    x = torch.randn(600, 4).to(types[0])
    assert StructuredTiles(model, "trace", make_plan(model, x[:2])).keep(x)


def test_signals_that_are_nothing_but_rounding_are_no_fault() -> None:
    """A norm of one value passes nothing on but rounding, which is proportional to nothing."""
    torch.manual_seed(0)
    model = Net(lambda s, x: s.b(F.layer_norm(s.a(x), (1,)) + x[:, :1]), a=nn.Linear(4, 1), b=dense(1, 5, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error", SlowKernelWarning)
        empirical_ntk(model, torch.randn(40, 4), kind="trace", method="structured")
