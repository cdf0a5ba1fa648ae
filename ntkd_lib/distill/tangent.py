"""The frame of NTK distillation: cross-entropy plus a loss on the tangent kernels of some images."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy

from ntkd_lib.distill.objective import Batch, Objective, Settings, Teacher
from ntkd_lib.ntk.landmarks import landmark_gram
from ntkd_lib.optics.student import HybridStudent
from ntkd_lib.optics.tangent import student_trace_ntk

KernelLoss = Callable[[Float[Tensor, "m m"], Float[Tensor, "m m"]], Tensor]


def tangent_objective(settings: Settings, teacher: Teacher, loss: KernelLoss) -> Objective:
    """Build ``L = CE(f(x), y) + weight * loss(Theta_student, Theta_teacher)``.

    The kernels are those of ``kernel_batch`` images, drawn afresh from the images whose teacher kernel is
    known, contracted over classes and all trainable parameters. Both are divided by the teacher's mean
    ``Theta(x, x)``, a constant, so that ``weight`` has no unit. With ``kernel_every = e`` the kernel loss
    enters every e-th step, e times as heavy, which leaves its mean as it is.

    Source: NTKD paper, Eq. 8-9 (weights not published; the paper takes the images of the batch).

    Args:
        settings: ``weight``, ``kernel_batch`` and ``kernel_every``.
        teacher: With ``images``, ``features`` and ``diagonal``.
        loss: Loss of the student's and the teacher's kernel.

    Returns:
        The objective.
    """
    size, every = int(settings["kernel_batch"]), int(settings["kernel_every"])
    weight = settings["weight"] * every
    scale = teacher.diagonal.mean()

    def objective(student: HybridStudent, batch: Batch) -> Tensor:
        labels = cross_entropy(student(batch.images), batch.labels)
        if batch.step % every:
            return labels
        drawn = torch.randperm(len(teacher.images))[:size].to(scale.device)
        theta_student = student_trace_ntk(student, teacher.images[drawn]) / scale
        theta_teacher = landmark_gram(teacher.features[drawn], teacher.diagonal[drawn]) / scale
        return labels + weight * loss(theta_student, theta_teacher)

    return objective
