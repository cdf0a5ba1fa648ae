"""Training of classifiers, augmentations and withheld labels, and the loop that networks for masks share."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from ntkd_lib.distill.objective import WITHHELD, Batch
from ntkd_lib.ranges import check_number

Loss = Callable[[nn.Module, Batch], Tensor]
PLATEAU_POINTS = 0.3


class DivergedError(ArithmeticError):
    """Training produced a loss or weights that are not finite numbers."""


@dataclass(frozen=True)
class Schedule:
    """Length and rate of a training: AdamW, linear warm-up over a tenth, then a cosine to zero.

    A mirrored image of row ``i`` of ``n`` counts as row ``n + i``.
    """

    epochs: int  # passes over the training images; 0 leaves a network at its start
    batch: int = 128  # images per step
    lr: float = 3e-3  # the largest one
    weight_decay: float = 1e-4  # decoupled
    front_rate: float = 1.0  # how many times faster than the rest `front` learns, at the same decay
    shift: int = 0  # largest random shift of images, pixels
    mirror: bool = False  # whether half of the images are mirrored
    mixed: bool = False  # whether losses are computed in bfloat16 if autocast thinks it safe
    evaluations: int = 2  # of the validation accuracy, per epoch


@dataclass(frozen=True)
class Images:
    """Labelled images on the training device."""

    images: Float[Tensor, "n ..."]  # intensities in [0, 1] (n, c, h, w), or read-outs of fixed optics (n, d)
    labels: Int[Tensor, " n"]  # class indices


def fit(
    model: nn.Module,
    data: Images,
    rows: Tensor,
    held_out: Tensor,
    loss: Loss,
    schedule: Schedule,
    watch: Callable[[nn.Module], object] | None = None,
) -> list[float]:
    """Train a model in place and record its validation accuracy in percent, at the schedule's evaluations.

    The model is in training mode meanwhile, except while it is evaluated, and in evaluation mode afterwards.

    Args:
        rows: Positions of the images to train on, or a row of them for each of some epochs that take turns.
        loss: Objective of a model and a batch.
        watch: Looks at the model whenever the validation accuracy is taken.

    Raises:
        ValueError: A batch of more images than there are to train on.
        DivergedError: A loss that is not finite; the message names the step.
    """
    if schedule.epochs > 0:
        check_number("batch", schedule.batch, 1, rows.shape[-1], unit="images", whole=True)

    def evaluate(net: nn.Module) -> float:
        with torch.autocast(data.images.device.type, torch.bfloat16, enabled=schedule.mixed):
            percent = accuracy(net, data, held_out)
        if watch:
            watch(net)
        return percent

    return train(
        model,
        _batches(data, rows, schedule),
        loss,
        _groups(model, schedule),
        evaluate,
        steps=schedule.epochs * (rows.shape[-1] // schedule.batch),
        evaluations=schedule.epochs * schedule.evaluations,
        mixed=schedule.mixed,
    )


def learning_rate(step: int, steps: int) -> float:
    """Compute the share of the largest learning rate, in (0, 1]: warm-up over a tenth, then a cosine to zero.

    >>> [round(learning_rate(step, 100), 2) for step in (0, 9, 10, 55, 100)]
    [0.1, 1.0, 1.0, 0.5, 0.0]
    """
    warm = max(1, steps // 10)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def train(
    model: nn.Module,
    batches: Iterable[Any],
    loss: Callable[[nn.Module, Any], Tensor],
    groups: list[dict[str, Any]],
    evaluate: Callable[[nn.Module], float],
    *,
    steps: int,
    evaluations: int,
    mixed: bool,
) -> list[float]:
    """Train a model in place by AdamW and follow a validation score.

    Args:
        batches: one per step, with ``images`` and ``step``, its number from 0.
        groups: parameters with their ``weight_decay`` and ``largest`` learning rate.
        evaluate: validation score; leaves the mode as it is.
        evaluations: how often it is taken, evenly spaced.
        mixed: whether losses are computed in bfloat16 if autocast thinks it safe; weights stay float32.

    Raises:
        DivergedError: A loss, or weights at the end, that are not finite; the message names the step.
    """
    optimiser = torch.optim.AdamW(groups, fused=True)
    marks = {round(steps * (i + 1) / evaluations) for i in range(evaluations)}
    curve: list[float] = []
    model.train()
    for batch in batches:
        for group in optimiser.param_groups:
            group["lr"] = group["largest"] * learning_rate(batch.step, steps)
        with torch.autocast(batch.images.device.type, torch.bfloat16, enabled=mixed):
            value = loss(model, batch)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        optimiser.step()
        if batch.step + 1 in marks:
            if not torch.isfinite(value):
                raise DivergedError(f"loss is {value.item()} after step {batch.step + 1} of {steps}")
            curve.append(evaluate(model))
    if steps and not all(p.isfinite().all() for group in groups for p in group["params"]):
        raise DivergedError(f"weights are not finite after step {steps} of {steps}")
    model.eval()
    return curve


def _groups(model: nn.Module, schedule: Schedule) -> list[dict[str, Any]]:
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    fast = [p for name, p in trained.items() if name.startswith("front.")]
    slow = [p for name, p in trained.items() if not name.startswith("front.")]
    rated = [(slow, 1.0), (fast, schedule.front_rate)]
    return [
        {"params": part, "largest": schedule.lr * rate, "weight_decay": schedule.weight_decay / rate}
        for part, rate in rated
        if part
    ]


def converged(curve: list[float]) -> bool:
    """Check whether validation accuracy has reached a plateau.

    The best value of the last eighth of training is at most ``PLATEAU_POINTS`` above the best before it. (The
    learning rate is near zero by then; what is gained earlier, while it falls, is no sign of a short run.)
    Values are evenly spaced over training; fewer than four show none.

    >>> converged([80, 90, 95, 97]), converged([80, 90, 95, 95.2])
    (False, True)
    """
    if len(curve) < 4:
        return False
    last = max(1, len(curve) // 8)
    gain = max(curve[-last:]) - max(curve[:-last])
    return round(gain, 6) <= PLATEAU_POINTS  # a gain of 0.3 is not exact in floating point


@torch.no_grad()
def predict(model: nn.Module, images: Float[Tensor, "n ..."], chunk: int = 1000) -> Float[Tensor, "n k"]:
    """Predict the logits of images in chunks, in evaluation mode; each part's own mode is then restored."""
    parts = images.split(chunk)
    with use_evaluation_mode(model):
        first = model(parts[0])
        logits = first.new_empty(len(images), *first.shape[1:])  # filled in place: read-outs can be large
        for part, rows in zip(parts, logits.split(chunk), strict=True):
            rows.copy_(first if part is parts[0] else model(part))
    return logits


@contextmanager
def use_evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Use a model in evaluation mode, and restore the mode of each of its parts afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:  # one by one: some may be frozen, or shared with another network
            module.training = training


def accuracy(model: nn.Module, data: Images, rows: Tensor) -> float:
    """Compute the percentage of some of the images whose largest logit belongs to their label."""
    hits = predict(model, data.images[rows]).argmax(1) == data.labels[rows]
    return 100 * hits.double().mean().item()


def _batches(data: Images, rows: Tensor, schedule: Schedule) -> Iterator[Batch]:
    turns = rows.view(-1, rows.shape[-1])
    steps = turns.shape[1] // schedule.batch
    for epoch in range(schedule.epochs):
        order = turns[epoch % len(turns), torch.randperm(turns.shape[1]).to(rows.device)]
        for i, part in enumerate(order.split(schedule.batch)[:steps]):
            images = data.images[part]
            images = random_shift(images, schedule.shift) if schedule.shift else images
            seen = part
            if schedule.mirror:
                images, mirrored = random_mirror(images)
                seen = part + len(data.images) * mirrored
            yield Batch(images, data.labels[part], seen, epoch * steps + i)


def random_shift(images: Float[Tensor, "n c h w"], pixels: int) -> Float[Tensor, "n c h w"]:
    """Shift each image by its own whole number of pixels, dark if nothing moves in.

    Args:
        pixels: Largest shift in either direction and axis; 0 leaves the images alone.
    """
    if pixels == 0:
        return images
    n, _, height, width = images.shape
    padded = functional.pad(images, (pixels,) * 4)
    down, right = torch.randint(0, 2 * pixels + 1, (2, n)).to(images.device)
    places = padded.unfold(2, height, 1).unfold(3, width, 1).permute(0, 2, 3, 1, 4, 5)  # a view, not a copy
    return places[torch.arange(n, device=images.device), down, right]


def random_mirror(images: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n c h w"], Bool[Tensor, " n"]]:
    """Mirror half of the images, drawn at random, left to right, and mark which."""
    mirrored = (torch.rand(len(images)) < 0.5).to(images.device)
    return torch.where(mirrored[:, None, None, None], images.flip(3), images), mirrored


def withhold(
    data: Images, rows: Int[Tensor, " n"], share: float, seed: int
) -> tuple[Images, Int[Tensor, "*e n"]]:
    """Withhold the labels of most training images; return these images, and the rows of two epochs.

    Each has as many rows as before, half of them with known labels, as often as needed, the other half any.
    Two epochs, which take turns, have all images between them. Labels enter a loss if they are known; a
    teacher's outputs on an image enter for all. Labels of other rows, such as validation images, stay.

    Args:
        share: Share of them whose labels are known, in (0, 1]; 1 changes nothing.
        seed: Seed of the draw, so that methods of one seed know the same labels.

    Raises:
        ValueError: A share outside of (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"share: got {share}, needs to be above 0 and at most 1")
    if share == 1:
        return data, rows
    order = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed)).to(rows.device)]
    labelled = order[: max(1, round(share * len(rows)))]
    labels = data.labels.clone()
    labels[order[len(labelled) :]] = WITHHELD
    half, rest = len(rows) // 2, -(-len(rows) // 2)
    known_rows = labelled.repeat(-(-2 * half // len(labelled)))[: 2 * half].view(2, half)
    return Images(data.images, labels), torch.cat([known_rows, torch.stack([order[:rest], order[-rest:]])], 1)
