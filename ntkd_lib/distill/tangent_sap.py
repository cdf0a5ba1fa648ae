"""NTK distillation, second reading: the trace by random perturbation, as NTK-SAP estimates it."""

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.distill.kernel_draws import own_generator
from ntkd_lib.distill.objective import Batch, Objective, Settings, Teacher, label_loss
from ntkd_lib.ntk.checks import check_model
from ntkd_lib.ntk.functional import call_with
from ntkd_lib.optics.student import HybridStudent

EPSILON = 0.01


def perturbed_trace(
    student: HybridStudent,
    images: Float[Tensor, "b 1 h w"],
    logits: Float[Tensor, "b c"],
    generator: torch.Generator | None = None,
) -> Float[Tensor, " b"]:
    """Estimate ``Theta(x, x)`` by ``|f(theta + eps z) - f(theta)|^2 / eps^2`` with one Gaussian ``z``.

    The logits are ``f(theta)``; the estimate is unbiased up to terms of order ``eps``, 8 % too low on the
    untrained student of digits.

    Source: NTK-SAP, arXiv 2304.02840, with its ``eps`` of 0.01.
    """
    check_model(student)
    moved = dict(student.named_parameters())
    for name, p in moved.items():
        if p.requires_grad:
            moved[name] = p + EPSILON * torch.randn(p.shape, generator=generator).to(p)
    return (call_with(student, moved, (images,)) - logits).square().sum(1) / EPSILON**2


def build(settings: Settings, teacher: Teacher) -> Objective:
    """Build ``L = CE(f(x), y) + weight (t_S / t_T - 1)^2``, ``t`` the mean of ``Theta(x, x)``.

    The paper cites this estimator beside its Eq. 8, which matches the whole kernel; this is the other
    reading. The square of one draw has the draw's variance on top, so that its minimum lies below ``t_T``.

    Args:
        settings: ``weight``.
        teacher: With ``diagonal``.
    """
    weight, target, generator = settings["weight"], teacher.diagonal.mean(), own_generator()

    def objective(student: HybridStudent, batch: Batch) -> Tensor:
        logits = student(batch.images)
        ratio = perturbed_trace(student, batch.images, logits, generator).mean() / target
        return label_loss(logits, batch.labels) + weight * (ratio - 1).square()

    return objective
