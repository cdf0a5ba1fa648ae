"""The frame of NTK distillation: cross-entropy plus a loss on the tangent kernels of some images."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkd_lib.distill.dense import DenseTeacher
from ntkd_lib.distill.kernel_draws import LARGEST_STEP, bound_gradient, kernel_images
from ntkd_lib.distill.kernel_losses import KernelLoss
from ntkd_lib.distill.objective import Batch, Objective, Settings, Teacher, label_loss
from ntkd_lib.ntk.landmarks import landmark_gram
from ntkd_lib.optics import student_trace_ntk

AnyTeacher = Teacher | DenseTeacher
KernelTerm = Callable[[nn.Module, int], Tensor | float]
StudentKernel = Callable[[nn.Module, Tensor], Float[Tensor, "m m"]]


def kernel_term(
    settings: Settings, teacher: AnyTeacher, loss: KernelLoss, kernel: StudentKernel = student_trace_ntk
) -> KernelTerm:
    """Build ``weight * loss(Theta_student, Theta_teacher)``, a function of the student and the step's number.

    The kernels are those of ``kernel_batch`` images, drawn afresh from the images whose teacher kernel is
    known, contracted over classes and all trainable parameters. Both are divided by the teacher's mean
    ``Theta(x, x)``, a constant, so that ``weight`` has no unit. With ``kernel_every = e`` the kernel loss
    enters every e-th step, e times as heavy, which leaves its mean as it is, with a gradient of at most norm
    ``kernel_clip`` (1 if it is left out; None: not bounded). With ``kernel_steps = s`` the weight falls in
    a line to zero at step s. The images are drawn by a generator of their own: with ``weight = 0`` training
    is that without a kernel, bit for bit. Kernels are float32 inside of autocast too.

    Source: NTKD paper, Eq. 8-9 (weights not published; the paper takes the images of the batch).

    Args:
        settings: ``weight``, ``kernel_batch``, ``kernel_every``, if need be ``kernel_clip``, ``kernel_steps``
        teacher: With ``images``, ``features`` and ``diagonal``.
        loss: Loss of the student's and the teacher's kernel.
        kernel: Kernel of the student that is compared with the teacher's.
    """
    every = int(settings["kernel_every"])
    weight, limit = settings["weight"] * every, settings.get("kernel_clip", LARGEST_STEP)
    steps = settings.get("kernel_steps", math.inf)
    draw = kernel_images(len(teacher.images), int(settings["kernel_batch"]))
    scale = teacher.diagonal.mean()

    def term(student: nn.Module, step: int) -> Tensor | float:
        if step % every or step >= steps:
            return 0.0
        drawn = draw().to(scale.device)
        with torch.autocast(scale.device.type, enabled=False):
            theta_student = kernel(student, teacher.images[drawn]) / scale
            theta_teacher = landmark_gram(teacher.features[drawn], teacher.diagonal[drawn]) / scale
            value = (1 - step / steps) * weight * loss(theta_student, theta_teacher)
            return bound_gradient(student, value, limit)

    return term


def tangent_objective(
    settings: Settings, teacher: Teacher, loss: KernelLoss, kernel: StudentKernel = student_trace_ntk
) -> Objective:
    """Build ``L = CE(f(x), y)`` plus a `kernel_term`, whose arguments it takes. Source: NTKD paper, Eq. 9."""
    term = kernel_term(settings, teacher, loss, kernel)

    def objective(student: nn.Module, batch: Batch) -> Tensor:
        return label_loss(student(batch.images), batch.labels) + term(student, batch.step)

    return objective
