"""The frame of NTK distillation: cross-entropy plus a loss on the tangent kernels of part of the batch."""

from collections.abc import Callable

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

    The kernels are those of the first ``kernel_batch`` images of a batch, contracted over classes and all
    trainable parameters. Both are divided by the teacher's mean ``Theta(x, x)`` over the training set, a
    constant, so that ``weight`` has no unit. With ``kernel_every = e`` the kernel loss enters every e-th
    step, e times as heavy, which leaves its mean as it is.

    Source: NTKD paper, Eq. 8-9 (weights not published; the paper takes the whole batch at every step).

    Args:
        settings: ``weight``, ``kernel_batch`` and ``kernel_every``.
        teacher: With ``features`` and ``diagonal``.
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
        rows = batch.rows[:size]
        theta_student = student_trace_ntk(student, batch.images[:size]) / scale
        theta_teacher = landmark_gram(teacher.features[rows], teacher.diagonal[rows]) / scale
        return labels + weight * loss(theta_student, theta_teacher)

    return objective
