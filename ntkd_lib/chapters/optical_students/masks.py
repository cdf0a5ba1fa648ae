"""Cells of networks for masks: a teacher, its logits and tangent kernel, and students behind optics."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Int
from torch import Tensor, nn

from ntkd_lib.chapters.optical_students.classification_setting import (
    kernel_arrays,
    kernel_errors,
    state_of,
    weights_of,
)
from ntkd_lib.data.mask_pairs import PARTS
from ntkd_lib.data.masks import load_masks
from ntkd_lib.distill import dense_labels, dense_soft_labels, dense_tangent
from ntkd_lib.distill.dense import DenseTeacher, MaskObjective, summary_of
from ntkd_lib.distill.mask_scores import boundary_scores, mean_iou
from ntkd_lib.distill.mask_training import (
    Masks,
    MaskSchedule,
    fit_masks,
    predict_logits,
    predict_masks,
    scenes,
)
from ntkd_lib.distill.training import converged
from ntkd_lib.lab import CellResult, Record, deterministic
from ntkd_lib.lab.work import Data, work
from ntkd_lib.nets.unet import ShuffledNetwork, UNet
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.landmarks import LandmarkKernel, landmark_gram
from ntkd_lib.optics.segmentation import MaskOptics, carvana_student

FACTOR, WIDTH, DEPTH = 2, 12, 3  # the teacher's
LR, DECAY = 5e-3, 1e-3
MONITOR_STRIDE = 8  # share of validation images scored during training: one in eight
CHECKED, CHUNK = 16, 8  # images of the tangent kernel: compared with the exact one, per chunk
TRAINING_IMAGES = {"real": 4_064, "standin": 192}

MaskLoss = Literal["dense_labels", "dense_soft_labels", "dense_tangent"]
LOSSES: Mapping[MaskLoss, Callable[[Mapping[str, Any], DenseTeacher], MaskObjective]] = {
    "dense_labels": dense_labels.build,
    "dense_soft_labels": dense_soft_labels.build,
    "dense_tangent": dense_tangent.build,
}


@dataclass(frozen=True)
class LogitSummary:
    """Summary of a mask's logits for kernels: ``pooled``, or ``projected`` by random signs of a seed."""

    name: str
    outputs: int
    seed: int

    def build(self, pixels: int) -> nn.Module:
        """Build the module that computes the summary from logits."""
        return summary_of(self.name, self.outputs, pixels, self.seed)


@dataclass(frozen=True)
class CarSplit:
    """Images and masks of a data set, split by car; the test cars are read once, after training."""

    train: Masks
    held_out: Masks
    test: Masks

    @property
    def monitored(self) -> Masks:
        """Select every eighth image of the validation cars."""
        return Masks(self.held_out.images[::MONITOR_STRIDE], self.held_out.masks[::MONITOR_STRIDE])


def load_split(data: Data, seed: int) -> CarSplit:
    """Fix all seeds and load the data; the split by car is the data set's own."""
    deterministic(seed)
    parts = [load_masks(data.name, part, data.sha256) for part in PARTS]
    return CarSplit(*(Masks(part.images, part.masks) for part in parts))


def car_rows(cars: tuple[str, ...], share: int) -> Int[Tensor, " n"]:
    """Choose all images of one car in so many, in the order of their names: a split by car."""
    chosen = set(sorted(set(cars))[::share])
    return torch.tensor([row for row, car in enumerate(cars) if car in chosen])


def build_teacher() -> nn.Module:
    """Build the teacher: a U-Net on 2 x 2 pixels as channels, the cheapest form that we found good enough."""
    return ShuffledNetwork(UNet(3 * FACTOR**2, FACTOR**2, WIDTH, DEPTH), FACTOR)


@work(cost=lambda steps, batch, **_: 10 + 0.02 * steps * batch)
def teacher(data: Data, seed: int, *, steps: int, batch: int, device: str = "cpu") -> CellResult:
    """Train the teacher on masks, convolutions in bfloat16, and test it."""
    split, model = load_split(data, seed), build_teacher().to(device)
    schedule = MaskSchedule(steps, batch, LR, DECAY, half=True)
    objective = dense_labels.build({}, DenseTeacher())
    curve = fit_masks(model, split.train, split.monitored, objective, schedule)
    return _training_result(model, curve, held_out_scores(model, split))


@work(cost=lambda data, **_: 5 + 0.007 * TRAINING_IMAGES[data.kind])
def teacher_logits(data: Data, seed: int, *, teacher: Record, device: str = "cpu") -> CellResult:
    """Compute the teacher's logits of all training images, ``(n, h, w)`` in half precision."""
    split = load_split(data, seed)
    logits = predict_logits(restore_teacher(teacher, device), split.train.images, dtype=torch.float16)
    return CellResult({}, {"logits": logits.numpy()})


@work(cost=lambda images, **_: images / 3)
def tangent(
    data: Data,
    seed: int,
    *,
    summary: LogitSummary,
    landmarks: int,
    images: int,
    teacher: Record,
    share: int = 1,
    device: str = "cpu",
) -> CellResult:
    """Compress the teacher's trace kernel of some images of one training car in so many, and check it."""
    split = load_split(data, seed)
    outputs = summary.build(split.train.masks[0].numel()).to(device)
    model = nn.Sequential(restore_teacher(teacher, device), outputs).eval()
    rows = car_rows(load_masks(data.name, "train", data.sha256).cars, share)
    order = rows[torch.randperm(len(rows))]
    kernel = LandmarkKernel(model, scenes(split.train.images[order[:landmarks]], device))
    rows = order[landmarks : landmarks + images]
    shown = scenes(split.train.images[rows], device)
    features, diagonal = kernel.features(shown, chunk=CHUNK)
    with torch.no_grad():
        exact = empirical_ntk(model, shown[:CHECKED], kind="trace", method="structured", tile=CHUNK)
    values = kernel_errors(exact, landmark_gram(features[:CHECKED], diagonal[:CHECKED]))
    values |= {"mean_diagonal": diagonal.mean().item()}
    return CellResult(values, kernel_arrays(rows, features, diagonal))


def _student_cost(steps: int, batch: int, settings: Mapping[str, Any], **_: Any) -> float:
    kernel = 0.3 * settings["kernel_batch"] / settings["kernel_every"] if "kernel_batch" in settings else 0.0
    return 8 + steps * (0.009 * batch + kernel)


@work(cost=_student_cost)
def student(
    data: Data,
    seed: int,
    *,
    steps: int,
    batch: int,
    settings: dict[str, float | str],
    loss: MaskLoss = "dense_labels",
    optics: MaskOptics = "signed",
    filters: int = 8,
    tested: bool = True,
    device: str = "cpu",
    logits: Record | None = None,
    summary: LogitSummary | None = None,
    kernel: Record | None = None,
) -> CellResult:
    """Train one student, convolutions in bfloat16, and score it once, on test or validation cars."""
    split, model = load_split(data, seed), carvana_student(optics, filters).to(device)
    schedule = MaskSchedule(steps, batch, settings["lr"], settings.get("weight_decay", 0.0), half=True)
    fixed: dict[str, Any] = _kernel_inputs(split, summary, kernel, device) if summary and kernel else {}
    if logits is not None:
        fixed["logits"] = torch.from_numpy(logits.arrays["logits"])
    objective = LOSSES[loss](settings, DenseTeacher(**fixed))
    curve = fit_masks(model, split.train, split.monitored, objective, schedule)
    return _training_result(model, curve, held_out_scores(model, split, tested=tested))


def _kernel_inputs(split: CarSplit, summary: LogitSummary, kernel: Record, device: str) -> dict[str, Any]:
    rows = torch.tensor(kernel.arrays["rows"])
    return {
        "images": scenes(split.train.images[rows], device),
        "features": torch.tensor(kernel.arrays["features"], device=device),
        "diagonal": torch.tensor(kernel.arrays["diagonal"], device=device),
        "summary": summary.build(split.train.masks[0].numel()).to(device),
    }


def held_out_scores(model: nn.Module, split: CarSplit, *, tested: bool = True) -> dict[str, float]:
    """Score a network, in percent: mIoU and boundary F-score on test cars, or mIoU on validation cars."""
    if not tested:
        return {"validation": mean_iou(predict_masks(model, split.held_out.images), split.held_out.masks)}
    guesses = predict_masks(model, split.test.images)
    return {
        "miou": mean_iou(guesses, split.test.masks),
        "boundary": 100 * boundary_scores(guesses, split.test.masks).mean().item(),
    }


def _training_result(model: nn.Module, curve: list[float], scores: Mapping[str, float]) -> CellResult:
    count = sum(p.numel() for p in model.parameters())
    values = {**scores, "curve": curve, "converged": converged(curve), "parameters": count}
    return CellResult(values, weights_of(model))


def restore_teacher(record: Record, device: str = "cpu") -> nn.Module:
    """Rebuild the teacher from its record."""
    return restore(build_teacher(), record).to(device).eval()


def restore(model: nn.Module, record: Record) -> nn.Module:
    """Load the weights of a record into a network."""
    model.load_state_dict(state_of(record))
    return model
