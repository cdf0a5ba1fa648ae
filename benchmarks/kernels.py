"""Tangent kernels: closed form and structured against torch.func's Jacobian contraction."""

import torch

from benchmarks.timing import interleaved, report
from ntkd_lib.nets.two_convolutions import lenet
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.optics.student import mnist_student
from ntkd_lib.optics.tangent import student_trace_ntk


def student_kernel(n: int) -> None:
    """Time the student's trace kernel with its gradient."""
    torch.manual_seed(0)
    student, images = mnist_student(), torch.rand(n, 1, 28, 28)
    parameters = [p for p in student.parameters() if p.requires_grad]

    def step(kernel: torch.Tensor) -> None:
        torch.autograd.grad(kernel.square().mean(), parameters, allow_unused=True)

    ways = {
        "closed form": lambda: step(student_trace_ntk(student, images)),
        "structured": lambda: step(empirical_ntk(student, images, kind="trace", method="structured")),
        "torch.func Jacobian contraction": lambda: step(
            empirical_ntk(student, images, kind="trace", method="contraction")
        ),
    }
    report(
        f"student (50,930 parameters), trace kernel and gradient, n = {n}", interleaved(ways), "closed form"
    )


def teacher_kernel(n: int) -> None:
    """Time the teacher's trace kernel."""
    torch.manual_seed(0)
    teacher, images = lenet(), torch.rand(n, 1, 28, 28)

    def kernel(method: str) -> torch.Tensor:
        with torch.no_grad():
            return empirical_ntk(teacher, images, kind="trace", method=method)

    ways = {
        "structured": lambda: kernel("structured"),
        "torch.func Jacobian contraction": lambda: kernel("contraction"),
    }
    report(f"LeNet (44,426 parameters), trace kernel, n = {n}", interleaved(ways), "structured")


def main() -> None:
    """Print all tables."""
    for n in (32, 128):
        student_kernel(n)
        teacher_kernel(n)
