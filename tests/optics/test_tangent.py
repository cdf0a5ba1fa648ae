"""The student's closed-form kernel against the general one."""

import itertools

import pytest
import torch

from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.reference import reference_ntk
from ntkd_lib.optics.student import mnist_student
from ntkd_lib.optics.tangent import student_conjugate_kernel, student_trace_ntk

OPTICS = ("signed", "random", "random-positive", "random-centred", "lens")
RECTIFIED = ("both", "capture", "hidden", "none")


@pytest.mark.parametrize("optics, rectified", list(itertools.product(OPTICS, RECTIFIED)))
@pytest.mark.parametrize("hidden", [(), (6,), (5, 4)])
def test_equals_the_general_kernel(optics: str, rectified: str, hidden: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    student = mnist_student(optics, rectified, hidden, filters=2 if optics != "lens" else 8).double()
    images = torch.rand(4, 1, 28, 28).double()
    general = empirical_ntk(student, images, kind="trace", method="contraction")
    torch.testing.assert_close(student_trace_ntk(student, images), general, rtol=1e-11, atol=0)


def test_equals_the_slow_twin_in_single_precision() -> None:
    torch.manual_seed(1)
    student, images = mnist_student(), torch.rand(3, 1, 28, 28)
    exact = reference_ntk(student, images).diagonal(dim1=2, dim2=3).sum(-1)
    fast = student_trace_ntk(student, images).double()
    assert (fast - exact).norm() <= 1e-5 * exact.norm()
    assert torch.equal(fast, fast.T)


def test_the_conjugate_kernel_is_what_the_last_layer_adds_for_each_class() -> None:
    torch.manual_seed(3)
    student, images = (
        mnist_student("signed", "both", (6,), filters=2).double(),
        torch.rand(4, 1, 28, 28).double(),
    )
    conjugate = student_conjugate_kernel(student, images)
    for p in (student.front.filters, *student.back[:-1].parameters()):
        p.requires_grad_(requires_grad=False)
    last = reference_ntk(student, images).diagonal(dim1=2, dim2=3).sum(-1)
    torch.testing.assert_close(10 * conjugate, last, rtol=1e-11, atol=0)


@pytest.mark.parametrize("rectified", RECTIFIED)
def test_gradient_equals_that_of_the_general_kernel(rectified: str) -> None:
    torch.manual_seed(2)
    student = mnist_student("signed", rectified, (6,), filters=2).double()
    images = torch.rand(3, 1, 28, 28).double()
    weights = torch.rand(3, 3).double()
    parameters = list(student.parameters())
    slopes = [
        torch.autograd.grad((weights * kernel).sum(), parameters, allow_unused=True)
        for kernel in (
            student_trace_ntk(student, images),
            empirical_ntk(student, images, kind="trace", method="contraction"),
        )
    ]
    for fast, slow in zip(*slopes, strict=True):
        if fast is None or slow is None:  # the last bias moves no kernel
            assert all(slope is None or not slope.any() for slope in (fast, slow))
        else:
            torch.testing.assert_close(fast, slow, rtol=1e-10, atol=1e-12)
