"""NTKD with soft labels, few labels, mirrored images, and kernels inside of autocast."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from ntkd_lib.distill import labels as labels_only
from ntkd_lib.distill import soft_labels, tangent_soft
from ntkd_lib.distill.kernel_losses import normalised
from ntkd_lib.distill.objective import WITHHELD, Batch, Teacher, label_loss
from ntkd_lib.distill.objectives import OBJECTIVES
from ntkd_lib.distill.tangent import tangent_objective
from ntkd_lib.distill.training import Images, Schedule, fit, random_mirror, withhold
from ntkd_lib.optics.student import HybridStudent, mnist_student
from ntkd_lib.optics.tangent import student_trace_ntk


def setting() -> tuple[HybridStudent, Batch, Teacher]:
    torch.manual_seed(0)
    student = mnist_student("signed", "both", (6,), filters=2).double()
    images, features = torch.rand(8, 1, 28, 28).double(), torch.randn(8, 5).double()
    teacher = Teacher(torch.randn(8, 10).double(), images, features, features.square().sum(1))
    return student, Batch(images, torch.arange(8), torch.arange(8)), teacher


def test_both_losses_add_up() -> None:
    student, batch, teacher = setting()
    common = {"kernel_batch": 8, "kernel_every": 1, "weight": 0.7}
    both = tangent_soft.build({**common, "soft_weight": 0.4, "temperature": 3.0}, teacher)(student, batch)
    soft = soft_labels.build({"weight": 0.4, "temperature": 3.0}, teacher)(student, batch)
    kernel = tangent_objective(common, teacher, normalised)(student, batch)
    expected = soft + kernel - cross_entropy(student(batch.images), batch.labels)
    assert both.item() == pytest.approx(expected.item(), rel=1e-10)


def test_kernels_stay_exact_inside_of_autocast() -> None:
    student, _, teacher = setting()
    student, scale = student.float(), teacher.diagonal.mean()
    parts = [t.float() for t in (teacher.images, teacher.features, teacher.diagonal)]
    teacher = Teacher(None, *parts)
    seen = []

    def spy(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        seen.append(a)
        return normalised(a, b)

    from ntkd_lib.distill.tangent import kernel_term

    torch.manual_seed(4)
    term = kernel_term({"weight": 1.0, "kernel_batch": 8, "kernel_every": 1}, teacher, spy)
    with torch.autocast("cpu", torch.bfloat16):
        term(student, 0)
    torch.manual_seed(4)
    drawn = torch.randperm(8)
    exact = student_trace_ntk(student, teacher.images[drawn]) / scale
    torch.testing.assert_close(seen[0], exact.float(), rtol=1e-5, atol=1e-6)


def test_withheld_labels_leave_the_loss_and_stay_with_validation() -> None:
    data = Images(torch.zeros(40, 1, 2, 2), torch.arange(40) % 10)
    rows = torch.arange(30)
    few, turns = withhold(data, rows, 0.1, seed=0)
    assert (few.labels[:30] >= 0).sum() == 3
    assert torch.equal(few.labels[30:], data.labels[30:])
    assert turns.shape == (2, 30)
    assert all((few.labels[epoch] != WITHHELD).sum() >= 15 for epoch in turns)
    again, _ = withhold(data, rows, 0.1, seed=0)
    assert torch.equal(few.labels, again.labels)
    logits = torch.randn(6, 10)
    labels = torch.tensor([1, WITHHELD, 3, WITHHELD, WITHHELD, 2])
    assert label_loss(logits, labels) == cross_entropy(logits, labels)
    assert label_loss(logits, labels) == cross_entropy(logits[labels >= 0], labels[labels >= 0])


SETTINGS = {"weight": 0.6, "temperature": 2.0, "soft_weight": 0.5, "strength": 0.1}
SETTINGS |= {"kernel_batch": 8, "kernel_every": 1, "kernel_clip": None}
LABEL_SHARES = {"soft_labels": 0.4, "tangent_normalised": 1.0, "tangent_sap": 1.0, "tangent_soft": 0.5}


@pytest.mark.parametrize("name", ["labels", "vaccinated", *LABEL_SHARES])
def test_a_batch_without_labels_has_a_cross_entropy_of_zero_with_a_graph(name: str) -> None:
    student, batch, teacher = setting()

    def compute_loss(labels: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(3)
        objective = OBJECTIVES[name](SETTINGS, teacher)
        return objective(student, Batch(batch.images, labels, batch.rows))

    value = compute_loss(torch.full((8,), WITHHELD))
    value.backward()
    slopes = [p.grad for p in student.parameters()]
    assert all(slope.isfinite().all() for slope in slopes)
    if name in LABEL_SHARES:
        labels = LABEL_SHARES[name] * cross_entropy(student(batch.images), batch.labels)
        assert value.item() == pytest.approx((compute_loss(batch.labels) - labels).item(), rel=1e-10)
        assert any(slope.any() for slope in slopes)
    else:
        assert value.item() == 0
        assert not any(slope.any() for slope in slopes)


@pytest.mark.parametrize("share", [0.002, 0.1, 0.5, 0.6, 0.9])
@pytest.mark.parametrize("count", [900, 901])
def test_two_epochs_have_all_images_and_all_known_labels(share: float, count: int) -> None:
    data, rows = Images(torch.zeros(1000, 1, 1, 1), torch.arange(1000) % 10), torch.arange(count)
    few, turns = withhold(data, rows, share, seed=0)
    assert turns.shape == (2, count)
    assert torch.equal(turns.unique(), rows)
    assert (few.labels[rows] != WITHHELD).sum() == max(1, round(share * count))
    assert all((few.labels[epoch] != WITHHELD).sum() >= count // 2 for epoch in turns)


def test_epochs_take_turns_in_training() -> None:
    data, seen = Images(torch.zeros(12, 3), torch.arange(12) % 2), []
    turns, net = torch.arange(12).view(2, 6), nn.Linear(3, 2)

    def loss(model: nn.Module, batch: Batch) -> torch.Tensor:
        seen.append((batch.step, sorted(batch.rows.tolist())))
        return model(batch.images).sum()

    fit(net, data, turns, turns[0], loss, Schedule(epochs=3, batch=6))
    assert seen == [(0, [*range(6)]), (1, [*range(6, 12)]), (2, [*range(6)])]


def test_few_labels_and_small_batches_train() -> None:
    torch.manual_seed(1)
    data, rows = Images(torch.randn(300, 6), torch.arange(300) % 2), torch.arange(200)
    few, epoch = withhold(data, rows, 0.05, seed=0)
    net, objective = nn.Linear(6, 2), labels_only.build({}, Teacher())
    curve = fit(net, few, epoch, torch.arange(200, 300), objective, Schedule(epochs=6, batch=4))
    assert len(curve) == 12


def test_all_labels_change_nothing_and_bad_shares_are_refused() -> None:
    data, rows = Images(torch.zeros(4, 1, 2, 2), torch.arange(4)), torch.arange(4)
    assert withhold(data, rows, 1, seed=0) == (data, rows)
    with pytest.raises(ValueError, match="share: got 0, needs to be above 0 and at most 1"):
        withhold(data, rows, 0, seed=0)


def test_mirror_turns_whole_images_and_says_which() -> None:
    torch.manual_seed(0)
    images = torch.rand(60, 3, 4, 5)
    seen, mirrored = random_mirror(images)
    assert torch.equal(seen[mirrored], images[mirrored].flip(3))
    assert torch.equal(seen[~mirrored], images[~mirrored])
    assert 15 < mirrored.sum() < 45


def test_mirrored_images_ask_for_the_second_half_of_the_teachers_logits() -> None:
    images = torch.rand(20, 1, 2, 2)
    seen: list[Batch] = []
    both = torch.cat([images, images.flip(3)])

    def watch(model: nn.Module, batch: Batch) -> torch.Tensor:
        seen.append(batch)
        return cross_entropy(model(batch.images), batch.labels)

    torch.manual_seed(1)
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    data = Images(images, torch.arange(20) % 2)
    looked: list[nn.Module] = []
    schedule = Schedule(epochs=2, batch=10, mirror=True)
    fit(net, data, torch.arange(20), torch.arange(5), watch, schedule, looked.append)
    assert all(torch.equal(batch.images, both[batch.rows]) for batch in seen)
    assert max(batch.rows.max() for batch in seen) >= 20
    assert looked == [net] * 4
