"""A student trained by Adam against its certified optimum."""

import time

from ntkd_lib.chapters.koopman.inputs import read_inputs
from ntkd_lib.chapters.koopman.work import TOLERANCE, Objective, pose_problem
from ntkd_lib.koopman import Monomials, minimise
from ntkd_lib.koopman.adam import train_adam
from ntkd_lib.lab import CellResult, Record, deterministic
from ntkd_lib.lab.work import work

LR, BATCH = 1e-3, 256


@work(cost=lambda **_: 30)
def adam_course(
    seed: int,
    *,
    degree: int,
    components: int,
    objective: Objective,
    epochs: int,
    orders: int,
    inputs: Record,
    teacher: Record,
    tolerance: float = TOLERANCE,
) -> CellResult:
    """Solve one problem, and train it by Adam from several orders of its images."""
    deterministic(seed)
    parts = read_inputs(inputs, components)
    problem = pose_problem(Monomials(components, degree), parts, objective, teacher)
    started = time.process_time()
    optimum = minimise(problem, tolerance=tolerance)
    elapsed = time.process_time() - started
    runs = [train_adam(problem, epochs=epochs, lr=LR, batch=BATCH, seed=order) for order in range(orders)]
    best = {"optimum": optimum.value, "optimum_gap": optimum.gap, "optimum_seconds": elapsed}
    return CellResult(best | {"losses": [r.values for r in runs], "times": [r.seconds for r in runs]})
