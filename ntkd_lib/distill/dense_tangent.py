"""NTK distillation for dense outputs: the tangent kernel of a few numbers that summarise all logits.

A mask has tens of thousands of logits, and the paper does not say whose kernel its segmentation students
match. Here it is the kernel of pooled or of randomly projected logits, the same for teacher and student.
"""

import torch
from torch import Tensor, nn

from ntkd_lib.distill.dense import DenseTeacher, MaskBatch, MaskObjective, Settings, pixel_loss
from ntkd_lib.distill.kernel_draws import bound_gradient, kernel_images
from ntkd_lib.distill.kernel_losses import KERNEL_LOSSES
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.landmarks import landmark_gram


def build(settings: Settings, teacher: DenseTeacher) -> MaskObjective:
    """Build ``L = BCE(f(x), y) + weight * loss(Theta_student, Theta_teacher)``.

    The kernels are those of ``g(f(x))``, with ``g`` the teacher's ``summary``, for ``kernel_batch`` images,
    drawn afresh from the images whose teacher kernel is known, contracted over the outputs of ``g`` and all
    trainable parameters. Both are divided by the teacher's mean ``Theta(x, x)``. With ``kernel_every = e``
    the kernel loss enters every e-th step, e times as heavy, with a gradient of at most norm 1.

    Source: NTKD paper, Eq. 8-9.

    Args:
        settings: ``weight``, ``form``, ``kernel_batch`` and ``kernel_every``.
        teacher: With ``images``, ``features``, ``diagonal`` and ``summary``.
    """
    every = int(settings["kernel_every"])
    draw = kernel_images(len(teacher.images), int(settings["kernel_batch"]))
    weight, loss = settings["weight"] * every, KERNEL_LOSSES[settings["form"]]
    scale, probed = teacher.diagonal.mean(), iter([True])  # the first kernel of a training is probed

    def objective(student: nn.Module, batch: MaskBatch) -> Tensor:
        labels = pixel_loss(student(batch.images), batch.masks)
        if batch.step % every:
            return labels
        drawn = draw().to(scale.device)
        summarised = nn.Sequential(student, teacher.summary)
        with torch.autocast(scale.device.type, enabled=False):  # kernels always in float32
            form = {"kind": "trace", "method": "structured", "probe": next(probed, False)}
            theta_student = empirical_ntk(summarised, teacher.images[drawn], **form) / scale
            theta_teacher = landmark_gram(teacher.features[drawn], teacher.diagonal[drawn]) / scale
            return labels + bound_gradient(student, weight * loss(theta_student, theta_teacher))

    return objective
