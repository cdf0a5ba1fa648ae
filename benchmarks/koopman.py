"""Koopman students: the certified solver against Adam, and against SciPy's L-BFGS, to the same loss."""

import time
from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import minimize

from ntkd_lib.data.load import load
from ntkd_lib.koopman.adam import train_adam
from ntkd_lib.koopman.dictionaries import Monomials
from ntkd_lib.koopman.lifted import LiftedInputs, fit_principal
from ntkd_lib.koopman.newton import minimise
from ntkd_lib.koopman.problem import DistillationLoss, Problem

IMAGES, COMPONENTS, RIDGE, CLOSE, LIMIT = 20_000, 20, 1e-4, 1e-4, 12
RATES = (3e-3, 1e-2, 3e-2)


def student_problem() -> Problem:
    """Pose multinomial logistic regression on quadratic functions of MNIST, or of its stand-in."""
    data = load("mnist", "train")
    pixels = data.images[:IMAGES].flatten(1).float().numpy() / 255
    scores = torch.from_numpy(fit_principal(pixels, COMPONENTS).scores(pixels))
    labels = torch.eye(10)[data.labels[:IMAGES]].T.contiguous()
    loss = DistillationLoss(0.0, 1.0)
    return Problem(LiftedInputs(Monomials(COMPONENTS, 2), scores), loss, labels, labels, RIDGE)


def cpu_seconds(work: Callable[[], object]) -> float:
    """Time one call by CPU seconds, which a busy machine changes least."""
    started = time.process_time()
    work()
    return time.process_time() - started


def scipy_seconds(problem: Problem, target: float) -> tuple[float, float]:
    """Run L-BFGS on the same exact loss and gradient until the loss is reached.

    Returns:
        CPU seconds and the loss reached.
    """
    reached = [np.inf]

    def value(flat: np.ndarray) -> tuple[float, np.ndarray]:
        evaluation = problem.evaluate(torch.from_numpy(flat).reshape(problem.shape))
        reached[0] = min(reached[0], evaluation.value)
        return evaluation.value, evaluation.gradient.numpy().ravel()

    def stop(_: np.ndarray) -> None:
        if reached[0] <= target or time.process_time() - started > LIMIT:
            raise StopIteration

    started = time.process_time()
    start = np.zeros(problem.shape).ravel()
    minimize(value, start, jac=True, method="L-BFGS-B", callback=stop, options={"maxiter": 10_000, "gtol": 0})
    return time.process_time() - started, reached[0]


def main() -> None:
    """Print seconds to a loss within a ten-thousandth of the minimum, and ratios to ours."""
    torch.set_num_threads(1)
    problem = student_problem()
    best = minimise(problem)
    target = best.value * (1 + CLOSE)
    ours = cpu_seconds(lambda: minimise(problem))
    print(f"quadratic functions of {len(problem.lifted):,} images, M = {problem.shape[1]}, one thread")
    print(f"  Newton-CG, gradient {best.gradient:.0e}, gap {best.gap:.0e}{ours:20.2f} s CPU")
    seconds, reached = scipy_seconds(problem, target)
    print(f"  {_line('SciPy L-BFGS', seconds, reached, target, ours)}")
    for rate in RATES:
        run = train_adam(problem, epochs=400, lr=rate, batch=256, seed=0, seconds=LIMIT, target=target)
        print(f"  {_line(f'Adam, rate {rate:g}', run.seconds[-1], min(run.values), target, ours)}")


def _line(name: str, seconds: float, reached: float, target: float, ours: float) -> str:
    done = reached <= target
    words = "to the same loss" if done else f"and still {reached / target - 1:.1e} above it"
    bound = "" if done else "more than "
    return f"{name:<24}{seconds:8.2f} s CPU, {bound}{seconds / ours:.1f} x of Newton-CG, {words}"
