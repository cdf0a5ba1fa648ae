"""The student's convex problem: loss, gradient and curvature in the weights, with streamed functions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.koopman.lifted import Lifted
from ntkd_lib.koopman.loss import DistillationLoss

PRECONDITIONED_ON = 16_384  # inputs; more made it slower and no better


@dataclass(frozen=True)
class Evaluation:
    """What one pass over the data gives.

    Attributes:
        value: Mean loss plus ridge term.
        gradient: Its derivative in the weights, float64.
        logits: The student's logits, in the precision of the functions.
    """

    value: float
    gradient: Float[Tensor, "c m"]
    logits: Float[Tensor, "c n"]


class Problem:
    r"""Fit the linear map W of a student.

    $$F(W) = \frac1n \sum_i \ell(W \psi(p_i)) + \frac{\lambda}{2} \operatorname{tr}(W R W^\top)$$

    Convex in W, since the loss is convex in the logits. Products are formed in the precision of the scores;
    sums over blocks are kept in float64. With R the identity, the ridge acts on the coefficients; with R the
    Gram matrix of the dictionary it acts on those of the orthonormal polynomials, the Gram-Schmidt basis of
    the same span, in which R is the identity.

    Args:
        lifted: Functions of the training inputs.
        loss: Loss of logits.
        labels: One-hot labels.
        soft: The teacher's softened outputs.
        ridge: Weight of the ridge term, at least 0.
        penalty: Matrix R, float64; the identity when left out.
    """

    def __init__(
        self,
        lifted: Lifted,
        loss: DistillationLoss,
        labels: Float[Tensor, "c n"],
        soft: Float[Tensor, "c n"],
        ridge: float,
        penalty: Float[Tensor, "m m"] | None = None,
    ) -> None:
        self.lifted = lifted
        self.loss = loss
        self.ridge = ridge
        self.penalty = penalty
        dtype = lifted.scores.dtype
        self.labels, self.soft = labels.to(dtype), soft.to(dtype)
        self.passes = 0.0

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (c, m) of the weights."""
        return len(self.labels), self.lifted.dictionary.count

    def penalise(self, weights: Float[Tensor, "c m"]) -> Float[Tensor, "c m"]:
        """Give the derivative of the ridge term, ``ridge W R``."""
        return self.ridge * (weights if self.penalty is None else weights @ self.penalty)

    def evaluate(self, weights: Float[Tensor, "c m"]) -> Evaluation:
        """Compute loss and gradient over all inputs.

        Args:
            weights: W, float64.

        Returns:
            Value, gradient and logits.
        """
        total, slope_sum, logits, start = 0.0, torch.zeros_like(weights), [], 0
        used = weights.to(self.lifted.scores.dtype)
        for block in self.lifted:
            end = start + block.shape[1]
            z = used @ block
            value, slope = self.loss.value_and_slope(z, self.labels[:, start:end], self.soft[:, start:end])
            total += value.item()
            slope_sum += slope @ block.T
            logits.append(z)
            start = end
        self.passes += 1
        term = self.penalise(weights)
        value = total / start + 0.5 * (weights * term).sum().item()
        return Evaluation(value, slope_sum / start + term, torch.cat(logits, 1))

    def part(self, count: int) -> Problem:
        """Give the same problem on the first so many inputs.

        Args:
            count: How many.

        Returns:
            A problem of the same shape.
        """
        lifted = self.lifted.subset(torch.arange(count))
        labels, soft = self.labels[:, :count], self.soft[:, :count]
        return Problem(lifted, self.loss, labels, soft, self.ridge, self.penalty)

    def double(self) -> Problem:
        """Give the same problem in float64."""
        return Problem(self.lifted.double(), self.loss, self.labels, self.soft, self.ridge, self.penalty)

    def curvature(self, logits: Float[Tensor, "c n"], share: float = 0.999) -> Curvature:
        """Give the second derivative at logits, on the inputs that carry it.

        Most inputs of a trained classifier are far from every decision; all but the last thousandth of the
        curvature is then in a part of them.

        Args:
            logits: Logits of all inputs.
            share: Share of the summed curvature to keep; 1 keeps every input.

        Returns:
            The operator.
        """
        weight = self.loss.diagonal(self.loss.probabilities(logits)).sum(0).double()
        order = weight.argsort(descending=True)
        needed = int((weight[order].cumsum(0) < share * weight.sum()).sum()) + 1
        everything = needed > 0.7 * len(order) or share >= 1
        if everything:
            return Curvature(self, self.lifted, logits)
        rows = order[:needed].sort().values
        return Curvature(self, self.lifted.subset(rows), logits[:, rows])


class Curvature:
    """The second derivative of the problem at a point, as an operator on directions of W.

    Args:
        problem: Problem.
        lifted: Functions of the inputs that are looked at.
        logits: Their logits.
    """

    def __init__(self, problem: Problem, lifted: Lifted, logits: Float[Tensor, "c k"]) -> None:
        self.problem = problem
        self.lifted = lifted
        self.probabilities = problem.loss.probabilities(logits)

    def apply(self, direction: Float[Tensor, "c m"]) -> Float[Tensor, "c m"]:
        """Multiply a direction by the second derivative.

        Args:
            direction: Change of the weights, float64.

        Returns:
            Change of the gradient.
        """
        problem, result, start = self.problem, torch.zeros_like(direction), 0
        used = direction.to(self.lifted.scores.dtype)
        for block in self.lifted:
            end = start + block.shape[1]
            hard, soft = (p[:, start:end] for p in self.probabilities)
            result += problem.loss.curve((hard, soft), used @ block) @ block.T
            start = end
        problem.passes += start / len(problem.lifted)
        return result / len(problem.lifted) + problem.penalise(direction)

    def preconditioner(self) -> Float[Tensor, "m m"]:
        """Factorise one matrix that stands for the second derivative of every class.

        The mean over classes of the diagonal blocks ``sum_i p_ik (1 - p_ik) psi_i psi_i'``, from part of the
        inputs, plus the ridge term.

        Returns:
            Lower Cholesky factor, float64.
        """
        problem, start = self.problem, 0
        m = self.lifted.dictionary.count
        total = self.lifted.scores.new_zeros(m, m)
        weights = problem.loss.diagonal(self.probabilities).mean(0).sqrt()
        for block in self.lifted:
            if start >= PRECONDITIONED_ON:
                break
            end = start + block.shape[1]
            scaled = block * weights[start:end]
            total.addmm_(scaled, scaled.T)
            start = end
        total = total.double() * (len(self.lifted) / start / len(problem.lifted))
        ridge = torch.eye(m, dtype=torch.float64) if problem.penalty is None else problem.penalty
        return _cholesky(total + problem.ridge * ridge)


def _cholesky(matrix: Float[Tensor, "m m"]) -> Float[Tensor, "m m"]:
    """Factorise, adding to the diagonal what rounding has taken away."""
    shift = 1e-7 * matrix.diagonal().mean().clamp(min=1e-30)
    for _ in range(8):
        factor, failed = torch.linalg.cholesky_ex(matrix + shift * torch.eye(len(matrix), dtype=matrix.dtype))
        if not failed:
            return factor
        shift *= 10
    return matrix.diagonal().clamp(min=1e-30).sqrt().diag()
