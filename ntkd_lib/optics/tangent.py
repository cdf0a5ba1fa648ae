"""The trace kernel of a hybrid student in closed form, cheap enough for every training step.

For the dense back end, ``Theta = sum_l (A_l A_l' + 1) o (B_l B_l')``; the filters' share is the Gram matrix
of their gradients, see `SignedFrontEnd.filter_gradients`. The general structured kernel gives the same
numbers; here the signals have a closed form instead of a backward pass, so that their derivative takes one
backward pass instead of two. Students of another form take the general kernel.
"""

import warnings
from copy import deepcopy
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor, eye, nn

from ntkd_lib.nets.changes import is_changed
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.probe import FEW, ROUNDED, ProbeError, check_kernel
from ntkd_lib.optics.front_end import SignedFrontEnd
from ntkd_lib.optics.student import HybridStudent

Layers = list[tuple[nn.Linear, bool]]  # dense layers, and whether a ReLU follows

# whether the closed form held when it was compared with autograd, by student, what was trained and modes
_compared: WeakKeyDictionary[nn.Module, dict[tuple[bool, ...], bool]] = WeakKeyDictionary()


def student_trace_ntk(
    student: HybridStudent, images: Float[Tensor, "n l h w"], *, probe: bool = True
) -> Float[Tensor, "n n"]:
    """Compute the trace kernel of a hybrid student, differentiable with respect to its weights.

    The closed form holds for dense layers with ReLUs or nothing between them, with or without biases, some of
    them frozen, behind a `SignedFrontEnd` or any front end that is not trained. Every other student takes
    the general kernel, at the price of two backward passes in place of one.

    Source: NTKD paper, Eq. 6-8; equal to ``empirical_ntk(student, images, kind="trace")``.

    Args:
        student: Student; the front end's parameters count if they are trained.
        probe: Whether the first closed form of a student (and the first at other trained parameters or
            modes), and every general kernel, is compared with plain autograd on two single images.

    Returns:
        Symmetric kernel. If the closed form fails the comparison, a warning says so and the general kernel
        takes over for this student.
    """
    parts = (*student.parameters(), *student.modules())
    trained = tuple(p.requires_grad if isinstance(p, Tensor) else p.training for p in parts)
    held = _compared.setdefault(student, {})
    layers = _closed_form(student) if held.get(trained, True) else None
    if layers is None:
        return empirical_ntk(student, images, kind="trace", probe=probe)
    kernel = _closed_kernel(student, images, layers)
    if probe and trained not in held:
        try:
            check_kernel(student, kernel, images)
        except ProbeError as error:
            if not _holds_in_float64(student, images, kernel.detach()):
                text = f"closed form of the student's kernel: {error}; taking the general one"
                warnings.warn(text, stacklevel=2)
                held[trained] = False
                return empirical_ntk(student, images, kind="trace")
        held[trained] = True
    return kernel


def student_conjugate_kernel(
    student: HybridStudent, images: Float[Tensor, "n l h w"]
) -> Float[Tensor, "n n"]:
    """Compute the conjugate kernel ``h h' + 1`` with ``h`` the inputs of the last layer, ``(n, d)``.

    Times the number of classes it is what the last layer alone adds to the trace kernel.
    """
    inputs = student.back[:-1](student.front(images))
    return inputs @ inputs.T + 1


def _closed_kernel(student: HybridStudent, images: Tensor, layers: Layers) -> Tensor:
    front = student.front
    if not (isinstance(front, SignedFrontEnd) and front.filters.requires_grad):
        return _dense_part(layers, front(images))[0]
    maps = front.maps(images)
    kernel, signals = _dense_part(layers, front.pool(maps))
    gradients = front.filter_gradients(images, maps, signals).transpose(1, 2).flatten(1)  # as they lie
    return kernel + gradients @ gradients.T


@torch.no_grad()
def _holds_in_float64(student: HybridStudent, images: Tensor, kernel: Tensor) -> bool:
    """Compare again where rounding puts no ReLU of a few images on its other side."""
    twin, few = deepcopy(student).double(), images[:FEW].double()
    exact = _closed_kernel(twin, few, _closed_form(twin) or [])
    try:
        check_kernel(twin, exact, few)
    except ProbeError:
        return False
    return bool((kernel[:FEW, :FEW] - exact).norm() <= ROUNDED * exact.norm())


def _closed_form(student: HybridStudent) -> Layers | None:
    """List the dense layers of a student whose kernel has the closed form; None for any other student."""
    front, layers = student.front, _dense_layers(student.back)
    if layers is None or type(student).forward is not HybridStudent.forward:
        return None
    if any(is_changed(module) for module in student.modules()):
        return None
    ids = [id(p) for layer, _ in layers for p in layer._parameters.values() if p is not None]
    reached = {*ids, id(front.filters)} if type(front) is SignedFrontEnd else set(ids)
    trained = {id(p) for p in student.parameters() if p.requires_grad}
    return layers if trained and trained <= reached and len(set(ids)) == len(ids) else None


def _dense_layers(back: nn.Module) -> Layers | None:
    if type(back) is not nn.Sequential:
        return None
    layers: Layers = []
    for module in back:
        if type(module) is nn.Linear:
            layers.append((module, False))
        elif type(module) is nn.ReLU and layers:
            layers[-1] = (layers[-1][0], True)
        elif type(module) is not nn.Identity:
            return None
    return layers if layers and not layers[-1][1] else None


def _dense_part(layers: Layers, read_out: Tensor) -> tuple[Tensor, Tensor]:
    """Kernel of the dense layers ``(n, n)`` and the class signals at the read-out ``(n, c, d)``."""
    inputs, masks = [read_out], []
    for layer, rectified in layers[:-1]:
        hidden = layer(inputs[-1])
        masks.append((hidden.detach() > 0).to(hidden) if rectified else None)
        inputs.append(hidden * masks[-1] if rectified else hidden)
    dense = [layer for layer, _ in layers]
    signals = eye(dense[-1].out_features).to(read_out).expand(len(read_out), -1, -1)
    kernel = _layer_kernel(dense[-1], inputs[-1], signals)
    for layer, mask, before, entry in zip(
        dense[:0:-1], masks[::-1], dense[-2::-1], inputs[-2::-1], strict=True
    ):
        signals = signals @ layer.weight
        signals = signals if mask is None else signals * mask[:, None]
        kernel = kernel + _layer_kernel(before, entry, signals)
    return kernel, signals @ dense[0].weight


def _layer_kernel(layer: nn.Linear, inputs: Tensor, signals: Tensor) -> Tensor:
    """Multiply the Gram matrices of inputs, plus 1 for a bias, and signals; 0 for a frozen layer."""
    bias = layer.bias is not None and layer.bias.requires_grad
    if not (bias or layer.weight.requires_grad):
        return signals.new_zeros(len(signals), len(signals))
    flat = signals.flatten(1)
    gram = flat @ flat.T
    if not layer.weight.requires_grad:
        return gram
    return (inputs @ inputs.T + 1) * gram if bias else (inputs @ inputs.T) * gram
