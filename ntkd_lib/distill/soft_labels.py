"""Soft-label distillation."""

from torch import Tensor, nn
from torch.nn.functional import kl_div, log_softmax

from ntkd_lib.distill.objective import Batch, Objective, Settings, Teacher, label_loss


def build(settings: Settings, teacher: Teacher) -> Objective:
    """Build ``L = (1 - w) CE(f(x), y) + w T^2 KL(softmax(t / T) || softmax(f / T))``, in nats.

    Source: Hinton, Vinyals and Dean (2015); the NTKD paper's "KD" baseline, whose temperature is not
        published.

    Args:
        settings: ``temperature`` T and ``weight`` w in [0, 1].
        teacher: With ``logits``.
    """
    temperature, weight = settings["temperature"], settings["weight"]
    targets = log_softmax(teacher.logits.detach() / temperature, dim=1)

    def objective(student: nn.Module, batch: Batch) -> Tensor:
        logits = student(batch.images)
        soft = log_softmax(logits / temperature, dim=1)
        transfer = kl_div(soft, targets[batch.rows], reduction="batchmean", log_target=True)
        return (1 - weight) * label_loss(logits, batch.labels) + weight * temperature**2 * transfer

    return objective
