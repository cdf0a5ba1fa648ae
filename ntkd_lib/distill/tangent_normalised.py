"""NTK distillation, trace-normalised form: the kernels divided by their trace."""

from jaxtyping import Float
from torch import Tensor

from ntkd_lib.distill.objective import Objective, Settings, Teacher
from ntkd_lib.distill.tangent import tangent_objective


def kernel_loss(student: Float[Tensor, "m m"], teacher: Float[Tensor, "m m"]) -> Tensor:
    """Compute ``|m Theta_S / tr Theta_S - m Theta_T / tr Theta_T|_F^2 / m^2``.

    Returns:
        Mean squared difference of entries of the kernels at mean diagonal one.

    >>> import torch
    >>> kernel_loss(3 * torch.eye(2), torch.eye(2))  # the size of a kernel does not count
    tensor(0.)
    """
    return (student / student.diagonal().mean() - teacher / teacher.diagonal().mean()).square().mean()


def build(settings: Settings, teacher: Teacher) -> Objective:
    """Build the objective with the trace-normalised kernel loss.

    Args:
        settings: ``weight``, ``kernel_batch`` and ``kernel_every``.
        teacher: With ``images``, ``features`` and ``diagonal``.
    """
    return tangent_objective(settings, teacher, kernel_loss)
