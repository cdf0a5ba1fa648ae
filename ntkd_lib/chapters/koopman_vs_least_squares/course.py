"""Cells that train a student by Adam, as a network would be, next to its certified optimum."""

import time
from collections.abc import Mapping
from typing import Any

from ntkd_lib.chapters.koopman_vs_least_squares.inputs import read_inputs
from ntkd_lib.chapters.koopman_vs_least_squares.student import guess, make_problem
from ntkd_lib.koopman.adam import train_adam
from ntkd_lib.koopman.dictionaries import Monomials
from ntkd_lib.koopman.lifted import LiftedInputs
from ntkd_lib.koopman.newton import minimise
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.seeds import deterministic

ADAM_LR, ADAM_BATCH = 1e-3, 256


def solve(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Train one problem by Adam from several orders of its images, and solve it.

    Args:
        arguments: ``seed``, ``components``, ``degree``, ``settings``, ``epochs``, ``repeats``, ``tolerance``.
        needs: ``inputs`` and ``teacher``.

    Returns:
        Loss and seconds of the optimum; loss after each epoch and seconds for each order; test accuracies in
        percent.
    """
    deterministic(arguments["seed"])
    inputs = read_inputs(needs["inputs"], arguments["components"])
    monomials = Monomials(arguments["components"], arguments["degree"])
    test = LiftedInputs(monomials, inputs.test.scores)
    problem = make_problem(monomials, inputs, needs, arguments["settings"])
    started = time.process_time()
    optimum = minimise(problem, tolerance=arguments["tolerance"])
    seconds = time.process_time() - started
    runs = [
        train_adam(problem, epochs=arguments["epochs"], lr=ADAM_LR, batch=ADAM_BATCH, seed=order)
        for order in range(arguments["repeats"])
    ]
    return CellResult(
        {
            "optimum": optimum.value,
            "optimum_gap": optimum.gap,
            "optimum_seconds": seconds,
            "optimum_accuracy": inputs.test.accuracy(guess(optimum.weights, test)),
            "losses": [run.values for run in runs],
            "seconds": [run.seconds for run in runs],
            "accuracy": [inputs.test.accuracy(guess(run.weights, test)) for run in runs],
        }
    )
