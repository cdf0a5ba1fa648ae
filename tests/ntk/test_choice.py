"""Which method a network gets, where measurements have shown the fastest one."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.profiler import profile

from ntkd_lib.ntk.choice import choose_method, choose_tile, measure_network, predicted_work
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.kinds import KINDS
from ntkd_lib.optics.student import mnist_student
from tests.ntk.nets import build


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["dense", "lenet", "wide", "resnet18"])
def test_known_layers_are_never_given_whole_jacobians(name: str, kind: str) -> None:
    model, x, _ = build(name)
    batch = x[:1].expand(16, *x.shape[1:])
    assert choose_method(model, batch, len(batch), kind) != "contraction"


def test_predictions_grow_with_the_batch_as_theory_says() -> None:
    model, x, _ = build("wide")
    sizes = measure_network(model, x[:1], "full")
    small, large = (predicted_work(sizes, n, n, "full") for n in (1000, 2000))
    assert 3.5 < large["structured"] / small["structured"] <= 4
    assert large["products"] / small["products"] == pytest.approx(4, rel=0.01)
    assert 3.5 < large["contraction"] / small["contraction"] <= 4


def peak_bytes(compute: Callable[[], object]) -> int:
    with profile(profile_memory=True) as trace:
        compute()
    events = [e for e in trace.profiler.kineto_results.events() if e.name() == "[memory]"]
    changes = torch.tensor([e.nbytes() for e in sorted(events, key=lambda event: event.start_ns())])
    return int(changes.cumsum(0).max())


@pytest.mark.parametrize("name", ["perceptron", "student"])
def test_tiles_of_one_position_and_of_own_layers_use_their_memory_and_no_more(name: str) -> None:
    torch.manual_seed(0)
    perceptron = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))
    model, shape, memory = {
        "perceptron": (perceptron, (784,), 2**20),
        "student": (mnist_student(), (1, 28, 28), 2**24),
    }[name]
    x = torch.rand(64, *shape)
    assert 4 < choose_tile(model, x, "trace", "structured", memory) < len(x)

    @torch.no_grad()
    def compute() -> None:
        empirical_ntk(model, x, kind="trace", method="structured", tile="auto", memory=memory, probe=False)

    compute()
    assert memory / 5 < peak_bytes(compute) < memory
