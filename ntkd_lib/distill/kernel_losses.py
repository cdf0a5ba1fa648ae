"""Losses on a student's and a teacher's tangent kernel of the same images, by name."""

from collections.abc import Callable, Mapping

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cosine_similarity

Kernel = Float[Tensor, "m m"]


def raw(student: Kernel, teacher: Kernel) -> Tensor:
    """Compute ``|Theta_S - Theta_T|_F^2 / m^2``. Source: NTKD paper, Eq. 8.

    >>> import torch
    >>> raw(torch.eye(2), torch.ones(2, 2))
    tensor(0.5000)
    """
    return (student - teacher).square().mean()


def normalised(student: Kernel, teacher: Kernel) -> Tensor:
    """Compute ``|m Theta_S / tr Theta_S - m Theta_T / tr Theta_T|_F^2 / m^2``: kernels without their size.

    >>> import torch
    >>> normalised(3 * torch.eye(2), torch.eye(2))
    tensor(0.)
    """
    return (student / student.diagonal().mean() - teacher / teacher.diagonal().mean()).square().mean()


def centred(kernel: Kernel) -> Kernel:
    """Compute ``H Theta H`` with ``H = I - 11'/m``: the kernel of features with their mean removed."""
    rows = kernel - kernel.mean(0, keepdim=True)
    return rows - rows.mean(1, keepdim=True)


def cosine(student: Kernel, teacher: Kernel) -> Tensor:
    """Compute ``1 - cos(H Theta_S H, H Theta_T H)``, in [0, 2].

    Source: Cortes, Mohri and Rostamizadeh (2012).

    >>> import torch
    >>> cosine(3 * torch.eye(2), torch.eye(2)).round(decimals=6).abs()
    tensor(0.)
    """
    return 1 - cosine_similarity(centred(student).flatten(), centred(teacher).flatten(), dim=0)


def trace(student: Kernel, teacher: Kernel) -> Tensor:
    """Compute ``(tr Theta_S - tr Theta_T)^2 / m^2``: a control, which transfers nothing but size.

    >>> import torch
    >>> trace(torch.eye(2), 2 * torch.ones(2, 2))
    tensor(1.)
    """
    return (student.diagonal().mean() - teacher.diagonal().mean()).square()


KernelLoss = Callable[[Kernel, Kernel], Tensor]
KERNEL_LOSSES: Mapping[str, KernelLoss] = {f.__name__: f for f in (raw, normalised, cosine, trace)}
