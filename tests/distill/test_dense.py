"""Objectives, scores and training for masks, against closed forms and counts by hand."""

import inspect
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ntkd_lib.data.torchvision import import_torchvision
from ntkd_lib.distill import dense_labels, dense_soft_labels, dense_tangent
from ntkd_lib.distill.dense import (
    DenseTeacher,
    MaskBatch,
    PooledLogits,
    ProjectedLogits,
    pixel_loss,
    summary_of,
)
from ntkd_lib.distill.kernel_draws import LARGEST_STEP
from ntkd_lib.distill.kernel_losses import KERNEL_LOSSES
from ntkd_lib.distill.mask_scores import boundary, boundary_scores, mean_iou
from ntkd_lib.distill.mask_training import (
    Masks,
    MaskSchedule,
    fit_masks,
    predict_logits,
    predict_masks,
    scenes,
)
from ntkd_lib.distill.read_out_training import ReadOuts, fit_read_outs, guessed_masks
from ntkd_lib.distill.training import DivergedError
from ntkd_lib.nets.back_ends import UpConvolutionBackEnd
from ntkd_lib.ntk.probe import SlowKernelWarning
from ntkd_lib.ntk.reference import reference_ntk
from ntkd_lib.optics.cascade import CascadeFrontEnd
from ntkd_lib.optics.segmentation import MaskStudent

SIDE = 16


def student():
    torch.manual_seed(0)
    front = CascadeFrontEnd((2, 2, 3))
    return MaskStudent(front, UpConvolutionBackEnd(3, (4, 5), 2)).double()


def batch(step=0, mirrored=False):
    torch.manual_seed(1)
    images = torch.rand(4, 3, SIDE, SIDE, dtype=torch.float64)
    masks = (torch.rand(4, SIDE, SIDE) > 0.5).double()
    return MaskBatch(images, masks, torch.tensor([3, 0, 2, 1]), mirrored, step)


def voice(summary=None, n=6):
    torch.manual_seed(2)
    features = torch.randn(n, 5).double()
    logits, images = torch.randn(n, SIDE, SIDE).double(), torch.rand(n, 3, SIDE, SIDE).double()
    return DenseTeacher(logits, images, features, features.square().sum(1), summary)


def test_labels_are_the_mean_over_pixels_by_hand():
    model, part = student(), batch()
    p = model(part.images)[:, 0].sigmoid()
    by_hand = -(part.masks * p.log() + (1 - part.masks) * (1 - p).log()).mean()
    value = dense_labels.build({}, DenseTeacher())(model, part)
    assert value.item() == pytest.approx(by_hand.item(), rel=1e-12)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 5.0])
def test_soft_labels_by_hand(temperature, mirrored):
    model, part, teacher = student(), batch(mirrored=mirrored), voice()
    value = dense_soft_labels.build({"temperature": temperature, "weight": 0.3}, teacher)(model, part)
    t = teacher.logits[part.rows]
    t = t.flip(2) if mirrored else t
    logits = model(part.images)[:, 0]
    p, q = (t / temperature).sigmoid(), (logits / temperature).sigmoid()
    divergence = (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).mean()
    hard = binary_cross_entropy_with_logits(logits, part.masks)
    assert value.item() == pytest.approx((0.7 * hard + 0.3 * temperature**2 * divergence).item(), rel=1e-9)


def test_soft_labels_vanish_for_equals_and_stay_finite_for_sure_teachers():
    logits = torch.tensor([-80.0, -1.0, 0.0, 90.0]).double()
    assert dense_soft_labels.binary_divergence(logits, logits).item() == pytest.approx(0, abs=1e-12)
    apart = dense_soft_labels.binary_divergence(torch.tensor([60.0]).double(), torch.tensor([-60.0]).double())
    assert apart.item() == pytest.approx(60, rel=1e-6)


@pytest.mark.parametrize("kind", ["pooled", "projected"])
@pytest.mark.parametrize("form", ["raw", "normalised", "cosine"])
def test_ntk_distillation_adds_the_loss_of_the_exact_kernel(kind, form):
    model, part = student(), batch(step=4)
    teacher = voice(summary_of(kind, 4, SIDE**2, seed=3).double())
    settings = {"weight": 0.5, "form": form, "kernel_batch": 3, "kernel_every": 2}
    torch.manual_seed(5)
    value = dense_tangent.build(settings, teacher)(model, part)
    torch.manual_seed(5)
    drawn = torch.randperm(6)[:3]
    exact = reference_ntk(nn.Sequential(model, teacher.summary), teacher.images[drawn])
    theta = exact.diagonal(dim1=2, dim2=3).sum(-1) / teacher.diagonal.mean()
    target = teacher.features[drawn] @ teacher.features[drawn].T / teacher.diagonal.mean()
    hard = dense_labels.build({}, teacher)(model, part).item()
    expected = hard + 2 * 0.5 * KERNEL_LOSSES[form](theta, target).item()
    assert value.item() == pytest.approx(expected, rel=1e-8)
    value.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_a_kernel_that_failed_its_probe_is_right_in_every_step():
    torch.manual_seed(0)
    layer = nn.Conv2d(1, 4, 3, padding=1)

    def standardised(x, weight, bias):
        weight = weight - weight.mean((1, 2, 3), keepdim=True)
        return nn.functional.conv2d(
            x, weight / weight.flatten(1).std(1)[:, None, None, None], bias, padding=1
        )

    vars(layer)["_conv_forward"] = standardised
    model = nn.Sequential(layer, nn.Tanh(), nn.Conv2d(4, 1, 3, padding=1)).double()
    images, summary = torch.rand(6, 1, 8, 8).double(), PooledLogits(4)
    teacher = DenseTeacher(None, images, torch.eye(6).double(), torch.ones(6).double(), summary)
    exact = reference_ntk(nn.Sequential(model, summary), images).diagonal(dim1=2, dim2=3).sum(-1)
    settings = {"weight": 1.0, "form": "raw", "kernel_batch": 6, "kernel_every": 1}
    objective, masks = dense_tangent.build(settings, teacher), torch.zeros(6, 8, 8).double()
    parts = [MaskBatch(images, masks, torch.arange(6), False, step) for step in range(3)]
    with pytest.warns(SlowKernelWarning) as seen:
        terms = [(objective(model, part) - pixel_loss(model(images), masks)).item() for part in parts]
    expected = (exact - torch.eye(6)).square().mean().item()
    assert terms == [pytest.approx(expected, rel=1e-10)] * 3
    assert len(seen) == 1


def kernel_part(model, part, teacher):
    """Compute the kernel's part of the loss under autocast, which leaves float64 as it is."""
    settings = {"weight": 50.0, "form": "raw", "kernel_batch": 3, "kernel_every": 1}
    torch.manual_seed(5)
    with torch.autocast("cpu", torch.bfloat16):
        value = dense_tangent.build(settings, teacher)(model, part)
        return (value - dense_labels.build({}, teacher)(model, part)).item()


def test_the_kernel_is_in_single_precision_where_the_rest_is_in_half():
    full, part = voice(PooledLogits(4)), batch()
    single = DenseTeacher(
        full.logits.float(), full.images.float(), full.features.float(), full.diagonal.float(), full.summary
    )
    halved = replace(part, images=part.images.float(), masks=part.masks.float())
    expected = kernel_part(student(), part, full)
    assert kernel_part(student().float(), halved, single) == pytest.approx(expected, rel=1e-5)


def test_the_kernel_enters_every_so_many_steps():
    model, part, teacher = student(), batch(step=3), voice(PooledLogits(4))
    settings = {"weight": 0.5, "form": "raw", "kernel_batch": 3, "kernel_every": 2}
    value = dense_tangent.build(settings, teacher)(model, part)
    assert value.item() == dense_labels.build({}, teacher)(model, part).item()


def kernel_slope(weight):
    """Give the gradient of the kernel part of the loss alone."""
    model, part, teacher = student(), batch(), voice(PooledLogits(4))
    settings = {"weight": weight, "form": "raw", "kernel_batch": 3, "kernel_every": 1}
    torch.manual_seed(5)
    value = dense_tangent.build(settings, teacher)(model, part)
    value = value - dense_labels.build({}, teacher)(model, part)
    value.backward()
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def test_the_gradient_of_the_kernel_loss_keeps_its_direction_and_is_bounded():
    small, twice, huge = (kernel_slope(weight) for weight in (1e-6, 2e-6, 1e6))
    torch.testing.assert_close(twice, 2 * small)
    assert huge.norm().item() == pytest.approx(LARGEST_STEP)
    torch.testing.assert_close(huge / huge.norm(), small / small.norm(), rtol=1e-4, atol=1e-6)


def test_pooling_averages_cells():
    logits = torch.arange(24.0).reshape(1, 1, 4, 6)
    assert PooledLogits(6).grid == (2, 3)
    pooled = PooledLogits(6)(logits)[0]
    by_hand = [logits[0, 0, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean() for i in range(2) for j in range(3)]
    assert torch.equal(pooled, torch.stack(by_hand))


def test_projections_estimate_the_kernel_of_all_pixels_without_bias():
    torch.manual_seed(0)
    a, b = torch.randn(2, 1, 1, 4, 5, 9).double()  # nine directions of two images' logits
    exact = (a * b).sum() / 20
    draws = []
    for seed in range(400):
        project = ProjectedLogits(6, 20, seed).double()
        left, right = (project(x[0, 0].movedim(2, 0)[:, None]) for x in (a, b))
        draws.append((left * right).sum())
    error = torch.stack(draws).std() / math.sqrt(len(draws))
    assert (torch.stack(draws).mean() - exact).abs() < 4 * error


def test_projections_are_those_of_their_seed_and_other_summaries_are_refused():
    logits = torch.rand(2, 1, 4, 5)
    same = [summary_of("projected", 3, 20, 1)(logits) for _ in range(2)]
    assert torch.equal(*same)
    assert not torch.equal(same[0], summary_of("projected", 3, 20, 2)(logits))
    with pytest.raises(ValueError, match="summary: got 'mean', needs 'pooled' or 'projected'"):
        summary_of("mean", 3, 20, 1)


def test_mean_iou_is_a_hand_count():
    generator = np.random.default_rng(0)
    guesses, masks = (generator.random((5, 7, 9)) < share for share in (0.4, 0.3))
    shares = []
    for kind in (True, False):
        both = sum(bool((g == kind) & (m == kind)) for g, m in zip(guesses.flat, masks.flat, strict=True))
        any_ = sum(bool((g == kind) | (m == kind)) for g, m in zip(guesses.flat, masks.flat, strict=True))
        shares.append(both / any_)
    measured = mean_iou(torch.from_numpy(guesses), torch.from_numpy(masks))
    assert measured == pytest.approx(100 * np.mean(shares), rel=1e-6)
    assert mean_iou(torch.from_numpy(masks), torch.from_numpy(masks)) == 100


def test_mean_iou_is_that_of_torchmetrics():
    import_torchvision()  # torchmetrics imports it too, and its own import fails beside a CPU build of torch
    from torchmetrics.classification import MulticlassJaccardIndex

    reference = MulticlassJaccardIndex(num_classes=2, average="macro")
    generator = torch.Generator().manual_seed(0)
    for share in (0.02, 0.5, 0.9):
        guesses, masks = (torch.rand(3, 11, 13, generator=generator) < share for _ in range(2))
        assert mean_iou(guesses, masks) == pytest.approx(100 * reference(guesses.long(), masks.long()).item())


def test_nothing_guessed_is_a_score_of_half_the_background():
    masks = torch.zeros(1, 10, 10, dtype=torch.bool)
    masks[0, :, :4] = True
    assert mean_iou(torch.zeros_like(masks), masks) == pytest.approx(100 * (0 + 0.6) / 2)
    assert mean_iou(torch.zeros_like(masks), torch.zeros_like(masks)) == pytest.approx(100)


def square(top, left, side=6):
    mask = torch.zeros(1, 16, 16, dtype=torch.bool)
    mask[0, top : top + side, left : left + side] = True
    return mask


def test_boundaries_are_one_pixel_thick():
    assert boundary(square(4, 4)).sum() == 20
    full = torch.ones(1, 8, 8, dtype=torch.bool)
    assert boundary(full).sum() == 0


def slow_boundary_score(guess, mask, tolerance):
    """Count hits by comparing every boundary pixel with every other."""
    found, true = (boundary(x)[0].nonzero().tolist() for x in (guess, mask))

    def share(of, other):
        near = [any(max(abs(y - v), abs(x - u)) <= tolerance for v, u in other) for y, x in of]
        return sum(near) / len(near)

    precision, recall = share(found, true), share(true, found)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@pytest.mark.parametrize("shift", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("tolerance", [0, 2])
def test_boundary_scores_by_comparing_all_pairs(shift, tolerance):
    guess, mask = square(4, 4), square(4, 4 + shift, 5)
    expected = slow_boundary_score(guess, mask, tolerance)
    assert boundary_scores(guess, mask, tolerance).item() == pytest.approx(expected)


def test_boundary_scores_without_boundaries():
    empty = torch.zeros(1, 16, 16, dtype=torch.bool)
    assert boundary_scores(empty, empty).item() == 1
    assert boundary_scores(empty, square(4, 4)).item() == 0


TRUTH = square(4, 4)


@pytest.mark.parametrize("score", [mean_iou, boundary_scores])
@pytest.mark.parametrize(
    "guesses, masks, came",
    [
        (TRUTH[:, None], TRUTH, r"torch.bool of shape \(1, 1, 16, 16\) and torch.bool of shape"),
        (TRUTH, TRUTH[:, :8], r"torch.bool of shape \(1, 16, 16\) and torch.bool of shape \(1, 8, 16\)"),
        (255 * TRUTH.byte(), TRUTH, r"torch.uint8 of shape .* and torch.bool of"),
        (255 * TRUTH.byte(), 255 * TRUTH.byte(), r"torch.uint8 of shape .* and torch.uint8 of"),
    ],
    ids=["channel", "height", "one of bytes", "bytes"],
)
def test_masks_of_other_shapes_and_types_are_refused(score, guesses, masks, came):
    with pytest.raises(ValueError, match=f"^guesses, masks: got {came}.*, allowed: torch.bool of one shape$"):
        inspect.unwrap(score)(guesses, masks)  # past the type checker of the tests


def bars(n=24):
    """Bright bars on a dark ground, masks where they are."""
    generator = torch.Generator().manual_seed(0)
    places = torch.randint(0, SIDE - 6, (n,), generator=generator)
    masks = torch.zeros(n, SIDE, SIDE, dtype=torch.bool)
    for mask, place in zip(masks, places, strict=True):
        mask[:, place : place + 6] = True
    noise = torch.randint(0, 60, (n, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8)
    return Masks(noise + 150 * masks[:, None].to(torch.uint8), masks)


def trained(half=False):
    torch.manual_seed(1)
    model = MaskStudent(CascadeFrontEnd((4, 4, 8)), UpConvolutionBackEnd(8, (12, 16), 16))
    data = bars()
    objective = dense_labels.build({}, DenseTeacher())
    return model, fit_masks(model, data, data, objective, MaskSchedule(48, 8, 1e-2, half=half))


def test_training_learns_repeats_and_is_followed_eight_times():
    model, curve = trained()
    assert len(curve) == 8
    assert curve[-1] > max(80, curve[0] + 30)
    again, same = trained()
    assert same == curve
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_half_precision_learns_too_and_keeps_its_weights_whole():
    model, curve = trained(half=True)
    assert curve[-1] > max(80, curve[0] + 30)
    assert all(p.dtype == torch.float32 for p in model.parameters())


def test_a_diverged_loss_is_named_by_its_step():
    model, data = student().float(), bars(8)
    with pytest.raises(DivergedError, match="loss is nan after step 1 of 8"):
        fit_masks(model, data, data, lambda m, b: m(b.images).sum() * float("nan"), MaskSchedule(8))


def test_norms_train_in_training_mode_and_masks_are_predicted_in_evaluation_mode():
    model, data = nn.Sequential(nn.Conv2d(3, 1, 1), nn.BatchNorm2d(1)).eval(), bars(8)
    read_outs = ReadOuts(data.images.float(), data.masks)
    for fit, part, predict in ((fit_masks, data, predict_masks), (fit_read_outs, read_outs, guessed_masks)):
        model[1].reset_running_stats()
        curve = fit(model, part, part, dense_labels.build({}, DenseTeacher()), MaskSchedule(8, 4))
        assert model[1].num_batches_tracked == 8
        assert not model.training
        guesses = predict(model, part.images)
        assert mean_iou(guesses, part.masks) == curve[-1]
        assert torch.equal(predict(model.train(), part.images), guesses)
        assert model[1].training
        assert model[1].num_batches_tracked == 8


def test_logits_do_not_depend_on_the_size_of_chunks():
    model, data = student().float(), bars(7)
    whole = predict_logits(model, data.images, chunk=7)
    torch.testing.assert_close(predict_logits(model, data.images, chunk=2), whole)
    assert torch.equal(predict_masks(model, data.images), whole > 0)
    assert predict_logits(model, data.images, dtype=torch.float16).dtype == torch.float16
    assert scenes(data.images, "cpu").max() <= 1
