"""NTK distillation and soft labels together."""

from torch import Tensor

from ntkd_lib.distill import soft_labels
from ntkd_lib.distill.kernel_losses import KernelLoss, normalised
from ntkd_lib.distill.objective import Batch, Objective, Settings, Teacher
from ntkd_lib.distill.tangent import kernel_term
from ntkd_lib.optics.student import HybridStudent


def build(settings: Settings, teacher: Teacher, loss: KernelLoss = normalised) -> Objective:
    """Build ``L = (1 - w) CE + w T^2 KL + weight * loss(Theta_student, Theta_teacher)``.

    The soft labels are those of `soft_labels` (settings ``temperature`` T and ``soft_weight`` w), the kernel
    loss is that of `kernel_term`: what each of them adds to the other. The teacher has outputs for both.

    Source: ours; the NTKD paper compares them and does not join them.
    """
    soft = soft_labels.build({**settings, "weight": settings["soft_weight"]}, teacher)
    term = kernel_term(settings, teacher, loss)

    def objective(student: HybridStudent, batch: Batch) -> Tensor:
        return soft(student, batch) + term(student, batch.step)

    return objective
