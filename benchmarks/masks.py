"""Segmentation students: the merged front end, the kernel of a mask, the training step."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap
from torch.nn import functional

from benchmarks.timing import interleaved, report
from ntkd_lib.distill import dense_labels, dense_soft_labels, dense_tangent
from ntkd_lib.distill.dense import DenseTeacher, MaskBatch, MaskObjective, PooledLogits
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.optics.cascade import GREY, CascadeFrontEnd
from ntkd_lib.optics.segmentation import carvana_student

SIZE = (160, 240)
BATCH = 4


def layer_by_layer(front: CascadeFrontEnd, images: Tensor) -> Tensor:
    """Compute the read-out as three convolutions at full resolution, then average over sensor pixels.

    Returns:
        What ``front(images)`` gives, but for what borders see.
    """
    seen = images - GREY
    for filters in front.depths:
        seen = functional.conv2d(seen, filters, padding=1)
    return functional.avg_pool2d(seen, front.pixels)


def optics() -> None:
    """Print milliseconds of the front end, merged and as published, backward pass included."""
    torch.manual_seed(0)
    front, images = CascadeFrontEnd(), torch.rand(BATCH, 3, *SIZE)
    inner = (..., slice(2, -2), slice(2, -2))
    difference = (front(images)[inner] - layer_by_layer(front, images)[inner]).abs().max().item()
    seconds = interleaved(
        {
            "ours: merged and binned": lambda: front(images).sum().backward(),
            "torch: layer by layer": lambda: layer_by_layer(front, images).sum().backward(),
        }
    )
    report(
        f"front end for masks, {BATCH} images (difference {difference:.0e})",
        seconds,
        "ours: merged and binned",
    )


def jacobian_kernel(student: nn.Module, images: Tensor) -> Tensor:
    """Compute the trace kernel from whole Jacobians, as torch.func's tutorial does."""
    weights = {name: p.detach() for name, p in student.named_parameters()}

    def outputs(parameters: Mapping[str, Tensor], image: Tensor) -> Tensor:
        return functional_call(student, parameters, (image[None],))[0]

    rows = vmap(jacrev(outputs), (None, 0))(weights, images)
    flat = torch.cat([row.flatten(2) for row in rows.values()], 2).flatten(1)
    return flat @ flat.T


def kernel() -> None:
    """Print milliseconds of the exact kernel of a mask's pooled logits."""
    torch.manual_seed(1)
    summarised, images = nn.Sequential(carvana_student(), PooledLogits(4)), torch.rand(BATCH, 3, *SIZE)
    ours, peer = empirical_ntk(summarised, images, kind="trace"), jacobian_kernel(summarised, images)
    seconds = interleaved(
        {
            "ours": lambda: empirical_ntk(summarised, images, kind="trace"),
            "torch.func: Jacobians": lambda: jacobian_kernel(summarised, images),
        },
        rounds=5,
    )
    apart = ((ours - peer).norm() / peer.norm()).item()
    report(f"kernel of pooled logits, {BATCH} images (difference {apart:.0e})", seconds, "ours")


def step(objective: MaskObjective, student: nn.Module, number: int) -> None:
    """Run one training step in bfloat16 autocast.

    Args:
        number: Number of the step; the kernel enters at multiples of ``kernel_every``.
    """
    torch.manual_seed(0)
    images, masks = torch.rand(BATCH, 3, *SIZE), (torch.rand(BATCH, *SIZE) > 0.5).float()
    with torch.autocast("cpu", torch.bfloat16):
        loss = objective(student, MaskBatch(images, masks, torch.arange(BATCH), step=number))
    loss.backward()


def steps() -> None:
    """Print milliseconds of a training step, the kernel's share spread over the steps between."""
    torch.manual_seed(2)
    images, features, every = torch.rand(8, 3, *SIZE), torch.randn(8, 8), 25
    teacher = DenseTeacher(
        torch.randn(BATCH, *SIZE), images, features, features.square().sum(1), PooledLogits(4)
    )
    heard = {"weight": 0.1, "form": "normalised", "kernel_batch": BATCH, "kernel_every": every}
    tangent = dense_tangent.build(heard, teacher)
    soft = dense_soft_labels.build({"weight": 0.5, "temperature": 2.0}, teacher)
    student, labels = carvana_student(), dense_labels.build({}, teacher)
    seconds = interleaved(
        {
            "masks only": lambda: step(labels, student, 1),
            "soft-label KD": lambda: step(soft, student, 1),
            "NTKD, step with a kernel": lambda: step(tangent, student, 0),
        },
        rounds=5,
    )
    alone = seconds["masks only"]
    seconds[f"NTKD, mean of {every} steps"] = alone + (seconds["NTKD, step with a kernel"] - alone) / every
    print(f"one training step of the segmentation student, batch {BATCH}, bfloat16 autocast")
    for name, value in seconds.items():
        print(f"  {name:<44}{1e3 * value:10.2f} ms  {value / alone:8.2f} x of masks only")


def main() -> None:
    """Time front end, kernel and steps."""
    optics()
    kernel()
    steps()


if __name__ == "__main__":
    main()
