"""Read-outs of captures, and the layers that stand behind them."""

import torch

from ntkd_lib.distill import vaccinated
from ntkd_lib.distill.objective import Batch, Teacher
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.optics.captured import CalibratedStudent, CapturedStudent, read_out
from ntkd_lib.optics.psf import image_through, target_psfs
from ntkd_lib.optics.student import mnist_student
from ntkd_lib.optics.tangent import student_trace_ntk


def captured(student, images):
    targets, gains = target_psfs(student.front.filters.detach())
    return image_through(images, targets), gains


def test_ideal_captures_give_the_read_out_of_the_student() -> None:
    torch.manual_seed(0)
    student, images = mnist_student().double(), torch.rand(3, 1, 28, 28).double()
    captures, gains = captured(student, images)
    seen = read_out(captures, gains)
    torch.testing.assert_close(seen.flatten(1), student.front(images).detach())
    torch.testing.assert_close(CapturedStudent(student.back)(seen), student(images))


def test_the_kernel_of_a_captured_student_is_that_of_its_back_end() -> None:
    torch.manual_seed(1)
    student, images = mnist_student(hidden=(6,), filters=2).double(), torch.rand(4, 1, 28, 28).double()
    seen = read_out(*captured(student, images))
    general = empirical_ntk(student.back, seen.flatten(1), kind="trace", method="contraction")
    torch.testing.assert_close(student_trace_ntk(CapturedStudent(student.back), seen), general)


def test_calibration_starts_at_the_design_and_trains_gains_alone() -> None:
    torch.manual_seed(2)
    student, images = mnist_student(), torch.rand(3, 1, 28, 28)
    captures, gains = captured(student, images)
    calibrated = CalibratedStudent(student.back, gains)
    torch.testing.assert_close(calibrated(captures), student(images), atol=1e-4, rtol=1e-4)
    assert [n for n, p in calibrated.named_parameters() if p.requires_grad] == ["factors"]
    assert calibrated.factors.numel() == 16


def test_vaccinated_training_without_errors_is_training_on_labels() -> None:
    torch.manual_seed(3)
    student = mnist_student()
    batch = Batch(torch.rand(4, 1, 28, 28), torch.arange(4), torch.arange(4))
    calm, shaken = (vaccinated.build({"strength": s}, Teacher())(student, batch) for s in (0.0, 0.3))
    torch.testing.assert_close(calm, torch.nn.functional.cross_entropy(student(batch.images), batch.labels))
    assert shaken != calm
    shaken.backward()
    assert student.front.filters.grad.abs().sum() > 0
