"""Control of NTK distillation: the kernels' traces only, so that only their size is transferred."""

from jaxtyping import Float
from torch import Tensor

from ntkd_lib.distill.objective import Objective, Settings, Teacher
from ntkd_lib.distill.tangent import tangent_objective


def kernel_loss(student: Float[Tensor, "m m"], teacher: Float[Tensor, "m m"]) -> Tensor:
    """Compute ``(tr Theta_S - tr Theta_T)^2 / m^2``.

    >>> import torch
    >>> kernel_loss(torch.eye(2), 2 * torch.ones(2, 2))
    tensor(1.)
    """
    return (student.diagonal().mean() - teacher.diagonal().mean()).square()


def build(settings: Settings, teacher: Teacher) -> Objective:
    """Build the objective with the trace loss.

    Args:
        settings: ``weight``, ``kernel_batch`` and ``kernel_every``.
        teacher: With ``images``, ``features`` and ``diagonal``.
    """
    return tangent_objective(settings, teacher, kernel_loss)
