"""Soft-label distillation for dense outputs: every pixel is trained on the teacher's probability."""

from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from ntkd_lib.distill.dense import DenseTeacher, MaskBatch, MaskObjective, Settings, pixel_loss


def binary_divergence(teacher: Tensor, student: Tensor) -> Tensor:
    """Compute ``KL(Bernoulli(sigma(t)) || Bernoulli(sigma(s)))``, mean over all entries, in nats."""
    p = teacher.sigmoid()
    object_part = p * (logsigmoid(teacher) - logsigmoid(student))
    rest = (1 - p) * (logsigmoid(-teacher) - logsigmoid(-student))
    return (object_part + rest).mean()


def build(settings: Settings, teacher: DenseTeacher) -> MaskObjective:
    """Build ``L = (1 - w) BCE(f(x), y) + w T^2 KL(sigma(t / T) || sigma(f / T))``, means over pixels.

    Source: Hinton, Vinyals and Dean (2015), for two classes per pixel; the NTKD paper's "KD" baseline.

    Args:
        settings: ``temperature`` T and ``weight`` w in [0, 1].
        teacher: With ``logits``.
    """
    temperature, weight, heard = settings["temperature"], settings["weight"], teacher.logits

    def objective(student: nn.Module, batch: MaskBatch) -> Tensor:
        logits = student(batch.images)
        targets = heard[batch.rows].to(logits)
        targets = targets.flip(2) if batch.mirrored else targets
        transfer = binary_divergence(targets / temperature, logits[:, 0] / temperature)
        return (1 - weight) * pixel_loss(logits, batch.masks) + weight * temperature**2 * transfer

    return objective
