"""Kernels in blocks against the kernel as a whole, on threads and on worker processes, also killed ones."""

import copy
import inspect
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import dask
import dask.array as da
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ntkd_lib.ntk import blocked, blocked_store
from ntkd_lib.ntk.blocked import PIECE, blocked_ntk, compute_block, laid_out
from ntkd_lib.ntk.blocked_graph import model_digest
from ntkd_lib.ntk.blocked_linear_algebra import randomised_svd, ridge_solve
from ntkd_lib.ntk.blocked_store import save_blocks
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.kinds import KINDS
from tests.ntk.nets import CASES, Attention, build, dense_net

CLUSTER = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"
)


def whole(model: nn.Module, *samples: torch.Tensor, kind: str) -> np.ndarray:
    with torch.no_grad():
        return laid_out(empirical_ntk(model, *samples, kind=kind), kind)


def close(found: np.ndarray, exact: np.ndarray) -> None:
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-6 * np.abs(exact).max())


@pytest.fixture
def dense() -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    return dense_net(), torch.randn(11, 6)


@pytest.fixture
def calls(monkeypatch) -> list[tuple[int, int]]:
    """Sizes of all blocks that tasks compute."""
    made = []

    def counted(model, settings, left, right=None):
        made.append((len(left), len(left if right is None else right)))
        return compute_block(model, settings, left, right)

    monkeypatch.setattr(blocked, "compute_block", counted)
    return made


@pytest.fixture(scope="module")
def cluster() -> Iterator:
    from distributed import LocalCluster

    made = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    with LocalCluster(**made) as cluster:
        yield cluster


@pytest.fixture
def workers(cluster) -> Iterator:
    from distributed import Client

    with Client(cluster.scheduler_address):
        yield cluster


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["lenet", "tied embedding", "attention of dense layers"])
def test_equals_the_kernel_as_a_whole(name, kind):
    model, x1, x2 = build(name, 11, 6)
    own, cross = (blocked_ntk(model, *x, kind=kind, block=4) for x in ((x1,), (x1, x2)))
    classes = len(model(x1)[0])
    sizes = (4 * classes, 4 * classes, 3 * classes) if kind == "full" else (4, 4, 3)
    assert own.chunks[-2:] == (sizes, sizes)
    found = own.compute()
    assert found.dtype == own.dtype
    assert found.shape == own.shape
    assert np.array_equal(found, np.swapaxes(found, -1, -2))
    close(found, whole(model, x1, kind=kind))
    close(cross.compute(), whole(model, x1, x2, kind=kind))


@pytest.mark.parametrize("method", ["structured", "contraction", "products"])
@pytest.mark.parametrize("memory", [2**31, 100_000])
def test_memory_and_method_change_no_more_than_round_off(method, memory):
    torch.manual_seed(1)
    model, x = dense_net().double(), torch.randn(PIECE + 5, 6).double()
    found = blocked_ntk(model, x, x[:4], method=method, memory=memory, block=PIECE + 3).compute()
    np.testing.assert_allclose(found, whole(model, x, x[:4], kind="trace"), rtol=1e-11)


def test_blocks_fit_into_memory_and_are_at_least_four_a_side(dense):
    model, _ = dense
    x = torch.zeros(4000, 6)
    small, large = (blocked_ntk(model, x, memory=memory).chunksize for memory in (2**21, 2**31))
    assert large == (1000, 1000)
    assert 64 < small[0] == small[1] < 400
    assert 12 * small[0] ** 2 <= 2**21


def test_numbers_of_numpy_and_floats_are_numbers(dense):
    model, x = dense
    name = blocked_ntk(model, x, block=4).name
    assert name == blocked_ntk(model, x, block=np.int64(4), memory=2.0**31).name


def test_blocks_below_the_diagonal_are_not_computed(dense, calls):
    blocked_ntk(*dense, block=4).compute()
    assert sorted(calls[1:]) == [(3, 3), (4, 3), (4, 3), (4, 4), (4, 4), (4, 4)]


def test_network_and_samples_are_one_node_each(dense):
    model, x = dense
    nodes = dict(blocked_ntk(model, x, block=4).dask)
    assert sum(isinstance(node, bytes) for node in nodes.values()) == 1
    assert [len(node) for node in nodes.values() if isinstance(node, np.ndarray)] == [4, 4, 3]


def test_a_file_of_samples_is_read_by_chunks_and_gives_the_same_array(dense, tmp_path):
    model, x = dense
    np.save(tmp_path / "x.npy", x.numpy())
    samples = np.load(tmp_path / "x.npy", mmap_mode="r")
    found = blocked_ntk(model, samples, block=4)
    chunks = [node for node in dict(found.dask).values() if isinstance(node, np.ndarray)]
    assert all(np.shares_memory(chunk, samples) for chunk in chunks)
    assert found.name == blocked_ntk(model, x, block=4).name == blocked_ntk(model, x.numpy(), block=4).name
    assert np.array_equal(found.compute(), blocked_ntk(model, x, block=4).compute())


def test_training_on_changes_nothing(dense):
    model, x = dense
    kernel = blocked_ntk(model, x)
    before = kernel.compute()
    with torch.no_grad():
        model[0].weight.zero_()
    assert np.array_equal(kernel.compute(), before)


def test_the_name_follows_from_network_samples_and_settings(dense):
    model, x = dense
    others = [copy.deepcopy(model) for _ in range(4)]
    others[0][0].weight.data[0, 0] += 1e-6
    others[1][1] = nn.Tanh()
    others[2][2].weight.requires_grad_(False)
    others[3][4].bias = nn.Parameter(others[3][4].bias.detach().double())
    assert model_digest(model) == model_digest(copy.deepcopy(model)) == model_digest(pickled(model))
    assert len({model_digest(net) for net in (model, *others)}) == 5
    base = {"model": model, "x1": x}
    changes = ({}, {"x1": x + 1}, {"x2": x}, {"kind": "pseudo"}, {"block": 2}, {"method": "products"})
    assert len({blocked_ntk(**base | change).name for change in changes}) == len(changes)
    tied, untied = (nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)) for _ in range(2))
    tied[1].weight = tied[0].weight
    untied.load_state_dict(tied.state_dict())
    assert model_digest(tied) != model_digest(untied)


def encoder(activation: Callable) -> nn.Module:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, 0.0, activation=activation, batch_first=True)
    return nn.Sequential(layer, nn.Flatten(), nn.Linear(24, 3)).double().eval()


def with_attribute(value: object) -> nn.Module:
    torch.manual_seed(0)
    net = nn.Linear(4, 3)
    net.setting = value
    return net


def with_hook(*hooks: Callable, on_weight: bool = False) -> nn.Module:
    net = with_attribute(0)
    for hook in hooks:
        (net.weight.register_hook if on_weight else net.register_forward_hook)(hook)
    return net


def scaled(factor: float) -> nn.Module:
    torch.manual_seed(0)

    class Scaled(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return factor * super().forward(x)

    return Scaled(4, 3)


def repeated(times: int) -> nn.Module:
    torch.manual_seed(0)
    act = nn.Tanh()
    return nn.Sequential(nn.Linear(4, 3), *[act] * times)


def recurrent() -> nn.Module:
    torch.manual_seed(0)
    return nn.LSTM(4, 3)


def double(_: nn.Module, inputs: tuple, output: torch.Tensor) -> torch.Tensor:
    return 2 * output


DIFFERENT = {
    "functions": (lambda: encoder(F.silu), lambda: encoder(torch.tanh)),
    "functions without a name": (lambda: with_attribute(lambda x: x), lambda: with_attribute(lambda x: -x)),
    "functions of other values": (lambda: scaled(1.0), lambda: scaled(2.0)),
    "partial functions": (
        lambda: with_attribute(partial(F.elu, alpha=1)),
        lambda: with_attribute(partial(F.elu, alpha=2)),
    ),
    "lists": (lambda: nn.AdaptiveAvgPool2d([2, 1]), lambda: nn.AdaptiveAvgPool2d([1, 2])),
    "tables": (lambda: with_attribute({"a": [1.0]}), lambda: with_attribute({"a": [2.0]})),
    "tensors": (lambda: with_attribute(torch.ones(2)), lambda: with_attribute(torch.zeros(2))),
    "sparse tensors": (
        lambda: with_attribute(torch.eye(2).to_sparse()),
        lambda: with_attribute(2 * torch.eye(2).to_sparse()),
    ),
    "arrays in a tuple": (lambda: with_attribute((np.ones(2),)), lambda: with_attribute((np.zeros(2),))),
    "modules in a list": (lambda: with_attribute([nn.ELU(1)]), lambda: with_attribute([nn.ELU(2)])),
    "types": (lambda: with_attribute(torch.float32), lambda: with_attribute(torch.float64)),
    "a number and its name": (lambda: with_attribute(1), lambda: with_attribute("1")),
    "hooks": (with_hook, lambda: with_hook(double)),
    "hooks of a weight": (with_hook, lambda: with_hook(torch.neg, on_weight=True)),
    "a layer used again": (lambda: repeated(1), lambda: repeated(2)),
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_the_name_follows_from_all_that_a_network_holds(case):
    one, other = DIFFERENT[case]
    net = one()
    assert model_digest(net) == model_digest(net)
    assert model_digest(one()) != model_digest(other())


SAME = {
    "functions": lambda: encoder(F.silu),
    "lists, tables and tensors": lambda: with_attribute([{"a": torch.ones(2)}]),
    "hooks": lambda: with_hook(double),
    "layers that do not send all that they hold": recurrent,
}


@pytest.mark.parametrize("case", SAME)
def test_a_network_that_is_built_again_has_the_same_name(case):
    net = SAME[case]
    again = net()
    assert model_digest(net()) == model_digest(again) == model_digest(pickled(again))


SCRIPT = """
import sys, torch
from torch import nn
from ntkd_lib.ntk.blocked_graph import model_digest
def build(power):
    class Net(nn.Linear):
        bend = {bend}
        def forward(self, x):
            return self.bend * super().forward(x).{function}() ** power
    return Net
Own = build({power})
torch.manual_seed(0)
print(model_digest(Own(4, 2)))
"""


def test_the_name_follows_from_the_code_of_a_script_and_not_from_the_process():
    def digest(function="tanh", bend=1.0, power=2):
        text = SCRIPT.format(function=function, bend=bend, power=power)
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
        return done.stdout

    first = digest()
    assert digest() == first
    assert len({first, digest("relu"), digest(bend=2.0), digest(power=3)}) == 4


def test_a_network_with_another_function_gets_a_kernel_of_its_own(tmp_path):
    torch.manual_seed(1)
    x = torch.randn(4, 3, 8).double()
    kernels = [blocked_ntk(encoder(function), x) for function in (F.silu, torch.tanh)]
    right = [whole(encoder(function), x, kind="trace") for function in (F.silu, torch.tanh)]
    close((kernels[0] - kernels[1]).compute(), right[0] - right[1])
    save_blocks(kernels[0], tmp_path / "kernel")
    with pytest.raises(ValueError, match="another network"):
        save_blocks(kernels[1], tmp_path / "kernel")


def pickled(model: nn.Module) -> nn.Module:
    return pickle.loads(pickle.dumps(model))


def test_threads_give_the_same_bits_and_leave_switches_as_they_were(dense):
    model, x, _ = build("lenet", 16)
    kernel = blocked_ntk(model, x, block=4)
    threads, attention = torch.get_num_threads(), torch.backends.mha.get_fastpath_enabled()
    alone = kernel.compute(scheduler="synchronous")
    for count in (1, 4):
        assert np.array_equal(kernel.compute(scheduler="threads", num_workers=count), alone)
    assert (torch.get_num_threads(), torch.backends.mha.get_fastpath_enabled()) == (threads, attention)


@pytest.mark.parametrize("method", ["contraction", "products"])
def test_attention_and_forward_mode_on_threads(method):
    torch.manual_seed(2)
    model, x = Attention().eval(), CASES["attention"][1](6)
    kernel = blocked_ntk(model, x, block=2, method=method)
    found = kernel.compute(scheduler="threads", num_workers=4)
    assert np.array_equal(found, kernel.compute(scheduler="synchronous"))
    assert torch.backends.mha.get_fastpath_enabled()


@CLUSTER
def test_worker_processes_give_the_same_bits(workers):
    model, x, y = build("lenet", 13, 7)
    kernel = blocked_ntk(model, x, y, kind="per_class", block=5)
    found = kernel.compute()
    assert np.array_equal(found, kernel.compute(scheduler="synchronous"))


@CLUSTER
def test_a_killed_worker_process_loses_nothing(workers, tmp_path):
    model, x, _ = build("lenet", 45)
    kernel = blocked_ntk(model, x, block=5)
    written, pids = [], []

    def kill_one() -> None:
        while len(written) < 12:
            time.sleep(0.01)
            written[:] = (tmp_path / "kernel" / "c").rglob("[0-9]*")
        pids.extend(worker.pid for worker in workers.workers.values())
        os.kill(pids[0], signal.SIGKILL)
        written[:] = (tmp_path / "kernel" / "c").rglob("[0-9]*")

    killer = threading.Thread(target=kill_one)
    killer.start()
    saved = save_blocks(kernel, tmp_path / "kernel")
    killer.join()
    assert len(written) < 9 + 9**2  # it was killed before the end
    assert len(pids) == 2
    alone = kernel.compute(scheduler="synchronous")
    assert np.array_equal(saved.compute(scheduler="synchronous"), alone)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.glob("c/*/*")}


def test_a_second_run_computes_what_is_missing(dense, tmp_path, calls):
    kernel = blocked_ntk(*dense, block=4)
    folder = tmp_path / "kernel"
    saved = save_blocks(kernel, folder)
    before = files(folder)
    assert len(before) == 9
    (folder / "c/0/1").unlink()  # lost
    (folder / "c/2/1").unlink()  # lost, but its transpose is there
    (folder / "c/1/1").write_bytes(before["c/1/1"][:-9])  # cut off
    (folder / "zarr.0123456789abcdef.partial").touch()
    calls.clear()
    again = save_blocks(blocked_ntk(*dense, block=4), folder)
    assert sorted(calls[1:]) == [(4, 4), (4, 4)]
    assert files(folder) == before
    assert np.array_equal(saved.compute(), kernel.compute())
    assert np.array_equal(again.compute(), kernel.compute())


def test_saved_blocks_are_read_in_a_process_that_has_not_loaded_distributed(tmp_path):
    program = f"""
import dask.array as da
from ntkd_lib.ntk.blocked_store import save_blocks
print(save_blocks(da.ones((4, 4), chunks=2, name="ones"), {str(tmp_path / "ones")!r}).sum().compute())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "16.0\n", done.stderr


def test_a_run_that_was_stopped_goes_on(dense, tmp_path, calls, monkeypatch):
    done, write = [], blocked_store._write

    def dying(*arguments):
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(write(*arguments))

    folder = tmp_path / "kernel"
    kernel = blocked_ntk(*dense, x2=dense[1][:7], block=4)
    monkeypatch.setattr(blocked_store, "_write", dying)
    with dask.config.set(scheduler="synchronous"), pytest.raises(KeyboardInterrupt):
        save_blocks(kernel, folder)  # threads would compute on after the interrupt, and be counted below
    monkeypatch.setattr(blocked_store, "_write", write)
    calls.clear()
    saved = save_blocks(blocked_ntk(*dense, x2=dense[1][:7], block=4), folder)
    assert len(calls) == 1 + 6 - 4
    assert np.array_equal(saved.compute(), blocked_ntk(*dense, x2=dense[1][:7], block=4).compute())


@pytest.mark.parametrize("kind", ["per_class", "full"])
def test_other_kinds_are_kept_too(dense, tmp_path, kind):
    kernel = blocked_ntk(*dense, kind=kind, block=4)
    saved = save_blocks(kernel, tmp_path / "new" / "kernel")
    assert saved.chunksize == kernel.chunksize
    assert np.array_equal(saved.compute(), kernel.compute())


def test_a_block_of_nothing_but_nan_is_kept(tmp_path):
    save_blocks(da.full((4, 4), np.nan, chunks=2), tmp_path / "array")
    assert len(files(tmp_path / "array")) == 4


def test_a_damaged_block_is_noticed(dense, tmp_path):
    saved = save_blocks(blocked_ntk(*dense), tmp_path)
    held = bytearray((tmp_path / "c/1/1").read_bytes())
    held[3] ^= 1
    (tmp_path / "c/1/1").write_bytes(held)
    with pytest.raises(ValueError, match="checksum"):
        saved.compute()


def test_folders_of_something_else_are_refused(dense, tmp_path):
    model, x = dense
    kernel, other = blocked_ntk(model, x), blocked_ntk(model, x + 1)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(
        ValueError, match="folder 'mine': holds something else; give a new or an empty folder"
    ):
        save_blocks(kernel, tmp_path / "mine")
    save_blocks(kernel, tmp_path / "kernel")
    before = files(tmp_path / "kernel")
    text = rf"folder 'kernel': holds {kernel.name}, here is {other.name}: another network, other samples, .*"
    with pytest.raises(ValueError, match=text):
        save_blocks(other, tmp_path / "kernel")
    assert files(tmp_path / "kernel") == before
    with pytest.raises(ValueError, match="array: got blocks of different sizes along axis 1"):
        save_blocks(da.ones((3, 6), chunks=((3,), (1, 2, 3))), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_workers_that_write_elsewhere_are_noticed(dense, tmp_path, monkeypatch):
    monkeypatch.setattr(blocked_store, "_write", lambda *_: None)
    with pytest.raises(
        RuntimeError, match="folder 'kernel': 16 blocks were written elsewhere; give a folder"
    ):
        save_blocks(blocked_ntk(*dense), tmp_path / "kernel")


@pytest.mark.parametrize(
    "change, text",
    [
        ({"block": 0}, "block: got 0, allowed are a number of samples, at least 1, and 'auto'"),
        ({"block": "all"}, "block: got 'all', allowed are a number of samples, at least 1, and 'auto'"),
        ({"method": "fast"}, "method: got 'fast', allowed are auto, contraction, products, structured"),
        ({"memory": 0}, "memory: got 0, needs at least 1 byte"),
        ({"x1": torch.zeros(0, 6)}, "inputs: got an empty batch, needs at least one sample"),
        ({"x2": np.zeros((2, 5))}, r"x2: got samples of shape \(5,\), x1 has \(6,\)"),
        (
            {"x2": np.zeros((2, 6), complex)},
            "x2: got samples of type complex128, allowed are numbers and boo",
        ),
        ({"x1": np.array([["a"]])}, "x1: got samples of type <U1, allowed are numbers and booleans"),
        ({"x1": torch.zeros(2, 6).bfloat16()}, "x1: got torch.bfloat16, unknown to NumPy; give fl"),
        ({"model": nn.Flatten()}, "model: got no trainable parameter"),
        ({"model": nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4))}, "layer '1': BatchNorm1d in training"),
    ],
)
def test_refusals_name_what_came(change, text):
    with pytest.raises(ValueError, match=text):
        blocked_ntk(**{"model": dense_net(), "x1": torch.zeros(2, 6)} | change)


@pytest.mark.parametrize("types", [(np.float64, torch.float32), (np.float32, torch.float64)])
def test_arrays_are_converted_to_the_type_of_the_network(types):
    torch.manual_seed(0)
    net, x, y = dense_net().to(types[1]), np.random.default_rng(0).normal(size=(9, 6)), torch.randn(4, 6)
    x, y = x.astype(types[0]), y.numpy().astype(types[0])
    exact = empirical_ntk(net, x, y, kind="trace").detach().numpy()
    blocks = blocked_ntk(net, x, y, block=4).compute(scheduler="synchronous")
    assert blocks.dtype == exact.dtype
    np.testing.assert_allclose(blocks, exact, rtol=1e-5)


def test_samples_of_several_tensors_are_refused():
    with pytest.raises(ValueError, match="x1: got samples of type tuple, allowed are numbers and booleans"):
        inspect.unwrap(blocked_ntk)(dense_net(), (torch.zeros(2, 6),))  # past the tests' types


@pytest.fixture
def kernel() -> da.Array:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(6, 40), nn.Tanh(), nn.Linear(40, 3)).double()
    return blocked_ntk(model, torch.randn(60, 6).double(), block=25).persist()


def test_leading_eigenpairs_are_those_of_the_dense_kernel(kernel):
    values, vectors = randomised_svd(kernel, 6, seed=0)
    exact, basis = np.linalg.eigh(kernel.compute())
    np.testing.assert_allclose(values, exact[:-7:-1], rtol=1e-6)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(6), atol=1e-12)
    np.testing.assert_allclose(abs((vectors * basis[:, :-7:-1]).sum(0)), 1, atol=1e-5)
    again = randomised_svd(kernel, 6, seed=0)
    assert all(np.array_equal(*pair) for pair in zip((values, vectors), again, strict=True))


def test_all_eigenpairs_give_the_kernel_back(kernel):
    values, vectors = randomised_svd(kernel, 60, seed=1)
    np.testing.assert_allclose(vectors * values @ vectors.T, kernel.compute(), atol=1e-9 * values[0])


@pytest.mark.parametrize("shape", [(60,), (60, 3)])
@pytest.mark.parametrize("rank", [None, 10])
def test_ridge_regression_is_that_of_the_dense_kernel(kernel, shape, rank):
    targets = np.random.default_rng(0).standard_normal(shape)
    pairs = None if rank is None else randomised_svd(kernel, rank, seed=0)
    found = ridge_solve(kernel, targets, 0.1, tolerance=1e-10, eigenpairs=pairs)
    np.testing.assert_allclose(
        found, np.linalg.solve(kernel.compute() + 0.1 * np.eye(60), targets), rtol=1e-6
    )


def test_eigenpairs_save_passes(kernel, monkeypatch):
    passes, product = [], da.Array.__matmul__
    monkeypatch.setattr(da.Array, "__matmul__", lambda a, b: passes.append(1) or product(a, b))
    counts = []
    for pairs in (None, randomised_svd(kernel, 15, seed=0)):
        passes.clear()
        ridge_solve(kernel, np.ones(60), 0.1, eigenpairs=pairs)
        counts.append(len(passes))
    assert counts[1] < counts[0] / 2


def test_linear_algebra_refuses_what_does_not_fit(kernel):
    with pytest.raises(ValueError, match=r"array: got shape \(60, 25\), needs a square matrix"):
        randomised_svd(kernel[:, :25], 3, seed=0)
    with pytest.raises(ValueError, match="rank: got 61, allowed are 1 to 60"):
        randomised_svd(kernel, 61, seed=0)
    with pytest.raises(ValueError, match="targets: got 59 rows, the kernel has 60"):
        ridge_solve(kernel, np.ones(59), 1)
    with pytest.raises(ValueError, match="ridge: got 0, needs to be above 0"):
        ridge_solve(kernel, np.ones(60), 0)
    text = (
        r"ridge_solve: residual \d\.\de[-+]\d\d after 2 passes, wanted 1e-06; raise the ridge, or give more"
    )
    with pytest.raises(RuntimeError, match=text):
        ridge_solve(kernel, np.ones(60), 1e-6, passes=2)
