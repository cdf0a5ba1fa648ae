"""The student's convex problem: loss, gradient and curvature in logits and weights."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.koopman.lifted import BLOCK, LiftedInputs
from ntkd_lib.koopman.preconditioner import Preconditioner, class_blocks

Pair = tuple[Float[Tensor, "c b"], Float[Tensor, "c b"]]


@dataclass(frozen=True)
class DistillationLoss:
    r"""Softened Kullback-Leibler divergence to a teacher plus cross-entropy to the labels.

    $$\ell(z) = \alpha T^2\,\mathrm{KL}(q \,\Vert\, \mathrm{softmax}(z / T))
        + (1 - \alpha)\,\mathrm{CE}(y, z), \qquad q = \mathrm{softmax}(z_\mathrm{teacher} / T)$$

    With ``alpha = 0`` it is multinomial logistic regression. Classes lie along rows, inputs along columns.

    Source: Kimura and Ohkubo (2026), abstract, for the two terms; the weights are our reading.

    Attributes:
        alpha: Share of the teacher, in [0, 1].
        temperature: Temperature T > 0 of the teacher's term.

    >>> logits = torch.tensor([[2.0], [0.0]], dtype=torch.float64)
    >>> loss, hard = DistillationLoss(alpha=1.0, temperature=2.0), torch.eye(2, dtype=torch.float64)[:, :1]
    >>> value, slope = loss.value_and_slope(logits, hard, loss.soften(logits))
    >>> bool(slope.abs().max() < 1e-12)  # a student with the teacher's logits is at the minimum
    True
    """

    alpha: float
    temperature: float

    def soften(self, logits: Float[Tensor, "c b"]) -> Float[Tensor, "c b"]:
        """Compute the teacher's softened outputs, ``softmax(logits / T)``."""
        return (logits / self.temperature).softmax(0)

    def value_and_slope(
        self, logits: Float[Tensor, "c b"], labels: Float[Tensor, "c b"], soft: Float[Tensor, "c b"]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "c b"]]:
        """Sum the loss over inputs, with its derivative in the logits.

        It is ``alpha T (softmax(z/T) - q) + (1 - alpha) (softmax(z) - y)``.

        Args:
            labels: One-hot y.
            soft: The teacher's q; not read if alpha is 0.
        """
        value, slope = logits.new_zeros(()), torch.zeros_like(logits)
        if self.alpha < 1:
            logs = logits.log_softmax(0)
            value = value - (1 - self.alpha) * (labels * logs).sum()
            slope += (1 - self.alpha) * (logs.exp() - labels)
        if self.alpha > 0:
            logs = (logits / self.temperature).log_softmax(0)
            divergence = torch.xlogy(soft, soft).sum() - (soft * logs).sum()
            value = value + self.alpha * self.temperature**2 * divergence
            slope += self.alpha * self.temperature * (logs.exp() - soft)
        return value, slope

    def probabilities(self, logits: Float[Tensor, "c b"]) -> Pair:
        """Compute the student's ``softmax(z)`` and ``softmax(z / T)``."""
        return logits.softmax(0), self.soften(logits)

    def curve(self, probabilities: Pair, direction: Float[Tensor, "c b"]) -> Float[Tensor, "c b"]:
        """Apply the second derivative in the logits, ``diag(p) - p p'`` for each input and term."""
        result = torch.zeros_like(direction)
        for share, p in zip((1 - self.alpha, self.alpha), probabilities, strict=True):
            if share > 0:
                result += share * p * (direction - (p * direction).sum(0))
        return result

    def diagonal(self, probabilities: Pair) -> Float[Tensor, "c b"]:
        """Compute the diagonal of the second derivative, ``p (1 - p)`` summed over the terms."""
        hard, soft = probabilities
        return (1 - self.alpha) * hard * (1 - hard) + self.alpha * soft * (1 - soft)


@dataclass(frozen=True)
class Evaluation:
    """Loss, gradient and logits of one pass over the data."""

    value: float
    gradient: Float[Tensor, "c m"]  # in the weights, float64
    logits: Float[Tensor, "c n"]  # the student's, in the precision of the functions


class Problem:
    r"""The convex problem of fitting a student's linear map W.

    $$F(W) = \frac1n \sum_i \ell(W \psi(p_i)) + \frac{\lambda}{2} \operatorname{tr}(W R W^\top)$$

    Convex in W, since the loss is convex in the logits. Products are formed in the precision of the scores;
    sums over blocks are kept in float64. With R the identity, the ridge acts on the coefficients; with R the
    Gram matrix of the dictionary it acts on those of the orthonormal polynomials, the Gram-Schmidt basis of
    the same span, in which R is the identity.

    Args:
        labels: One-hot labels.
        ridge: Weight of the ridge term, at least 0.
        penalty: Matrix R, float64; the identity when left out.
    """

    def __init__(
        self,
        lifted: LiftedInputs,
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
        for name, columns in (("labels", self.labels), ("soft", self.soft)):
            if not torch.allclose(columns.sum(0), columns.new_ones(()), atol=1e-3) or columns.min() < 0:
                raise ValueError(f"{name}: needs columns of probabilities that add up to 1")
        self.passes = 0.0

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (c, m) of the weights."""
        return len(self.labels), self.lifted.dictionary.count

    def penalise(self, weights: Float[Tensor, "c m"]) -> Float[Tensor, "c m"]:
        """Compute the derivative of the ridge term, ``ridge W R``."""
        return self.ridge * (weights if self.penalty is None else weights @ self.penalty)

    def logits(self, weights: Float[Tensor, "c m"]) -> Float[Tensor, "c n"]:
        """Compute the student's logits of all inputs, in the precision of the functions."""
        used = weights.to(self.lifted.scores.dtype)
        self.passes += 0.5
        return torch.cat([used @ block for block in self.lifted], 1)

    def evaluate(
        self, weights: Float[Tensor, "c m"], known_logits: Float[Tensor, "c n"] | None = None
    ) -> Evaluation:
        """Compute loss and gradient over all inputs at W, float64, and the logits unless they are known."""
        total, slope_sum, logits, start = 0.0, torch.zeros_like(weights), [], 0
        used = weights.to(self.lifted.scores.dtype)
        for block in self.lifted:
            end = start + block.shape[1]
            z = used @ block if known_logits is None else known_logits[:, start:end]
            value, slope = self.loss.value_and_slope(z, self.labels[:, start:end], self.soft[:, start:end])
            total += value.item()
            slope_sum += slope @ block.T
            logits.append(z)
            start = end
        self.passes += 1 if known_logits is None else 0.5
        term = self.penalise(weights)
        value = total / start + 0.5 * (weights * term).sum().item()
        return Evaluation(value, slope_sum / start + term, torch.cat(logits, 1))

    def slope(self, logits: Float[Tensor, "c n"], change: Float[Tensor, "c n"]) -> float:
        """Compute the derivative of the mean loss along a change of the logits, without the ridge term."""
        parts = (logits, change, self.labels, self.soft)
        total = 0.0
        for z, way, labels, soft in zip(*(part.split(BLOCK, 1) for part in parts), strict=True):
            total += (self.loss.value_and_slope(z, labels, soft)[1] * way).sum(dtype=torch.float64).item()
        return total / logits.shape[1]

    def part(self, count: int) -> "Problem":
        """Return the same problem on the first inputs."""
        lifted = self.lifted.subset(torch.arange(count))
        labels, soft = self.labels[:, :count], self.soft[:, :count]
        return Problem(lifted, self.loss, labels, soft, self.ridge, self.penalty)

    def double(self) -> "Problem":
        """Return the same problem in float64."""
        lifted, soft = self.lifted.double(), self.soft.double()  # rounded, they do not quite add up to 1
        return Problem(lifted, self.loss, self.labels, soft / soft.sum(0), self.ridge, self.penalty)

    def curvature(self, logits: Float[Tensor, "c n"]) -> "Curvature":
        """Compute the second derivative at logits of all inputs."""
        return Curvature(self, logits)


class Curvature:
    """The second derivative of the problem at some logits, as an operator on directions of W."""

    def __init__(self, problem: Problem, logits: Float[Tensor, "c n"]) -> None:
        self.problem = problem
        self.probabilities = problem.loss.probabilities(logits)

    def apply(self, direction: Float[Tensor, "c m"]) -> Float[Tensor, "c m"]:
        """Multiply a direction, float64, by the second derivative."""
        problem, result, start = self.problem, torch.zeros_like(direction), 0
        used = direction.to(problem.lifted.scores.dtype)
        for block in problem.lifted:
            end = start + block.shape[1]
            hard, soft = (p[:, start:end] for p in self.probabilities)
            result += problem.loss.curve((hard, soft), used @ block) @ block.T
            start = end
        problem.passes += 1
        return result / start + problem.penalise(direction)

    def preconditioner(self, *, by_class: bool) -> Preconditioner:
        """Factorise the diagonal blocks of the operator, of every class or their mean."""
        problem, m = self.problem, self.problem.lifted.dictionary.count
        ridge = torch.eye(m, dtype=torch.float64) if problem.penalty is None else problem.penalty
        weights = problem.loss.diagonal(self.probabilities)
        return class_blocks(problem.lifted, weights, problem.ridge * ridge, by_class=by_class)
