"""Training steps of both students, as the book trains them: each objective against plain cross-entropy."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from benchmarks.timing import interleaved_values
from ntkd_lib.chapters.classification.parameters import ClassificationParameters
from ntkd_lib.distill.objective import Batch, Teacher
from ntkd_lib.distill.objectives import OBJECTIVES
from ntkd_lib.optics.student import HybridStudent, cifar_student, mnist_student

TRAINED = ClassificationParameters()
RARE = TRAINED.colour_kernel_every
IMAGES = 128
SOFT = {"temperature": 4.0}
Cases = Mapping[str, tuple[str, Mapping[str, Any]]]


def kernel(every: int, images: int = 32) -> dict[str, float]:
    """Build the settings of a kernel loss."""
    return {"weight": 0.1, "kernel_batch": images, "kernel_every": every}


DIGITS: Cases = {
    "cross-entropy": ("labels", {}),
    "soft-label KD": ("soft_labels", {**SOFT, "weight": 0.5}),
    "NTKD, 32 images every 2nd step": ("tangent_cosine", kernel(2)),
    f"NTKD as trained, 32 images every {TRAINED.kernel_every}th step": (
        "tangent_cosine",
        kernel(TRAINED.kernel_every),
    ),
    "NTKD, 128 images every step": ("tangent_cosine", kernel(1, IMAGES)),
    "NTK-SAP trace": ("tangent_sap", {"weight": 0.1}),
}
COLOURS: Cases = {
    "cross-entropy": ("labels", {}),
    "soft-label KD": ("soft_labels", {**SOFT, "weight": 0.5}),
    f"NTKD as trained, 32 images every {RARE}th step": ("tangent_normalised", kernel(RARE)),
    f"NTKD + KD, 32 images every {RARE}th step": (
        "tangent_soft",
        {**kernel(RARE), **SOFT, "soft_weight": 0.5},
    ),
}


def training(
    student: HybridStudent, teacher: Teacher, objective: str, settings: Mapping[str, Any], *, mixed: bool
) -> Callable[[], None]:
    """Build a function that trains for eight steps by AdamW."""
    compute = OBJECTIVES[objective](settings, teacher)
    optimiser = torch.optim.AdamW(student.parameters(), lr=0.0, fused=True)
    images, rows = torch.rand(IMAGES, *teacher.images.shape[1:]), torch.arange(IMAGES)

    def steps() -> None:
        for step in range(8):
            with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
                loss = compute(student, Batch(images, rows % 10, rows, step))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()

    return steps


def report(
    title: str, student: HybridStudent, shape: tuple[int, ...], features: int, cases: Cases, *, mixed: bool
) -> None:
    """Print processor milliseconds per step and their ratio to cross-entropy (aim: 1.6), round by round."""
    torch.manual_seed(1)
    landmarks = torch.randn(2000, features)
    teacher = Teacher(torch.randn(IMAGES, 10), torch.rand(2000, *shape), landmarks, landmarks.square().sum(1))
    seconds = interleaved_values(
        {name: training(student, teacher, *case, mixed=mixed) for name, case in cases.items()}, rounds=15
    )
    print(f"one training step of the {title}, batch {IMAGES}: median of 15 rounds of 8 steps")
    for name, values in seconds.items():
        ratios = torch.tensor(values) / torch.tensor(seconds["cross-entropy"])
        middle = torch.tensor(values).median().item()
        print(f"  {name:<44}{125 * middle:10.2f} ms  {ratios.median():8.2f} x of cross-entropy")
        print("    " + " ".join(f"{ratio:.2f}" for ratio in ratios))


def main() -> None:
    """Time the steps of both students."""
    report("MNIST student", mnist_student(), (1, 28, 28), 128, DIGITS, mixed=False)
    colour = "CIFAR-10 student in bfloat16 autocast"
    report(colour, cifar_student(), (3, 32, 32), 2048, COLOURS, mixed=True)


if __name__ == "__main__":
    main()
