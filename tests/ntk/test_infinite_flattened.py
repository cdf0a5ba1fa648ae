"""The fast kernel of flattened maps against the general one, in one piece and in blocks."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from ntkd_lib.ntk.blocked_store import save_blocks
from ntkd_lib.ntk.infinite import blocked, flattened
from ntkd_lib.ntk.infinite.blocked import blocked_flattened_ntk
from ntkd_lib.ntk.infinite.convolutional import convolutional_kernels
from ntkd_lib.ntk.infinite.flattened import TILE, flattened_ntk

HAS_COMPILER = pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")


def photographs(n: int, *shape: int, seed: int = 0) -> torch.Tensor:
    """Draw bytes with dark and saturated regions, and some images twice."""
    drawn = torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed))
    images = (120 + 200 * drawn).clamp(0, 255).to(torch.uint8)
    images[1::5] = images[::5][: len(images[1::5])]
    return images


def exact(x1: torch.Tensor, x2: torch.Tensor | None, size: int, weight_std: float = 2**0.5) -> torch.Tensor:
    return convolutional_kernels(x1, x2, filter_size=size, weight_std=weight_std).ntk


def assert_relative(found: torch.Tensor, expected: torch.Tensor, limit: float) -> None:
    assert found.dtype == torch.float32
    assert ((found - expected).abs() <= limit * expected.abs()).all()


@pytest.mark.parametrize("shape", [(3, 8, 10), (1, 5, 5), (2, 7, 3)])
@pytest.mark.parametrize("size", [1, 3, 7])
@pytest.mark.parametrize("weight_std", [2**0.5, 0.7])
def test_is_the_general_kernel(shape: tuple[int, ...], size: int, weight_std: float) -> None:
    x, y = photographs(6, *shape), photographs(4, *shape, seed=1)
    options = {"filter_size": size, "weight_std": weight_std}
    assert_relative(flattened_ntk(x, y, **options), exact(x, y, size, weight_std), 1e-6)
    own = flattened_ntk(x, **options)
    assert torch.equal(own, own.T)
    assert_relative(own, exact(x, None, size, weight_std), 1e-6)


def test_signed_values_and_dark_patches() -> None:
    x = torch.randn(5, 2, 9, 9, generator=torch.Generator().manual_seed(0))
    x[0, :, :, 4:] = 0
    x[1] = 0
    x[3] = -x[2]
    largest = exact(x, None, 3).max()
    for found, expected in (
        (flattened_ntk(x, filter_size=3), exact(x, None, 3)),
        (flattened_ntk(x, x.flip(0), filter_size=3), exact(x, x.flip(0), 3)),
    ):
        assert (found - expected).abs().max() <= 1e-6 * largest
    assert not flattened_ntk(x, filter_size=3)[1].any()


def test_tiles_change_nothing() -> None:
    x, y = photographs(TILE + 3, 1, 4, 4), photographs(2 * TILE, 1, 4, 4, seed=1)
    whole = flattened_ntk(x, y, filter_size=3)
    assert torch.equal(whole[-3:, 5:7], flattened_ntk(x[-3:], y[5:7], filter_size=3))
    own = flattened_ntk(x, filter_size=3)
    assert torch.equal(
        own[: TILE + 1, TILE + 1 :], flattened_ntk(x[: TILE + 1], x[TILE + 1 :], filter_size=3)
    )


@HAS_COMPILER
@pytest.mark.filterwarnings(
    "ignore:.torch.jit:DeprecationWarning"
)  # torch's compiler uses what torch warns of
def test_compiled_step_gives_the_same() -> None:
    columns = torch.rand(9, TILE, TILE)
    norms = torch.rand(7, TILE) + 1
    row = flattened._PositionRow(torch.empty(0), norms, 1 / norms)
    plain, compiled = flattened._row_sum, flattened._compiled_row_sum()
    torch.testing.assert_close(compiled(columns, row, row), plain(columns, row, row))


def test_blocks_are_the_whole(tmp_path: Path) -> None:
    x, y = photographs(11, 3, 6, 6).numpy(), photographs(7, 3, 6, 6, seed=1).numpy()
    for other in (None, y):
        array = blocked_flattened_ntk(x, other, filter_size=3, block=4)
        assert array.numblocks == (3, 3 if other is None else 2)
        whole = flattened_ntk(torch.tensor(x), None if other is None else torch.tensor(other), filter_size=3)
        saved = save_blocks(array, tmp_path / str(array.name)).compute(scheduler="synchronous")
        np.testing.assert_allclose(saved, whole.numpy(), rtol=1e-6)
    own = save_blocks(blocked_flattened_ntk(x, filter_size=3, block=4), tmp_path / "own").compute()
    assert (own == own.T).all()


def test_blocks_below_the_diagonal_are_not_computed(monkeypatch) -> None:
    made = []
    compute = blocked._block
    monkeypatch.setattr(blocked, "_block", lambda *args: made.append(len(args)) or compute(*args))
    x = photographs(8, 1, 4, 4).numpy()
    array = blocked_flattened_ntk(x, filter_size=3, block=2)
    made.clear()
    array.compute(scheduler="synchronous")
    assert sorted(made) == [2] * 4 + [3] * 6


def test_name_follows_from_content() -> None:
    x = photographs(4, 1, 4, 4).numpy()
    names = [
        blocked_flattened_ntk(x, filter_size=3).name,
        blocked_flattened_ntk(x, x, filter_size=3).name,
        blocked_flattened_ntk(x, filter_size=1).name,
        blocked_flattened_ntk(x, filter_size=3, weight_std=1.0).name,
        blocked_flattened_ntk(x, filter_size=3, block=2).name,
        blocked_flattened_ntk(x[::-1], filter_size=3).name,
    ]
    assert len({*names}) == len(names)
    assert blocked_flattened_ntk(x.copy(), filter_size=3).name == names[0]


@pytest.mark.parametrize(
    "changes, text",
    [
        ({"filter_size": 4}, "filter_size: got 4, allowed are odd sides"),
        ({"filter_size": 0}, "filter_size: got 0, allowed are odd sides"),
        ({"weight_std": 0}, "weight_std: got 0"),
        ({"x1": torch.full((1, 1, 2, 2), float("nan"))}, "x1: got values that are not finite"),
        ({"x2": torch.ones(1, 1, 2, 3)}, "x2: got samples of shape"),
        ({"x1": torch.ones(2, 2)}, "x1: got shape"),
    ],
)
def test_refuses(changes: dict, text: str) -> None:
    given = {"x1": torch.ones(2, 1, 2, 2), "filter_size": 1, **changes}
    x1 = given.pop("x1")
    with pytest.raises(ValueError, match=f"^{text}"):
        flattened_ntk(x1, given.pop("x2", None), **given)
    if "x1" not in changes and "x2" not in changes:
        with pytest.raises(ValueError, match=f"^{text}"):
            blocked_flattened_ntk(x1.numpy(), **given)


def test_refuses_to_compile_without_a_compiler(monkeypatch) -> None:
    monkeypatch.setenv("PATH", "")
    text = r"^compiled: got True, needs a C\+\+ compiler \(.*g\+\+.*\); none is found$"
    images = torch.ones(2, 1, 2, 2)
    for refused, given in ((flattened_ntk, images), (blocked_flattened_ntk, images.numpy())):
        with pytest.raises(ValueError, match=text):
            refused(given, filter_size=1, compiled=True)


def test_refuses_empty_blocks() -> None:
    with pytest.raises(ValueError, match=r"^block: got 0, needs at least 1 image"):
        blocked_flattened_ntk(np.ones((2, 1, 2, 2)), filter_size=1, block=0)
