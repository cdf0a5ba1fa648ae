"""Training steps of both students: each objective against plain cross-entropy."""

import torch

from benchmarks.timing import interleaved
from ntkd_lib.distill import (
    labels,
    soft_labels,
    tangent_cosine,
    tangent_normalised,
    tangent_sap,
    tangent_soft,
)
from ntkd_lib.distill.objective import Batch, Objective, Teacher
from ntkd_lib.optics.student import HybridStudent, cifar_student, mnist_student

IMAGES = 128


def steps(objective: Objective, student: HybridStudent, count: int = 2) -> None:
    """Compute the gradients of the steps of one kernel interval."""
    torch.manual_seed(0)
    images, rows = torch.rand(IMAGES, 1, 28, 28), torch.arange(IMAGES)
    for step in range(count):
        student.zero_grad(set_to_none=True)
        objective(student, Batch(images, rows % 10, rows, step)).backward()


def digits() -> None:
    """Print milliseconds per step of the MNIST student, and the ratio to cross-entropy."""
    torch.manual_seed(1)
    features = torch.randn(IMAGES, 128)
    images = torch.rand(IMAGES, 1, 28, 28)
    teacher = Teacher(torch.randn(IMAGES, 10), images, features, features.square().sum(1))
    every_second = {"weight": 0.1, "kernel_batch": 32, "kernel_every": 2}
    objectives = {
        "cross-entropy": labels.build({}, teacher),
        "soft-label KD": soft_labels.build({"weight": 0.5, "temperature": 4.0}, teacher),
        "NTKD, 32 images every 2nd step": tangent_cosine.build(every_second, teacher),
        "NTKD, 128 images every step": tangent_cosine.build(
            {"weight": 0.1, "kernel_batch": 128, "kernel_every": 1}, teacher
        ),
        "NTK-SAP trace": tangent_sap.build({"weight": 0.1}, teacher),
    }
    student = mnist_student()
    seconds = interleaved({name: lambda o=o: steps(o, student) for name, o in objectives.items()})
    print(f"one training step of the MNIST student, batch {IMAGES}")
    for name, value in seconds.items():
        print(
            f"  {name:<44}{500 * value:10.2f} ms  {value / seconds['cross-entropy']:8.2f} x of cross-entropy"
        )


def colour_steps(objective: Objective, student: HybridStudent, every: int) -> None:
    """Run the steps of one kernel interval in bfloat16 autocast."""
    torch.manual_seed(0)
    images, rows = torch.rand(IMAGES, 3, 32, 32), torch.arange(IMAGES)
    for step in range(every):
        student.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16):
            loss = objective(student, Batch(images, rows % 10, rows, step))
        loss.backward()


def colours() -> None:
    """Print milliseconds per step of the CIFAR-10 student, and the ratio to cross-entropy (aim: 1.6)."""
    torch.manual_seed(1)
    features, every = torch.randn(2000, 2048), 8
    images, squares = torch.rand(2000, 3, 32, 32), features.square().sum(1)
    teacher = Teacher(torch.randn(IMAGES, 10), images, features, squares)
    kernel = {"weight": 0.1, "kernel_batch": 32, "kernel_every": every}
    soft = {"temperature": 4.0}
    objectives = {
        "cross-entropy": labels.build({}, teacher),
        "soft-label KD": soft_labels.build({**soft, "weight": 0.5}, teacher),
        "NTKD, 32 images every 8th step": tangent_normalised.build(kernel, teacher),
        "NTKD + KD, 32 images every 8th step": tangent_soft.build(
            {**kernel, **soft, "soft_weight": 0.5}, teacher
        ),
    }
    student = cifar_student()
    seconds = interleaved(
        {name: lambda o=o: colour_steps(o, student, every) for name, o in objectives.items()}, rounds=5
    )
    print(f"one training step of the CIFAR-10 student, batch {IMAGES}, bfloat16 autocast")
    for name, value in seconds.items():
        ratio = value / seconds["cross-entropy"]
        print(f"  {name:<44}{1e3 * value / every:10.2f} ms  {ratio:8.2f} x of cross-entropy")


def main() -> None:
    """Time the steps of both students."""
    digits()
    colours()
