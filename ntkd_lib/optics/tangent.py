"""The trace kernel of a hybrid student in closed form, cheap enough for every training step.

For the dense back end, ``Theta = sum_l (A_l A_l' + 1) o (B_l B_l')``; the filters' share is the Gram matrix
of their gradients, see `SignedFrontEnd.filter_gradients`. The general structured kernel gives the same
numbers; here the signals are written down in place of a backward pass, so that their derivative is one
backward pass and not two.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkd_lib.optics.front_end import SignedFrontEnd
from ntkd_lib.optics.student import HybridStudent


def student_trace_ntk(student: HybridStudent, images: Float[Tensor, "n l h w"]) -> Float[Tensor, "n n"]:
    """Compute the trace kernel of a hybrid student, differentiable with respect to its weights.

    Source: NTKD paper, Eq. 6-8; equal to ``empirical_ntk(student, images, kind="trace")``.

    Args:
        student: Student with a dense back end; the front end's filters count where they are trained.
        images: Batch of images.

    Returns:
        Symmetric kernel.
    """
    front = student.front
    if not (isinstance(front, SignedFrontEnd) and front.filters.requires_grad):
        return _dense_part(student.back, front(images))[0]
    maps = front.maps(images)
    kernel, signals = _dense_part(student.back, front.pool(maps))
    gradients = front.filter_gradients(images, maps, signals).flatten(1)
    return kernel + gradients @ gradients.T


def _dense_part(back: nn.Sequential, read_out: Tensor) -> tuple[Tensor, Tensor]:
    """Kernel of the dense layers ``(n, n)`` and the class signals at the read-out ``(n, c, d)``."""
    layers = [layer for layer in back if isinstance(layer, nn.Linear)]
    rectified = any(isinstance(layer, nn.ReLU) for layer in back)
    inputs, masks = [read_out], []
    for layer in layers[:-1]:
        hidden = layer(inputs[-1])
        masks.append((hidden.detach() > 0).to(hidden) if rectified else torch.ones_like(hidden))
        inputs.append(hidden * masks[-1])
    classes = layers[-1].out_features
    signals = torch.eye(classes).to(read_out).expand(len(read_out), -1, -1)
    kernel = _layer_kernel(inputs[-1], signals)
    for layer, mask, entry in zip(layers[:0:-1], masks[::-1], inputs[-2::-1], strict=True):
        signals = (signals @ layer.weight) * mask[:, None]
        kernel = kernel + _layer_kernel(entry, signals)
    return kernel, signals @ layers[0].weight


def _layer_kernel(inputs: Tensor, signals: Tensor) -> Tensor:
    flat = signals.flatten(1)
    return (inputs @ inputs.T + 1) * (flat @ flat.T)
