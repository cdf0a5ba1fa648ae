"""Training: the clock, evaluations, races, and what happens when a loss is no number."""

import time

import pytest
import torch

from ntkd_lib.inr.network import wrap
from ntkd_lib.inr.samplers.base import Sampler, magnitude
from ntkd_lib.inr.samplers.error_memory import ErrorMemory
from ntkd_lib.inr.samplers.nint import Nint
from ntkd_lib.inr.samplers.single_rule import FullBatch, UniformDraw
from ntkd_lib.inr.samplers.soft_mining import SoftMining
from ntkd_lib.inr.signals import Signal
from ntkd_lib.inr.training import Clock, DivergedError, TrainingRun, psnr, race, race_for_time
from tests.inr.nets import image, net


def fit(kind=UniformDraw, batch=30, every=5, lr=1e-3, **settings):
    signal = image()
    return TrainingRun(wrap(net().float(), chunk=32), signal, kind(signal, batch, 0, **settings), lr, every)


def test_psnr_of_known_errors():
    assert psnr(torch.full((10, 3), 0.1)) == pytest.approx(20)
    assert psnr(torch.zeros(10, 3)) == pytest.approx(120)
    assert psnr(torch.full((10, 1), 0.1), peak=2.0) == pytest.approx(20 + 6.0206, abs=1e-4)


def test_training_is_that_of_a_plain_loop():
    made = fit(FullBatch, 144)
    model = net().float()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(5):
        optimiser.zero_grad()
        (model(made.signal.coordinates) - made.signal.values).square().mean().backward()
        optimiser.step()
    made.advance(5)
    for ours, plain in zip(made.network.net.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-6)


def test_a_signal_of_64_bits_is_fitted_by_a_network_of_64_bits():
    signals = [image(), Signal(image().values.double(), (12, 12))]
    for kind in (UniformDraw, Nint):
        fits = [
            TrainingRun(wrap(net().to(s.values.dtype)), s, kind(s, 30, 0), 1e-3, every=5) for s in signals
        ]
        race(fits, 10)
        single, double = ([point.quality for point in fit.curve] for fit in fits)
        assert double == pytest.approx(single, abs=1e-3)
        assert fits[1].network.predict(signals[1].coordinates).dtype == torch.float64


@pytest.mark.parametrize("name", ["siren", "hashgrid"])
def test_networks_and_samplers_of_another_signal_are_refused(name):
    signal, other = image(), image(side=8)
    for outputs in (1, 4):
        allowed = rf"^network: got a prediction of shape \(2, {outputs}\), allowed: \(2, 3\)$"
        with pytest.raises(ValueError, match=allowed):
            TrainingRun(wrap(net(name, outputs=outputs).float()), signal, UniformDraw(signal, 30, 0))
    with pytest.raises(ValueError, match=r"^signal\.values: got torch.float32, allowed: torch.float64$"):
        TrainingRun(wrap(net(name)), signal, UniformDraw(signal, 30, 0))
    for first, second in ((signal, other), (other, signal)):
        count, points = len(first.values), len(second.values)
        text = rf"^sampler: got {count} points, allowed: {points}, those of the signal$"
        with pytest.raises(ValueError, match=text):
            TrainingRun(wrap(net(name).float()), second, UniformDraw(first, 30, 0))


def test_muon_trains_the_hidden_matrices_and_adam_the_rest():
    signal, model = image(), net().float()
    made = TrainingRun(wrap(net().float(), chunk=32), signal, FullBatch(signal, 144, 0), 1e-3, 5, muon=True)
    hidden = [p for p in model.parameters() if p.ndim == 2 and p.shape[0] == p.shape[1]]
    others = [p for p in model.parameters() if p.ndim == 1 or p.shape[0] != p.shape[1]]
    muon = torch.optim.Muon(hidden, lr=1e-3, weight_decay=0, adjust_lr_fn="match_rms_adamw")
    adam = torch.optim.Adam(others, lr=1e-3)
    for _ in range(3):
        model.zero_grad()
        (model(signal.coordinates) - signal.values).square().mean().backward()
        muon.step()
        adam.step()
    made.advance(3)
    for ours, plain in zip(made.network.net.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-3, atol=1e-5)
    with pytest.raises(ValueError, match="muon: the network has no matrix between its first and its last"):
        TrainingRun(wrap(torch.nn.Linear(2, 3)), signal, FullBatch(signal, 144, 0), muon=True)


RACES = [race, lambda fits, steps: race_for_time(fits, 0, steps)]


@pytest.mark.parametrize("run_race", RACES)
def test_one_that_diverges_stops_and_the_others_go_on(run_race):
    signal = image()
    first, lost, last = (
        TrainingRun(wrap(net().float()), signal, FullBatch(signal, 144, 0), lr) for lr in (1e-3, 1e30, 1e-3)
    )
    with pytest.raises(DivergedError, match=r"^the loss of step \d+ is no number; weights of step 0 kept$"):
        run_race([first, lost, last], 60)
    assert first.step == 60
    assert last.step > 30
    assert lost.step < 10
    assert not first.stopped
    assert not last.stopped
    assert lost.stopped.endswith("weights of step 0 kept")


def test_a_race_for_time_ends_where_its_leader_stops():
    signal = image()
    other, leader = (
        TrainingRun(wrap(net().float()), signal, FullBatch(signal, 144, 0), lr) for lr in (1e-3, 1e30)
    )
    with pytest.raises(DivergedError):
        race_for_time([other, leader], 1, 400)
    assert other.step < 200
    assert not other.stopped


@pytest.mark.parametrize("run_race", RACES)
def test_the_learning_rate_decays_with_the_race(run_race):
    signal = image()
    fits = [
        TrainingRun(wrap(net().float()), signal, UniformDraw(signal, 30, 0), 1e-3, decay=decay)
        for decay in (1.0, 0.01)
    ]
    run_race(fits, 50)
    (constant,), (decayed,) = (fit.optimisers for fit in fits)
    assert constant.param_groups[0]["lr"] == 1e-3
    assert decayed.param_groups[0]["lr"] == pytest.approx(1e-4)  # the second of two blocks
    with pytest.raises(
        ValueError, match=r"decay: got 0\.01; a race in parts allows 1, a constant learning rate"
    ):
        fits[1].load_state_dict(fits[1].state_dict())


def test_evaluations_fall_on_multiples_and_on_the_end():
    made = fit(every=4)
    race([made], 10, block=3)
    assert [point.step for point in made.curve] == [0, 4, 8, 10]
    assert all(a.cpu <= b.cpu for a, b in zip(made.curve, made.curve[1:], strict=False))


@pytest.mark.parametrize("kind", [UniformDraw, Nint, ErrorMemory])
def test_a_race_in_two_parts_has_the_curve_of_one_race(kind):
    whole, parts = fit(kind), fit(kind)
    race([whole], 20)
    for end in (10, 10, 20):
        race([parts], end)
    curves = [
        [(point.step, point.quality, point.forwards) for point in made.curve] for made in (whole, parts)
    ]
    assert curves[0] == curves[1]


@pytest.mark.parametrize("kind", [Nint, ErrorMemory, SoftMining])
def test_a_saved_state_is_of_its_step_for_every_run_that_loads_it(kind):
    first = fit(kind)
    first.advance(6)
    state = first.state_dict()
    race([first], 12)
    for _ in range(2):
        again = fit(kind)
        again.load_state_dict(state)
        race([again], 12)
        assert [point.quality for point in again.curve] == [point.quality for point in first.curve]
        assert again.clock.forwards == first.clock.forwards


def test_forward_equivalents_are_counted():
    uniform, nint, full = fit(), fit(Nint), fit(FullBatch, 144)
    race([uniform, nint, full], 15)
    assert uniform.clock.forwards == pytest.approx(15 * 3 * 30 / 144)
    assert full.clock.forwards == pytest.approx(15 * 3)
    # two refreshes of 5 give the errors of their steps too
    assert nint.clock.forwards == pytest.approx(15 * 3 * 30 / 144 + 13 + 2 * 5)


@pytest.mark.parametrize("kind", [UniformDraw, Nint])
def test_a_point_of_a_curve_has_the_costs_of_the_steps_before_it(kind):
    made, early = fit(kind), fit(kind)
    made.advance(11)
    early.advance(10)
    assert [point.step for point in made.curve] == [0, 5, 10]
    assert made.curve[-1].forwards == early.clock.forwards
    assert made.curve[0].forwards == made.curve[0].cpu == 0


def test_evaluation_is_not_on_the_clock():
    made = fit(every=1)
    slow = made.quality

    def waiting(residuals):
        end = time.thread_time() + 0.05
        while time.thread_time() < end:
            pass
        return slow(residuals)

    made.quality = waiting
    made.advance(4)
    assert made.clock.cpu < 0.1


def test_the_clock_counts_work_and_not_sleep():
    clock = Clock()
    with clock.running():
        time.sleep(0.05)
    assert clock.wall >= 0.05
    assert clock.seconds == clock.cpu < 0.04


def test_equal_seeds_give_equal_curves():
    curves = []
    for _ in range(2):
        made = fit(Nint)
        race([made], 12)
        curves.append([point.quality for point in made.curve])
    assert curves[0] == curves[1]


def test_racing_changes_no_result():
    alone, first, second = fit(), fit(), fit(Nint)
    race([alone], 12, block=12)
    race([first, second], 12, block=5)
    assert [p.quality for p in alone.curve] == [p.quality for p in first.curve]


def test_a_race_for_time_gives_all_the_leaders_time():
    leader, other = fit(Nint), fit()
    race_for_time([other, leader], 1, 40)
    assert leader.step == 40
    assert other.step > 40
    assert other.clock.seconds >= leader.clock.seconds


class Poisoned(Sampler):
    """Weights that are no number from the given step on."""

    def indices(self, step, state):
        self.weights = torch.full((self.batch,), torch.nan if step >= 7 else 1.0)
        return self.uniform(self.batch)


def test_a_loss_that_is_no_number_stops_with_the_last_good_weights():
    good, bad = fit(every=5), fit(Poisoned, every=5)
    good.advance(5)
    good.evaluate()
    with pytest.raises(DivergedError, match=r"^the loss of step 8 is no number; weights of step 5 kept$"):
        bad.advance(20)
    assert all(torch.isfinite(p).all() for p in bad.network.net.parameters())
    assert bad.curve[-1].step == 5


def test_a_signal_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match=r"^values: got shape \(144, 3\), 432 not finite; needs \(n, c\)"):
        Signal(torch.full((144, 3), torch.nan), (12, 12))


def test_a_constant_signal_is_fitted():
    signal = Signal(torch.full((144, 3), 0.5), (12, 12))
    made = TrainingRun(wrap(net().float()), signal, Nint(signal, 30, 0), 1e-3, 10)
    race([made], 60)
    assert made.curve[-1].quality > made.curve[0].quality + 5


def test_a_permuted_batch_of_all_points_keeps_weights_and_errors_at_their_points():
    made = fit(SoftMining, 144)
    made.sampler.memory = torch.linspace(0.1, 3, 144)
    model, weights = net().float(), []
    choose = made.sampler.indices

    def indices(step, state):
        chosen = choose(step, state)
        assert not torch.equal(chosen, torch.arange(144))
        weights.extend([chosen, made.sampler.weights.clone()])
        return chosen

    made.sampler.indices = indices
    made.advance(1)
    rows, factors = weights
    errors = model(made.signal.coordinates[rows]) - made.signal.values[rows]
    (factors[:, None] * errors.square()).mean().backward()
    for ours, plain in zip(made.network.net.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, plain.grad, rtol=1e-4, atol=1e-6)


def test_error_memory_of_all_points_has_the_errors_of_its_points():
    made = fit(ErrorMemory, 144)
    errors = made.network.predict(made.signal.coordinates) - made.signal.values
    made.advance(1)
    expected = magnitude(errors)
    assert torch.corrcoef(torch.stack([made.sampler.memory, expected]))[0, 1] > 0.999


def test_a_share_that_is_kept_looks_at_no_point_for_nothing():
    made = fit(Nint, lam=0.0, xi=0.7)
    made.advance(20)
    # 3 of a pass over 30 of 144 points a step, two refreshes of 5
    assert made.clock.forwards == pytest.approx(20 * 3 * 30 / 144 + 2 * 5)
