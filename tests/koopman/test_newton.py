"""The convex problem and its solver: derivatives, an oracle, certificates, and the optimum's uniqueness."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from ntkd_lib.koopman import preconditioner
from ntkd_lib.koopman.adam import train_adam
from ntkd_lib.koopman.dictionaries import Monomials
from ntkd_lib.koopman.least_squares import normal_equations
from ntkd_lib.koopman.lifted import LiftedInputs
from ntkd_lib.koopman.newton import _length, certify, duality_gap, minimise, newton_direction
from ntkd_lib.koopman.problem import DistillationLoss, Problem

N, D, C = 300, 3, 4


def problem(alpha: float = 0.5, ridge: float = 1e-3, seed: int = 0, n: int = N, penalty=None) -> Problem:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(n, D, dtype=torch.float64, generator=generator)
    labels = torch.randint(C, (n,), generator=generator)
    logits = 2 * torch.randn(C, n, dtype=torch.float64, generator=generator)
    loss = DistillationLoss(alpha, 3.0)
    one_hot = torch.eye(C, dtype=torch.float64)[labels].T.contiguous()
    return Problem(LiftedInputs(Monomials(D, 2), scores), loss, one_hot, loss.soften(logits), ridge, penalty)


def weights_like(posed: Problem, seed: int = 1) -> torch.Tensor:
    return torch.randn(posed.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_gradient_and_curvature_are_finite_differences(alpha: float) -> None:
    posed = problem(alpha)
    here, way, step = weights_like(posed), weights_like(posed, 2), 1e-5
    up, down = (posed.evaluate(here + s * step * way) for s in (1, -1))
    middle = posed.evaluate(here)
    assert (up.value - down.value) / (2 * step) == pytest.approx(
        (middle.gradient * way).sum().item(), rel=1e-6
    )
    bent = posed.curvature(middle.logits).apply(way)
    torch.testing.assert_close(bent, (up.gradient - down.gradient) / (2 * step), rtol=1e-5, atol=1e-8)


def test_loss_is_divergence_and_cross_entropy() -> None:
    posed = problem(0.25, ridge=0.0)
    z = posed.evaluate(weights_like(posed)).logits
    logs = (z / 3).log_softmax(0)
    divergence = torch.nn.functional.kl_div(logs.T, posed.soft.T, reduction="batchmean") * 9
    entropy = torch.nn.functional.cross_entropy(z.T, posed.labels.T)
    value = posed.evaluate(weights_like(posed)).value
    assert value == pytest.approx((0.25 * divergence + 0.75 * entropy).item(), rel=1e-12)


def dense_curvature(posed: Problem, logits: torch.Tensor) -> torch.Tensor:
    operator, size = posed.curvature(logits), posed.shape[0] * posed.shape[1]
    units = torch.eye(size, dtype=torch.float64).reshape(size, *posed.shape)
    return torch.stack([operator.apply(unit).flatten() for unit in units])


@pytest.mark.parametrize("alpha", [0.0, 0.6])
def test_blocks_are_those_of_the_curvature(alpha: float) -> None:
    posed = problem(alpha)
    logits = posed.evaluate(weights_like(posed)).logits
    dense = dense_curvature(posed, logits).reshape(*posed.shape, *posed.shape)
    blocks = posed.curvature(logits).preconditioner(by_class=True)
    assert blocks.by_class
    side = weights_like(posed, 3)
    side -= side.mean(0)
    expected = torch.stack([torch.linalg.solve(dense[k, :, k], side[k]) for k in range(C)])
    torch.testing.assert_close(blocks.solve(side), expected - expected.mean(0), rtol=1e-3, atol=1e-4)


def test_preconditioner_is_symmetric_and_leaves_out_what_changes_nothing() -> None:
    posed = problem()
    blocks = posed.curvature(posed.evaluate(weights_like(posed)).logits).preconditioner(by_class=True)
    one, two = weights_like(posed, 3), weights_like(posed, 4)
    assert (one * blocks.solve(two)).sum().item() == pytest.approx((two * blocks.solve(one)).sum().item())
    assert (one * blocks.solve(one)).sum() > 0
    assert blocks.solve(one[:1].expand(posed.shape)).abs().max() < 1e-9


def test_one_block_serves_all_classes_where_memory_is_short(monkeypatch) -> None:
    posed = problem(0.0)
    logits = posed.evaluate(torch.zeros(posed.shape, dtype=torch.float64)).logits
    operator = posed.curvature(logits)
    several = operator.preconditioner(by_class=True)
    monkeypatch.setattr(preconditioner, "MEMORY", 0)
    single = operator.preconditioner(by_class=True)
    assert not single.by_class
    # at W = 0 every class has the same curvature
    torch.testing.assert_close(single.solve(weights_like(posed)), several.solve(weights_like(posed)))
    assert minimise(posed).gradient <= 1e-6


def test_blocks_shorten_the_path() -> None:
    posed = problem(0.0, n=3000)
    here = posed.evaluate(minimise(posed, tolerance=0.02).weights)
    operator = posed.curvature(here.logits)
    counts = [
        newton_direction(operator, operator.preconditioner(by_class=by_class), here.gradient, 1e-3)[1]
        for by_class in (True, False)
    ]
    assert counts[0] < counts[1]


def test_without_a_teacher_it_is_logistic_regression() -> None:
    posed = problem(0.0, ridge=1e-2)
    optimum = minimise(posed, tolerance=1e-10)
    functions = posed.lifted.dictionary.lift(posed.lifted.scores).T.numpy()
    oracle = LogisticRegression(C=1 / (1e-2 * N), fit_intercept=False, tol=1e-10, max_iter=2000)
    oracle.fit(functions, posed.labels.argmax(0).numpy())
    np.testing.assert_allclose(optimum.weights.numpy(), oracle.coef_, atol=1e-5)


def test_a_certain_teacher_at_temperature_one_is_cross_entropy() -> None:
    posed = problem(0.0)
    taught = Problem(
        posed.lifted, DistillationLoss(0.7, 1.0), posed.labels, posed.labels, posed.ridge, posed.penalty
    )
    first, second = minimise(posed, tolerance=1e-9), minimise(taught, tolerance=1e-9)
    torch.testing.assert_close(first.weights, second.weights, rtol=1e-6, atol=1e-7)


def test_the_optimum_does_not_depend_on_the_start() -> None:
    posed = problem()
    found = [minimise(posed, weights_like(posed, seed), tolerance=1e-9) for seed in (5, 6)]
    assert found[0].value == pytest.approx(found[1].value, rel=1e-12)
    torch.testing.assert_close(found[0].weights, found[1].weights, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("minimum", [1e-6, 1e-3, 0.01, 0.2, 1.0, 1.9, 7.0])
def test_a_step_ends_near_the_minimum_however_short_it_is(minimum: float) -> None:
    for bend in (0.0, 5.0):
        length = _length(lambda t, bend=bend: (t - minimum) * (1 + bend * t * t))
        assert length == pytest.approx(minimum, rel=0.11)


def test_a_far_start_reaches_the_same_optimum() -> None:
    posed = problem(ridge=3e-6)
    near = minimise(posed, tolerance=1e-9)
    for size in (30.0, 1000.0):
        far = minimise(posed, size * weights_like(posed), tolerance=1e-9)
        assert far.gradient <= 1e-9
        assert far.value == pytest.approx(near.value, rel=1e-10)


def test_a_small_part_is_a_start_and_no_more() -> None:
    posed = problem(n=33_000)
    warm, cold = minimise(posed), minimise(posed, torch.zeros(posed.shape, dtype=torch.float64))
    assert warm.gradient <= 1e-6 >= cold.gradient
    assert warm.value == pytest.approx(cold.value, rel=1e-9)


def test_single_precision_reaches_the_same_optimum() -> None:
    posed = problem(n=5000)
    lifted = LiftedInputs(posed.lifted.dictionary, posed.lifted.scores.float())
    single = Problem(lifted, posed.loss, posed.labels, posed.soft, posed.ridge)
    found, exact = minimise(single), minimise(posed, tolerance=1e-9)
    assert found.gradient <= 1e-6
    assert found.value == pytest.approx(exact.value, rel=1e-6)


@pytest.mark.parametrize("orthogonal", [False, True])
def test_the_gap_bounds_what_the_loss_can_still_fall(orthogonal: bool) -> None:
    plain = problem()
    penalty = None
    if orthogonal:
        penalty = torch.from_numpy(normal_equations(plain.lifted, np.zeros((N, 0))).gram)
    posed = problem(penalty=penalty)
    best = minimise(posed, tolerance=1e-10)
    for size in (1e-3, 1e-1, 1.0):
        near = certify(posed, best.weights + size * weights_like(posed))
        assert near.value - best.value <= near.gap
    assert best.gap < 1e-12


def test_without_a_ridge_there_is_no_gap() -> None:
    posed = problem(ridge=0.0)
    assert duality_gap(posed, torch.ones(posed.shape).double()) == float("inf")
    assert minimise(posed).gradient <= 1e-6


def test_adam_stays_above_the_certified_minimum_and_comes_near() -> None:
    posed = problem(n=1000)
    best = minimise(posed)
    run = train_adam(posed, epochs=15, lr=0.1, batch=50, seed=0)
    assert min(run.values) >= best.value - best.gap
    assert run.values[-1] - best.value < 0.05 * (run.values[0] - best.value) + 1e-3
    assert len(run.seconds) == 15
    early = train_adam(posed, epochs=15, lr=0.1, batch=50, seed=0, target=run.values[3])
    assert len(early.values) <= 4
    assert len(train_adam(posed, epochs=5, lr=0.05, batch=100, seed=0, seconds=0).values) == 1


def test_adam_refuses_a_batch_of_more_inputs_than_there_are() -> None:
    posed = problem(n=60)
    with pytest.raises(ValueError, match=r"^batch: got 61 inputs, allowed: 1 to 60 inputs, whole$"):
        train_adam(posed, epochs=1, lr=0.1, batch=61, seed=0)
    assert len(train_adam(posed, epochs=1, lr=0.1, batch=60, seed=0).values) == 1
    assert train_adam(posed, epochs=0, lr=0.1, batch=61, seed=0).values == []


@pytest.mark.parametrize("tolerance", [1e-6, 1e-8, 1e-10])
def test_a_tolerance_beyond_single_precision_is_reached_in_double(tolerance: float) -> None:
    posed = problem(n=2000)
    lifted = LiftedInputs(Monomials(D, 2), posed.lifted.scores.float())
    made = minimise(Problem(lifted, posed.loss, posed.labels, posed.soft, posed.ridge), tolerance=tolerance)
    assert made.gradient <= tolerance
    assert made.steps < 40
