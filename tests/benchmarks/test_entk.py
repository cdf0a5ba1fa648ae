"""The benchmark's own ways are right, and what it counts and fits is what it says."""

import pytest
import torch
from torch import nn

from benchmarks import entk, entk_ways
from benchmarks.entk_checks import minimum_work, slope
from benchmarks.entk_ways import WAYS, Task, growth_of
from benchmarks.entk_worker import Worker
from ntkd_lib.ntk.reference import reference_ntk


def small(kind: str, n: int = 6) -> Task:
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)
    return Task(nn.Sequential(*layers).eval(), torch.randn(n, 1, 4, 4), kind, 3)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("kind", ["full", "trace"])
@pytest.mark.parametrize("room", [2**30, 3000])
@pytest.mark.parametrize("way", ["ours, auto", "torch.func contraction", "torch.func vector products"])
def test_ways_agree_with_slow_twin(way: str, room: int, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entk_ways, "JACOBIANS", room)
    monkeypatch.setattr(entk_ways, "PRODUCT_ROWS", room // 100)
    task = small(kind)
    full = reference_ntk(task.model, task.x)
    exact = full if kind == "full" else full.diagonal(dim1=2, dim2=3).sum(2)
    found = WAYS[way](task).double()
    assert (found - exact).norm() <= 1e-5 * exact.norm()
    assert task.tile() == (6 if room > 3000 else 2)


def test_the_fewest_operations_of_one_image() -> None:
    forward = 2 * (784 * 2048 + 2048 * 2048 + 2048 * 10)
    signals = 2 * 10 * (2048 * 2048 + 2048 * 10)
    grams = 2 * (784 + 2048 + 2048 + 100 * (2048 + 2048 + 10))
    assert minimum_work(1) == forward + signals + grams


def test_the_exponent_of_a_power() -> None:
    assert slope([1, 2, 4], [3, 12, 48]) == pytest.approx(2)


@pytest.mark.parametrize(
    "way, kind, room, times",
    [
        ("torch.func contraction", "full", 2**30, 3),
        ("torch.func contraction", "full", 3000, 9),
        ("torch.func vector products", "full", 3000, 9),
        ("asdfghjkl", "full", 3000, 9),
        ("asdfghjkl", "trace", 3000, 3),
        ("nngeometry", "full", 3000, 3),
        ("torchjd", "full", 3000, 3),
    ],
)
def test_growth_of_peers(way: str, kind: str, room: int, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entk_ways, "JACOBIANS", room)
    assert growth_of(way, small(kind, 2), small(kind, 6)) == times


def test_a_worker_measures_and_compares(tmp_path) -> None:
    worker = Worker({"way": "ours, structured", "net": "LeNet", "n": 2, "kind": "full"})
    found = worker.ask("run")
    assert found["seconds"] > 0
    assert worker.ask(f"save {tmp_path / 'kernel.npy'}") == {}
    assert worker.ask(f"compare {tmp_path / 'kernel.npy'}") == {"error": 0}
    worker.process.kill()
    worker.process.wait()
    assert worker.ask("run") == {"fails": "the process ended, out of memory"}
    worker.end()


def test_rows_say_why_a_way_did_not_run(capsys: pytest.CaptureFixture) -> None:
    measured = {"seconds": 0.5, "wall": 0.5, "mebibytes": 10.0, "runs": 3, "error": 0.0}
    found = {
        "ours, auto": measured,
        "torch.func contraction": {**measured, "seconds": 50.0, "tile": 8},
        "nngeometry": {"predicted": 700.0},
        "asdfghjkl": {"missing": "not installed"},
    }
    entk.print_row(("MLP", 16, "full"), found)
    printed = capsys.readouterr().out
    assert "100.00 x" in printed
    assert "8 samples at a time" in printed
    assert "not run: predicted above 700 s, 1,400 x" in printed
    assert printed.rstrip().endswith("not installed")


def test_a_missing_library_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entk, "installed", lambda way: None)
    assert entk._refused("nngeometry", ("LeNet", 2, "full"), 10) == {"missing": "not installed"}
