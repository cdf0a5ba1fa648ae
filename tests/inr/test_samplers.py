"""Samplers: distinct indices in range, the same for the same seed, and each its own promise."""

from math import exp

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkd_lib.chapters.nint.methods import METHODS
from ntkd_lib.chapters.nint.work import SAMPLERS
from ntkd_lib.inr.network import wrap
from ntkd_lib.inr.samplers.base import Sampler, largest
from ntkd_lib.inr.samplers.error_memory import ErrorMemory
from ntkd_lib.inr.samplers.evos import laplacian
from ntkd_lib.inr.samplers.nint import Nint
from ntkd_lib.inr.samplers.single_rule import ErrorMix, IntTeaching, UniformDraw
from ntkd_lib.inr.samplers.soft_mining import SoftMining
from ntkd_lib.inr.signals import Signal
from ntkd_lib.inr.training import SCORES, Clock, TrainingContext
from tests.inr.nets import image, net

NAMES = [name for name in METHODS if name != "full"]


def make(name, signal, batch, seed=0):
    method = METHODS[name]
    return SAMPLERS[method.sampler](signal, batch, seed, **method.settings)


def view(signal):
    return TrainingContext(wrap(net(width=8, hidden=1).float(), chunk=64), signal, Clock())


def choices(name, signal, batch, steps=3, seed=0):
    sampler, state = make(name, signal, batch, seed), view(signal)
    found = []
    for step in range(steps):
        indices = sampler.indices(step, state)
        sampler.observe(indices, state.residuals()[indices])
        found.append(indices)
    return found


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=8, deadline=None, derandomize=True)
@given(data=st.data())
def test_indices_are_distinct_and_in_range(name, data):
    side = data.draw(st.integers(2, 9))
    constant = data.draw(st.booleans())
    values = torch.full((side * side, 3), 0.5) if constant else image(side).values
    count = side * side
    batch = data.draw(st.sampled_from([1, count // 2, count]))
    for indices in choices(name, Signal(values, (side, side)), batch, seed=data.draw(st.integers(0, 99))):
        assert indices.shape == (batch,)
        assert indices.dtype == torch.long
        assert len(indices.unique()) == batch
        assert indices.min() >= 0
        assert indices.max() < count


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_indices(name):
    first, second = (choices(name, image(), 20, steps=4) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("shape", [(64,), (4, 4, 4)])
@pytest.mark.parametrize("name", NAMES)
def test_sound_and_volumes_can_be_sampled(name, shape):
    signal = Signal(torch.linspace(-1, 1, 64)[:, None], shape)
    network = wrap(net(inputs=len(shape), outputs=1).float())
    sampler, state = make(name, signal, 13), TrainingContext(network, signal, Clock())
    for step in range(2):
        assert len(sampler.indices(step, state).unique()) == 13
        state.forget()


@pytest.mark.parametrize("batch", [0, 145])
def test_impossible_batches_are_refused(batch):
    with pytest.raises(ValueError, match=rf"batch = {batch} is not allowed; allowed: 1 to 144, all points"):
        ErrorMemory(image(), batch, 0)


def test_full_batch_is_everything_in_order():
    (found,) = choices("full", image(), 144, steps=1)
    assert torch.equal(found, torch.arange(144))


def test_error_mix_holds_the_largest_errors():
    signal = image()
    state = view(signal)
    found = ErrorMix(signal, 50, 0, xi=0.6).indices(0, state)
    hardest = state.residuals().abs().sum(1).topk(20).indices
    assert set(hardest.tolist()) <= set(found.tolist())


def test_dense_int_is_the_largest_errors_alone():
    signal = image()
    state = view(signal)
    found = IntTeaching(signal, 30, 0).indices(0, state)
    assert set(found.tolist()) == set(state.residuals().abs().sum(1).topk(30).indices.tolist())


def test_incremental_int_looks_ever_more_rarely():
    signal = image()
    sampler, state = IntTeaching(signal, 30, 0, incremental=True, longest=3), view(signal)
    looks = []
    for step in range(12):
        state.forget()
        before = state.clock.forwards
        sampler.indices(step, state)
        looks += [step] if state.clock.forwards > before else []
    assert looks == [0, 1, 3, 6, 9]


def test_nint_shares_follow_the_formula():
    sampler = Nint(image(), 100, 0)
    for step in (0, 5, 20):
        assert sampler.share(step) == pytest.approx(0.3 * exp(-step / 10))
    released = Nint(image(), 100, 0, staircase=True)
    expected = [0.3 * exp(-1), 0.3 * exp(-1), 0.3 * exp(-2), 0.3 * exp(-6)]
    assert [released.share(step) for step in (0, 9, 10, 50)] == pytest.approx(expected)


def test_released_shares_of_the_batch_are_those_that_were_read_in_its_code():
    sampler = Nint(image(), 100, 0, staircase=True)
    found = [100 * sampler.share(step) for step in (0, 9, 19, 29, 39, 49)]
    assert found == pytest.approx([11.0, 11.0, 4.1, 1.5, 0.55, 0.20], abs=0.06)


def test_nint_starts_with_the_largest_scores_and_refreshes_every_tenth_step():
    signal = image()
    sampler, state = Nint(signal, 50, 0), view(signal)
    refreshes = []
    for step in range(40):
        state.forget()
        before = state.clock.forwards
        indices = sampler.indices(step, state)
        refreshes += [step] if state.clock.forwards - before > 1 else []
        if step == 0:
            top = largest(SCORES["tangent"](state), 15)
            assert set(top.tolist()) <= set(indices.tolist())
    assert refreshes == [0, 10, 20]


def test_nint_without_a_share_is_the_error_mix():
    signal = image()
    first = Nint(signal, 50, 3, lam=1e9)
    state = view(signal)
    first.ranking = torch.arange(144)
    hard = set(ErrorMix(signal, 50, 3).indices(1, state)[:15].tolist())
    assert set(first.indices(1, state)[:15].tolist()) == hard


def test_systematic_draws_have_the_right_chances():
    sampler = Sampler(Signal(torch.zeros(8, 1), (8,)), 4, 0)
    weights = torch.tensor([1.0, 2, 3, 0, 4, 5, 2, 3])
    counts = torch.zeros(8)
    for _ in range(4000):
        counts[sampler.proportional(weights, 4)] += 1
    torch.testing.assert_close(counts / 4000, 4 * weights / weights.sum(), atol=0.03, rtol=0)


def test_nothing_to_draw_from():
    sampler = Sampler(Signal(torch.zeros(8, 1), (8,)), 4, 0)
    assert len(sampler.proportional(torch.zeros(8), 4)) == 0


def test_error_memory_prefers_what_it_has_seen_fail():
    signal = image()
    sampler, state = ErrorMemory(signal, 20, 0), view(signal)
    residuals = torch.zeros(144, 3)
    residuals[7] = 10
    sampler.observe(torch.arange(144), residuals)
    assert all(7 in sampler.indices(step, state) for step in range(20))


def test_walkers_climb_and_their_weights_undo_it():
    side = 20
    signal = Signal(torch.rand(side * side, 1), (side, side))
    sampler, state = SoftMining(signal, 60, 0, restart=0.0, drift=1.0), view_of_one(signal)
    hill = -(torch.arange(side * side) % side - 15.0).abs()[:, None] + 16
    columns = []
    for step in range(40):
        indices = sampler.indices(step, state)
        sampler.observe(torch.arange(side * side), hill)
        columns.append((indices % side).float().mean().item())
    # an even draw gives 9.5 ± 0.2; walkers that meet start anew, which keeps the crowd from the top at 15
    assert sum(columns[20:]) / 20 > 11
    assert sampler.weights.mean().item() == pytest.approx(1)
    assert torch.corrcoef(torch.stack([sampler.weights, hill[indices, 0]]))[0, 1] < -0.8


def view_of_one(signal):
    return TrainingContext(wrap(net(outputs=1).float()), signal, Clock())


def test_laplacian_of_a_plane_is_zero_inside():
    x, y = torch.meshgrid(torch.arange(6.0), torch.arange(5.0), indexing="ij")
    assert laplacian((2 * x - y)[None])[0, 1:-1, 1:-1].abs().max() == 0
    bump = torch.zeros(1, 5, 5)
    bump[0, 2, 2] = 1
    assert laplacian(bump)[0, 2, 2] == -4


def test_unknown_scores_are_refused():
    with pytest.raises(ValueError, match=r"unknown score 'ntk'; allowed: tangent, alignment, leverage"):
        view(image()).score("ntk")


class Loop:
    """A training loop of one's own: residuals come with their graph, in the type of the network."""

    def __init__(self, signal, dtype):
        torch.manual_seed(0)
        self.signal, self.dtype = signal, dtype
        self.model = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)).to(
            dtype
        )

    def residuals(self):
        x = self.signal.coordinates.to(self.dtype)
        return self.model(x) - self.signal.values.to(self.dtype)

    def score(self, name):
        return self.residuals().square().sum(1)

    def step(self, sampler, step):
        indices = sampler.indices(step, self)
        residuals = self.residuals()[indices]
        weights = 1 if sampler.weights is None else sampler.weights[:, None]
        sampler.observe(indices, residuals)
        self.model.zero_grad()
        (weights * residuals.square()).mean().backward()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", NAMES)
def test_any_loop_can_use_a_sampler_and_no_graph_is_kept(name, dtype):
    signal = image()
    sampler, loop = make(name, signal, 20), Loop(signal, dtype)
    for step in range(4):
        loop.step(sampler, step)
    held = [value for value in vars(sampler).values() if isinstance(value, torch.Tensor)]
    assert not any(value.requires_grad for value in held)


def test_residuals_that_are_no_number_are_refused():
    signal = image()
    sampler = ErrorMemory(signal, 20, 0)
    sampler.observe(torch.arange(144), torch.full((144, 3), torch.nan))
    sampler.complete = True
    with pytest.raises(ValueError, match=r"^weights: add up to nan, needs finite numbers"):
        sampler.indices(0, view(signal))


def test_a_batch_may_be_an_integer_of_numpy():
    assert len(UniformDraw(image(), batch=np.int64(5), seed=0).fill([])) == 5
