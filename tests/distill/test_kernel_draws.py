"""A kernel loss changes the loss alone: weight 0 is training without it, and no step is heavier than 1."""

import pytest
import torch

from ntkd_lib.distill import labels, tangent_soft
from ntkd_lib.distill.kernel_draws import bound_gradient, kernel_images
from ntkd_lib.distill.objective import Objective, Teacher
from ntkd_lib.distill.objectives import OBJECTIVES
from ntkd_lib.distill.training import Images, Schedule, fit
from ntkd_lib.optics.student import HybridStudent, cifar_student, mnist_student

SCHEDULES = {
    "digits": Schedule(2, 16, lr=1e-2, weight_decay=0.1, shift=1),
    "colour": Schedule(2, 16, lr=1e-3, weight_decay=0.1, front_rate=10, shift=2, mirror=True, mixed=True),
}


def student(kind: str) -> HybridStudent:
    torch.manual_seed(0)
    if kind == "digits":
        return mnist_student("signed", "both", (6,), filters=2)
    return cifar_student("both", (12, 8), filters=4)


def data(kind: str) -> Images:
    generator = torch.Generator().manual_seed(1)
    shape = (80, 1, 28, 28) if kind == "digits" else (80, 3, 32, 32)
    return Images(torch.rand(shape, generator=generator), torch.arange(80) % 10)


def teacher(images: Images) -> Teacher:
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(20, 7, generator=generator)
    logits = torch.randn(160, 10, generator=generator)
    return Teacher(logits, images.images[:20], features, features.square().sum(1))


def trained(kind: str, build: object, settings: dict[str, float]) -> tuple[list[torch.Tensor], list[float]]:
    """Train a small student as the book does, all from one seed."""
    model, images = student(kind), data(kind)
    torch.manual_seed(3)
    objective: Objective = build(settings, teacher(images))
    rows, held_out = torch.arange(64), torch.arange(64, 80)
    curve = fit(model, images, rows, held_out, objective, SCHEDULES[kind])
    return [p.detach() for p in model.parameters()], curve


@pytest.mark.parametrize("kind", list(SCHEDULES))
def test_weight_zero_is_training_on_labels_bit_for_bit(kind: str) -> None:
    plain, curve = trained(kind, labels.build, {})
    kernel = {"kernel_batch": 8, "kernel_every": 2}
    silent, other = trained(kind, OBJECTIVES["tangent_normalised"], {"weight": 0.0, **kernel})
    assert curve == other
    assert all(torch.equal(a, b) for a, b in zip(plain, silent, strict=True))
    heard, _ = trained(kind, OBJECTIVES["tangent_normalised"], {"weight": 1.0, **kernel})
    assert any(not torch.equal(a, b) for a, b in zip(plain, heard, strict=True))


def test_weight_zero_beside_soft_labels_is_soft_labels_bit_for_bit() -> None:
    from ntkd_lib.distill import soft_labels

    soft, curve = trained("colour", soft_labels.build, {"weight": 0.8, "temperature": 2.0})
    both = {"soft_weight": 0.8, "temperature": 2.0, "weight": 0.0, "kernel_batch": 8, "kernel_every": 1}
    silent, other = trained("colour", tangent_soft.build, both)
    assert curve == other
    assert all(torch.equal(a, b) for a, b in zip(soft, silent, strict=True))


def test_draws_leave_the_run_s_own_generator_alone() -> None:
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    draw = kernel_images(50, 8)
    first, second = draw(), draw()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not torch.equal(first, second)
    torch.manual_seed(7)
    assert torch.equal(kernel_images(50, 8)(), first)


def test_the_kernel_s_gradient_is_bounded_and_keeps_its_direction() -> None:
    model, images = student("digits"), data("digits")

    def slope(weight: float, **more: float | None) -> torch.Tensor:
        torch.manual_seed(3)
        settings = {"weight": weight, "kernel_batch": 8, "kernel_every": 1, **more}
        objective = OBJECTIVES["tangent_raw"](settings, teacher(images))
        batch = next(iter(_batches(images)))
        value = objective(model, batch) - labels.build({}, teacher(images))(model, batch)
        slopes = torch.autograd.grad(value, list(model.parameters()), allow_unused=True)
        return torch.cat([g.flatten() for g in slopes if g is not None])

    small, huge, free = slope(1e-4), slope(1e3), slope(1e3, kernel_clip=None)
    assert huge.norm().item() == pytest.approx(1.0, rel=1e-4)
    assert free.norm() > 10
    torch.testing.assert_close(huge / huge.norm(), free / free.norm(), rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(small / small.norm(), free / free.norm(), rtol=1e-2, atol=1e-3)
    torch.testing.assert_close(small, slope(1e-4, kernel_clip=None), rtol=1e-4, atol=1e-9)


def test_no_bound_leaves_the_loss_itself() -> None:
    value = torch.tensor(3.0, requires_grad=True)
    assert bound_gradient(torch.nn.Linear(1, 1), value, None) is value


def _batches(images: Images):
    from ntkd_lib.distill.objective import Batch

    yield Batch(images.images[:16], images.labels[:16], torch.arange(16))
