"""Sketched features of a stream: every network, every chunk, memory of one chunk."""

import warnings
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from ntkd_lib.ntk.sketches import sparse
from ntkd_lib.ntk.sketches.kronecker import KroneckerSketch
from ntkd_lib.ntk.sketches.sparse import SparseSketch
from ntkd_lib.ntk.sketches.stream import Sketch, sketch_error, sketched_batches, sketched_features
from ntkd_lib.ntk.structured import WholeJacobianWarning
from tests.ntk.nets import CASES, LARGE, build, dense_net
from tests.ntk.sketches.draws import small_setting

SKETCHES = {
    "sparse": lambda: SparseSketch(4096, 2),
    "kronecker": lambda: KroneckerSketch(4096),
    "blocks": lambda: KroneckerSketch(4096, block=8),
}
ALL = [(name, "sparse") for name in sorted(set(CASES) - LARGE)]
ALL += [(name, sketch) for name in ("lenet", "optical student", "tied") for sketch in ("kronecker", "blocks")]


@pytest.mark.parametrize("name, sketch", ALL)
def test_large_sketches_give_the_kernel(name: str, sketch: str) -> None:
    model, x, _ = build(name)
    with warnings.catch_warnings():
        if name == "attention":
            warnings.simplefilter("ignore", WholeJacobianWarning)
        features = sketched_features(model, x, SKETCHES[sketch](), chunk=2)
        error = sketch_error(model, x, features.detach())
    assert features.shape[2] == 4096
    assert error.frobenius < 0.3


@pytest.mark.parametrize("sketch", [SparseSketch(32, 2), KroneckerSketch(32), KroneckerSketch(36, block=3)])
def test_chunks_and_batches_change_nothing(sketch: Sketch) -> None:
    model, x, _ = small_setting(7)
    whole = sketched_features(model, x, sketch, chunk=7)
    for chunk in (1, 3, 100):
        torch.testing.assert_close(sketched_features(model, x, sketch, chunk), whole)
    batches = (batch for batch in x.split([2, 0, 4, 1]))
    torch.testing.assert_close(sketched_features(model, batches, sketch, chunk=4), whole)
    assert [len(part) for part in sketched_batches(model, x, sketch, 3)] == [3, 3, 1]
    assert not whole.requires_grad


class Largest(TorchDispatchMode):
    """Notes the size of the largest tensor that an operation has made."""

    size = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        made = [t for t in (out if isinstance(out, tuple | list) else (out,)) if isinstance(t, torch.Tensor)]
        self.size = max([self.size, *(t.untyped_storage().nbytes() for t in made)])
        return out


@pytest.mark.parametrize("sketch", [SparseSketch(4), KroneckerSketch(4)])
def test_memory_does_not_grow_with_the_samples(sketch: Sketch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse, "STEP", 2**14)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 300), nn.ReLU(), nn.Linear(300, 300), nn.ReLU(), nn.Linear(300, 4))
    sizes = []
    for n in (8, 24):
        batches = [torch.randn(4, 6) for _ in range(n // 4)]
        with Largest() as largest:
            for _ in sketched_batches(model, batches, sketch, chunk=4):
                pass
        sizes.append(largest.size)
    assert sizes[0] == sizes[1] <= 4 * 300 * 300  # nothing is larger than the largest weight itself


def test_parameters_that_are_not_known_are_sketched_with_a_note() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense, self.scale = nn.Linear(6, 3), nn.Parameter(torch.tensor(0.7))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.scale * self.dense(x)

    torch.manual_seed(1)
    model, x = Scaled().double(), torch.randn(4, 6).double()
    with pytest.warns(WholeJacobianWarning, match="scale: not known"):
        features = sketched_features(model, x, SparseSketch(2**14), chunk=4)
    with pytest.warns(WholeJacobianWarning, match="scale: not known"):
        assert sketch_error(model, x, features).frobenius < 0.05


@pytest.mark.parametrize(
    "change, text",
    [
        ({"chunk": 0}, "chunk: got 0, needs at least 1 sample"),
        ({"x": torch.zeros(0, 6)}, "x: got an empty batch, needs at least one sample"),
        ({"x": []}, "x: got no batch, needs at least one sample"),
        ({"model": nn.Flatten()}, "model: got no trainable parameter"),
        ({"model": nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4))}, "BatchNorm1d in training mode"),
    ],
)
def test_refusals_name_what_came(change: dict, text: str) -> None:
    arguments = {"model": dense_net(), "x": torch.zeros(2, 6), "sketch": SparseSketch(8)} | change
    with pytest.raises(ValueError, match=text):
        sketched_features(**arguments)


def test_batches_with_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="x: got a batch of type tuple, allowed are tensors of samples"):
        list(sketched_batches(dense_net(), iter([(torch.zeros(2, 6), torch.zeros(2))]), SparseSketch(8)))
