import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntkd_lib.lab import progress
from ntkd_lib.lab.progress import Outlook


class Clock:
    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    return made


def outlook_of(costs, workers):
    return Outlook({str(cell): cost for cell, cost in enumerate(costs)}, workers)


def outlooks(clock, costs, seconds, workers):
    """Let each free worker take the next cell; give the time and the outlook after each end."""
    clock.now = 0.0
    ahead, said, waiting, busy = outlook_of(costs, workers), [], list(range(len(costs))), []
    while waiting or busy:
        while waiting and len(busy) < workers:
            cell = waiting.pop(0)
            ahead.begin(str(cell))
            heapq.heappush(busy, (clock.now + seconds[cell], cell))
        clock.now, cell = heapq.heappop(busy)
        ahead.end(str(cell), done=True)
        said.append((clock.now, ahead.seconds_left()))
    return said


@given(st.lists(st.floats(0.1, 100), min_size=1, max_size=12), st.integers(1, 4))
def test_where_guesses_hold_the_end_is_missed_by_one_cell_at_most(costs, workers):
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock()
        patch.setattr(progress, "time", clock)
        said = outlooks(clock, costs, costs, workers)
    end = said[-1][0]
    for now, left in said:
        assert left - 1e-6 <= end - now <= left + max(costs) + 1e-6


def test_one_worker_with_right_guesses_is_foreseen_to_the_second(clock):
    costs = [7.0, 1.0, 30.0, 2.0]
    assert outlook_of(costs, 1).seconds_left() == 40
    assert outlooks(clock, costs, costs, 1) == [
        (7, pytest.approx(33)),
        (8, pytest.approx(32)),
        (38, pytest.approx(2)),
        (40, 0),
    ]


def test_work_that_is_under_way_counts(clock):
    said = outlooks(clock, [1000.0, *[10.0] * 10], [1000.0, *[10.0] * 10], 2)
    assert said[0] == (10, pytest.approx(990))
    assert said[5] == (60, pytest.approx(940))


def test_a_slower_machine_is_noticed_and_a_first_slow_cell_is_not_taken_for_one(clock):
    slow = outlooks(clock, [10.0] * 40, [20.0] * 40, 1)
    assert slow[0][1] == pytest.approx(390 * 40 / 30)  # a twentieth of 400 s at its guess, and 20 s for 10
    assert slow[19] == (400, pytest.approx(200 * 420 / 220))
    started_slowly = outlooks(clock, [1.0, *[10.0] * 100], [11.0, *[10.0] * 100], 1)
    assert started_slowly[0][1] == pytest.approx(1000 * 61.05 / 51.05)


def test_a_failed_cell_leaves_no_work_and_says_nothing_about_speed(clock):
    ahead = outlook_of([10.0, 10.0, 10.0], 1)
    ahead.begin("0")
    clock.now = 500.0
    ahead.end("0", done=False)
    assert ahead.seconds_left() == 20


def test_a_cell_that_is_begun_again_starts_anew(clock):
    ahead = outlook_of([10.0, 10.0], 2)
    ahead.begin("0")
    clock.now = 8.0
    ahead.begin("0")
    clock.now = 9.0
    assert ahead.seconds_left() == pytest.approx((9 + 10) / 2)


def test_a_cell_that_another_run_made_is_work_gone(clock):
    ahead = outlook_of([10.0, 10.0], 1)
    ahead.end("0", done=True)
    assert ahead.seconds_left() == 10


def test_cells_that_cost_nothing_are_no_division_by_zero(clock):
    assert outlooks(clock, [0.0, 0.0], [3.0, 3.0], 1) == [(3, 0), (6, 0)]
