"""Losses against closed forms, limits and slow ways."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from ntkd_lib.distill import kernel_losses, labels, soft_labels, tangent_sap, tangent_soft, vaccinated
from ntkd_lib.distill.kernel_losses import KERNEL_LOSSES
from ntkd_lib.distill.objective import Batch, Teacher
from ntkd_lib.distill.objectives import OBJECTIVES
from ntkd_lib.optics.strength import perturb_filters
from ntkd_lib.optics.student import HybridStudent, mnist_student
from ntkd_lib.optics.tangent import student_conjugate_kernel, student_trace_ntk

KERNELS = {"tangent": student_trace_ntk, "conjugate": student_conjugate_kernel}


def kernel(seed: int, n: int = 6) -> torch.Tensor:
    torch.manual_seed(seed)
    features = torch.randn(n, 9).double()
    return features @ features.T


def setting(step: int = 0) -> tuple[HybridStudent, Batch]:
    torch.manual_seed(0)
    student = mnist_student("signed", "both", (6,), filters=2).double()
    images = torch.rand(8, 1, 28, 28).double()
    return student, Batch(images, torch.arange(8) % 10, torch.arange(8), step)


def teacher(n: int = 8) -> Teacher:
    torch.manual_seed(1)
    features = torch.randn(n, 5).double()
    images = torch.rand(n, 1, 28, 28).double()
    return Teacher(torch.randn(n, 10).double(), images, features, features.square().sum(1))


def test_labels_is_cross_entropy() -> None:
    student, batch = setting()
    loss = labels.build({}, Teacher())(student, batch)
    probabilities = student(batch.images).softmax(1)[torch.arange(8), batch.labels]
    assert loss.item() == pytest.approx(-probabilities.log().mean().item(), rel=1e-12)


@pytest.mark.parametrize("temperature", [1.0, 4.0, 20.0])
def test_soft_labels_by_hand(temperature: float) -> None:
    student, batch = setting()
    loss = soft_labels.build({"temperature": temperature, "weight": 0.3}, teacher())(student, batch)
    p = (teacher().logits / temperature).softmax(1)
    q = (student(batch.images) / temperature).softmax(1)
    divergence = (p * (p.log() - q.log())).sum(1).mean()
    hard = cross_entropy(student(batch.images), batch.labels)
    assert loss.item() == pytest.approx((0.7 * hard + 0.3 * temperature**2 * divergence).item(), rel=1e-10)


def test_a_teacher_whose_logits_carry_a_graph_stays_fixed() -> None:
    torch.manual_seed(0)
    own, images = torch.nn.Linear(4, 3), torch.rand(5, 4)
    objective = soft_labels.build({"temperature": 2.0, "weight": 0.5}, Teacher(logits=own(images)))
    batch = Batch(images, torch.zeros(5, dtype=torch.long), torch.arange(5))
    for _ in range(2):
        objective(torch.nn.Linear(4, 3), batch).backward()
    assert own.weight.grad is None


def test_soft_labels_vanish_for_a_perfect_student_and_follow_rows() -> None:
    student, batch = setting()
    rows = torch.tensor([5, 3, 1, 0, 2, 4, 6, 7])
    logits = torch.empty(8, 10).double()
    logits[rows] = student(batch.images).detach()
    objective = soft_labels.build({"temperature": 2.0, "weight": 1.0}, Teacher(logits))
    assert abs(objective(student, Batch(batch.images, batch.labels, rows)).item()) < 1e-12


@pytest.mark.parametrize("form", KERNEL_LOSSES)
def test_kernel_losses_vanish_only_on_what_they_match(form: str) -> None:
    theta = kernel(0)
    assert KERNEL_LOSSES[form](theta, theta).item() == pytest.approx(0, abs=1e-12)
    assert KERNEL_LOSSES[form](theta, kernel(1)).item() > 1e-3


@pytest.mark.parametrize("form", ["normalised", "cosine"])
def test_scale_free_forms_ignore_size(form: str) -> None:
    a, b = kernel(0), kernel(1)
    assert KERNEL_LOSSES[form](7 * a, b).item() == pytest.approx(KERNEL_LOSSES[form](a, b).item(), rel=1e-12)


def test_raw_form_is_the_mean_square() -> None:
    a, b = kernel(0), kernel(1)
    by_hand = sum((a[i, j] - b[i, j]) ** 2 for i in range(6) for j in range(6)) / 36
    assert kernel_losses.raw(a, b).item() == pytest.approx(by_hand.item(), rel=1e-12)
    assert kernel_losses.raw(3 * a, torch.zeros_like(a)).item() == pytest.approx(
        9 * a.square().mean().item(), rel=1e-12
    )


def test_cosine_ignores_a_constant_and_is_bounded() -> None:
    a, b = kernel(0), kernel(1)
    shifted = kernel_losses.cosine(a + 5, b)
    assert shifted.item() == pytest.approx(kernel_losses.cosine(a, b).item(), rel=1e-9)
    assert kernel_losses.cosine(a, -a).item() == pytest.approx(2, rel=1e-9)
    assert kernel_losses.centred(a).sum().abs() < 1e-9


def test_centring_is_a_product_with_the_centring_matrix() -> None:
    torch.manual_seed(2)
    centring = torch.eye(6).double() - 1 / 6
    for theta in (kernel(0), torch.randn(6, 6).double()):
        torch.testing.assert_close(kernel_losses.centred(theta), centring @ theta @ centring)


def test_cosine_is_that_of_kernels_of_centred_features() -> None:
    a, b = (kernel_losses.centred(kernel(seed)) for seed in (0, 1))
    by_hand = 1 - (a * b).sum() / (a.norm() * b.norm())
    assert kernel_losses.cosine(kernel(0), kernel(1)).item() == pytest.approx(by_hand.item(), rel=1e-12)


def test_trace_form_sees_the_diagonal_only() -> None:
    a, b = kernel(0), kernel(1)
    other = torch.diag(a.diagonal())
    assert kernel_losses.trace(other, b).item() == pytest.approx(kernel_losses.trace(a, b).item(), rel=1e-12)


@pytest.mark.parametrize("kind", KERNELS)
@pytest.mark.parametrize("form", KERNEL_LOSSES)
def test_objective_adds_the_kernel_loss_of_drawn_images(form: str, kind: str) -> None:
    student, batch = setting(step=4)
    settings = {"weight": 0.5, "kernel_batch": 5, "kernel_every": 2}
    voice = teacher()
    torch.manual_seed(5)
    loss = OBJECTIVES[f"{kind}_{form}"](settings, voice)(student, batch)
    torch.manual_seed(5)
    drawn = torch.randperm(8)[:5]
    scale = voice.diagonal.mean()
    theta = KERNELS[kind](student, voice.images[drawn]) / scale
    target = (voice.features[drawn] @ voice.features[drawn].T) / scale
    hard = cross_entropy(student(batch.images), batch.labels)
    assert loss.item() == pytest.approx((hard + KERNEL_LOSSES[form](theta, target)).item(), rel=1e-10)


def test_kernel_loss_enters_every_so_many_steps() -> None:
    student, batch = setting(step=3)
    settings = {"weight": 0.5, "kernel_batch": 5, "kernel_every": 2}
    loss = OBJECTIVES["tangent_raw"](settings, teacher())(student, batch)
    assert loss.item() == cross_entropy(student(batch.images), batch.labels).item()


@pytest.mark.parametrize(("step", "share"), [(0, 1.0), (2, 0.75), (6, 0.25), (8, 0.0), (10, 0.0)])
def test_a_fading_kernel_loss_falls_in_a_line_to_zero(step: int, share: float) -> None:
    student, batch = setting(step=step)
    settings = {"weight": 0.5, "kernel_batch": 5, "kernel_every": 2}

    def added(**more: float) -> float:
        torch.manual_seed(5)
        loss = OBJECTIVES["tangent_raw"]({**settings, **more}, teacher())(student, batch)
        return (loss - cross_entropy(student(batch.images), batch.labels)).item()

    assert added() > 0
    assert added(kernel_steps=8) == pytest.approx(share * added(), rel=1e-10, abs=1e-12)


def test_perturbed_trace_is_unbiased() -> None:
    student, batch = setting()
    images = batch.images[:3]
    exact = student_trace_ntk(student, images).diagonal().detach()
    with torch.no_grad():
        logits = student(images)
        draws = torch.stack([tangent_sap.perturbed_trace(student, images, logits) for _ in range(400)])
    error = draws.std(0) / math.sqrt(len(draws))
    assert torch.all((draws.mean(0) - exact).abs() < 4 * error + 0.05 * exact)


def test_sap_objective_moves_the_trace_towards_the_teacher() -> None:
    student, batch = setting()
    voice = teacher()
    torch.manual_seed(3)
    loss = tangent_sap.build({"weight": 2.0}, voice)(student, batch)
    torch.manual_seed(3)
    ratio = tangent_sap.perturbed_trace(student, batch.images, student(batch.images)).mean()
    ratio = ratio / voice.diagonal.mean()
    hard = cross_entropy(student(batch.images), batch.labels)
    assert loss.item() == pytest.approx((hard + 2 * (ratio - 1) ** 2).item(), rel=1e-10)


def test_vaccinated_is_cross_entropy_behind_filters_drawn_anew() -> None:
    student, batch = setting()
    torch.manual_seed(5)
    loss = vaccinated.build({"strength": 0.2}, Teacher())
    first, second = loss(student, batch), loss(student, batch)
    assert first.item() != second.item()
    faulty, _ = setting()
    torch.manual_seed(5)
    faulty.front.filters.data = perturb_filters(faulty.front.filters.data, 0.2)
    assert first.item() == pytest.approx(cross_entropy(faulty(batch.images), batch.labels).item(), rel=1e-9)
    unharmed = vaccinated.build({"strength": 0.0}, Teacher())(student, batch)
    assert unharmed.item() == pytest.approx(labels.build({}, Teacher())(student, batch).item(), rel=1e-12)
    assert torch.autograd.grad(first, student.front.filters)[0].norm() > 0


def test_both_transfers_add_up() -> None:
    student, batch = setting()
    voice, soft = teacher(), {"temperature": 2.0, "weight": 0.3}
    both = {"temperature": 2.0, "soft_weight": 0.3, "weight": 0.7, "kernel_batch": 8, "kernel_every": 1}
    value = tangent_soft.build({**both, "kernel_clip": None}, voice)(student, batch)
    theta = student_trace_ntk(student, voice.images)
    term = kernel_losses.normalised(theta, voice.features @ voice.features.T)
    expected = soft_labels.build(soft, voice)(student, batch) + 0.7 * term
    assert value.item() == pytest.approx(expected.item(), rel=1e-9)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_no_loss_draws_from_the_generator_of_batches(name: str) -> None:
    student, batch = setting()
    settings = {"weight": 0.5, "temperature": 2.0, "soft_weight": 0.5, "strength": 0.1}
    settings |= {"kernel_batch": 4, "kernel_every": 1, "kernel_clip": None}
    voice = teacher()
    torch.manual_seed(5)
    loss = OBJECTIVES[name](settings, voice)
    before = torch.get_rng_state()
    for _ in range(2):
        loss(student, batch)
    assert torch.equal(torch.get_rng_state(), before)
