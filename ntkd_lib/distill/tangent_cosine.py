"""NTK distillation, centred-cosine form: the directions of the centred kernels (kernel alignment)."""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cosine_similarity

from ntkd_lib.distill.objective import Objective, Settings, Teacher
from ntkd_lib.distill.tangent import tangent_objective


def centred(kernel: Float[Tensor, "m m"]) -> Float[Tensor, "m m"]:
    """Compute ``H Theta H`` with ``H = I - 11'/m``.

    Args:
        kernel: Symmetric kernel.

    Returns:
        The kernel of features with their mean removed.
    """
    rows = kernel - kernel.mean(0, keepdim=True)
    return rows - rows.mean(1, keepdim=True)


def kernel_loss(student: Float[Tensor, "m m"], teacher: Float[Tensor, "m m"]) -> Tensor:
    """Compute ``1 - cos(H Theta_S H, H Theta_T H)``. Source: Cortes, Mohri and Rostamizadeh (2012).

    Returns:
        A number in [0, 2].

    >>> import torch
    >>> kernel_loss(3 * torch.eye(2), torch.eye(2)).round(decimals=6).abs()
    tensor(0.)
    """
    return 1 - cosine_similarity(centred(student).flatten(), centred(teacher).flatten(), dim=0)


def build(settings: Settings, teacher: Teacher) -> Objective:
    """Build the objective with the centred-cosine kernel loss.

    Args:
        settings: ``weight``, ``kernel_batch`` and ``kernel_every``.
        teacher: With ``images``, ``features`` and ``diagonal``.
    """
    return tangent_objective(settings, teacher, kernel_loss)
