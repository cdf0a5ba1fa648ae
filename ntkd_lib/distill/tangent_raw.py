"""NTK distillation, raw form: the kernels' entries themselves."""

from jaxtyping import Float
from torch import Tensor

from ntkd_lib.distill.objective import Objective, Settings, Teacher
from ntkd_lib.distill.tangent import tangent_objective


def kernel_loss(student: Float[Tensor, "m m"], teacher: Float[Tensor, "m m"]) -> Tensor:
    """Compute ``|Theta_S - Theta_T|_F^2 / m^2``. Source: NTKD paper, Eq. 8.

    >>> import torch
    >>> kernel_loss(torch.eye(2), torch.ones(2, 2))
    tensor(0.5000)
    """
    return (student - teacher).square().mean()


def build(settings: Settings, teacher: Teacher) -> Objective:
    """Build the objective with the raw kernel loss.

    Args:
        settings: ``weight``, ``kernel_batch`` and ``kernel_every``.
        teacher: With ``images``, ``features`` and ``diagonal``.
    """
    return tangent_objective(settings, teacher, kernel_loss)
