"""NTK distillation and soft labels together."""

from torch import Tensor

from ntkd_lib.distill import soft_labels
from ntkd_lib.distill.kernel_losses import KernelLoss, normalised
from ntkd_lib.distill.objective import Batch, Objective, Settings, Teacher
from ntkd_lib.distill.tangent import kernel_term
from ntkd_lib.optics.student import HybridStudent


def build(settings: Settings, teacher: Teacher, loss: KernelLoss = normalised) -> Objective:
    """Build ``L = (1 - w) CE + w T^2 KL + weight * loss(Theta_student, Theta_teacher)``.

    The soft labels are those of `soft_labels`, the kernel loss is the trace-normalised form unless another
    one is named: what each of them adds to the other.

    Source: ours; the NTKD paper compares them and does not join them.

    Args:
        settings: ``temperature`` T, ``soft_weight`` w, ``weight``, ``kernel_batch`` and ``kernel_every``.
        teacher: With ``logits``, ``images``, ``features`` and ``diagonal``.
        loss: Loss of the student's and the teacher's kernel.
    """
    soft = soft_labels.build({**settings, "weight": settings["soft_weight"]}, teacher)
    term = kernel_term(settings, teacher, loss)

    def objective(student: HybridStudent, batch: Batch) -> Tensor:
        return soft(student, batch) + term(student, batch.step)

    return objective
