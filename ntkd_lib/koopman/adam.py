"""Mini-batch Adam on the same convex problem, as a baseline for Newton's method."""

import time
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.koopman.problem import Problem
from ntkd_lib.ranges import check_number


@dataclass(frozen=True)
class AdamRun:
    """The result of a mini-batch training."""

    weights: Float[Tensor, "c m"]  # W after the last epoch, float64
    values: list[float]  # F(W) after each epoch
    seconds: list[float]  # CPU seconds up to the end of each epoch, without evaluation


def train_adam(
    problem: Problem,
    *,
    epochs: int,
    lr: float,
    batch: int,
    seed: int,
    seconds: float = float("inf"),
    target: float = float("-inf"),
) -> AdamRun:
    """Minimise a problem by Adam on mini-batches; the rate falls to zero as a cosine.

    Functions are divided by their root mean square, so that one learning rate suits all of them.

    Args:
        problem: Problem, whose loss is sampled and whose ridge term is added in every step.
        epochs: Passes over the data.
        lr: Largest learning rate.
        batch: Inputs per step.
        seed: Seed of the order of inputs.
        seconds: CPU seconds after which no further epoch starts.
        target: Value of F at which training ends early.

    Raises:
        ValueError: A batch of more inputs than there are.
    """
    if epochs > 0:
        check_number("batch", batch, 1, len(problem.lifted), unit="inputs", whole=True)
    matrix = torch.cat(list(problem.lifted), 1)
    scale = matrix.square().mean(1).sqrt().clamp(min=1e-12)
    matrix /= scale[:, None]
    weights = torch.zeros(problem.shape, dtype=matrix.dtype, requires_grad=True)
    optimiser = torch.optim.Adam([weights], lr=lr, betas=(0.9, 0.999), fused=True)
    total = epochs * (len(problem.lifted) // batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, total)
    generator, values, spent = torch.Generator().manual_seed(seed), [], [0.0]
    for _ in range(epochs):
        started = time.process_time()
        order = torch.randperm(len(problem.lifted), generator=generator)
        for rows in order.split(batch)[: len(order) // batch]:
            weights.grad = _gradient(problem, matrix[:, rows], weights.detach(), scale, rows)
            optimiser.step()
            schedule.step()
        spent.append(spent[-1] + time.process_time() - started)
        values.append(problem.evaluate((weights.detach() / scale).double()).value)
        if spent[-1] > seconds or values[-1] <= target:
            break
    return AdamRun((weights.detach() / scale).double(), values, spent[1:])


def _gradient(problem: Problem, block: Tensor, weights: Tensor, scale: Tensor, rows: Tensor) -> Tensor:
    _, slope = problem.loss.value_and_slope(weights @ block, problem.labels[:, rows], problem.soft[:, rows])
    ridge = problem.penalise((weights / scale).double()).to(block.dtype) / scale
    return slope @ block.T / len(rows) + ridge
