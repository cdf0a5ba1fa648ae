"""The student's loss, convex in the logits: its value, first and second derivatives."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

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
