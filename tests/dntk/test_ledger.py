"""The ledger: how work adds up, when a method pays, and counts against independent ones."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from ntkd_lib.chapters.distilled.studies.costs import (
    IMAGES,
    RESNET,
    contract_costs,
    even_images,
    paper_ledgers,
)
from ntkd_lib.dntk.costs import eigenproblem, network_costs
from ntkd_lib.dntk.ledger import Cost, Ledger, Stopwatch, break_even
from ntkd_lib.nets.two_convolutions import compact_cnn

AMOUNTS = st.floats(0, 1e6)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS)
def test_break_even_is_where_both_totals_are_equal(build, query, other_build, other_query) -> None:
    one = Ledger({"a": Cost(flop=build)}, Cost(flop=query))
    other = Ledger({"a": Cost(flop=other_build)}, Cost(flop=other_query))
    count = break_even(one, other)
    if count == 0:
        assert build <= other_build
        assert query <= other_query
    elif math.isfinite(count):
        assert one.total(count).flop == pytest.approx(other.total(count).flop, rel=1e-6, abs=1e-6)
        assert one.total(2 * count + 1).flop < other.total(2 * count + 1).flop


def test_a_method_that_is_dearer_per_query_does_not_stay_cheaper() -> None:
    early, late = Ledger({"a": Cost(flop=10)}, Cost(flop=5)), Ledger({"a": Cost(flop=40)}, Cost(flop=2))
    assert break_even(late, early) == 10
    assert break_even(early, late) == math.inf


def test_memory_is_the_largest_and_all_else_adds_up() -> None:
    ledger = Ledger(
        {"a": Cost(rows=2, bytes=9), "b": Cost(rows=1, seconds=3, bytes=4)}, Cost(forward=1, bytes=5)
    )
    assert ledger.total(10) == Cost(forward=10, rows=3, seconds=3, bytes=9)
    assert Cost(flop=2).timed(4.0) == Cost(flop=2, seconds=4.0)


def test_a_clock_measures_the_work_of_this_process() -> None:
    stopwatch = Stopwatch()
    with stopwatch.measure():
        sum(range(200_000))
    assert 0 < stopwatch.seconds < 5


@pytest.mark.parametrize(("channels", "side"), [(1, 28), (3, 32)])
def test_forward_passes_take_what_torch_counts(channels: int, side: int) -> None:
    model, image = compact_cnn(channels, side), torch.rand(1, channels, side, side)
    counter = FlopCounterMode(display=False)
    with counter:
        model(image)
    costs = network_costs(model, image)
    assert costs.forward == counter.get_total_flops()
    assert costs.parameters == sum(p.numel() for p in model.parameters())


def test_structured_inner_products_take_less_than_whole_gradients() -> None:
    costs = network_costs(compact_cnn(), torch.rand(1, 1, 28, 28))
    assert 0 < costs.pair < 2 * costs.classes * costs.parameters
    pseudo = network_costs(compact_cnn(), torch.rand(1, 1, 28, 28), "pseudo")
    assert pseudo.jacobian(7).rows == 7
    assert costs.jacobian(7).rows == 70


def test_symmetry_halves_a_kernel_and_eigenproblems_are_cubic() -> None:
    costs = RESNET
    assert costs.kernel(100).flop == costs.kernel(100, 100).flop * 101 / 200
    assert costs.gram(100, None, 8).flop == 100 * 101 * costs.classes * 8
    assert eigenproblem(20).flop == 8 * eigenproblem(10).flop


def test_the_papers_sizes_give_the_sheets_figures() -> None:
    found = contract_costs()
    assert found["dntk.cost.exact_gram"] == pytest.approx(IMAGES**2 * 10 * 11.2e6, rel=1e-3)
    assert found["dntk.cost.reduced_gram"] == pytest.approx(500**2 * 10 * 4096, rel=3e-3)
    assert found["dntk.cost.exact_kernel"] == pytest.approx(1.08e16, rel=0.01)
    assert found["dntk.cost.dntk_total"] == pytest.approx(1.13e16, rel=0.01)


@pytest.mark.parametrize("backward", [1.0, 2.0])
def test_at_the_even_number_of_images_both_builds_cost_the_same(backward: float) -> None:
    images = even_images(backward)
    exact = RESNET.jacobian(images).flop + RESNET.kernel(images).flop
    assert exact == pytest.approx(paper_ledgers(backward)["DNTK"].built().flop, rel=1e-9)


def test_a_dense_projection_costs_more_than_inner_products_with_fewer_points_than_its_size() -> None:
    assert RESNET.projection(1, 500).flop == RESNET.kernel(1, 500).flop
    assert paper_ledgers()["DNTK"].query.flop > paper_ledgers()["500 random images"].query.flop
