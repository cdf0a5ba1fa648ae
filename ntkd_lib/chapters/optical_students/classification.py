"""Training of students of classifiers behind optics, for digits and colour images alike."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from ntkd_lib.chapters.optical_students import classification_setting
from ntkd_lib.distill import Teacher, kernel_losses, withhold
from ntkd_lib.distill.objectives import OBJECTIVES
from ntkd_lib.distill.training import Images, Schedule, accuracy, converged, fit, predict
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.work import Data, work
from ntkd_lib.ntk.landmarks import landmark_gram
from ntkd_lib.optics import HybridStudent, student_trace_ntk
from ntkd_lib.optics.front_end import set_unit_spread, start_at_components

STARTS = {"signed": start_at_components, "random": set_unit_spread}
STARTING = 500  # images whose patches the filters start from
WATCHED = 64  # images whose kernel is followed during training


def _student_seconds(objective: str, parts: classification_setting.Hybrid) -> float:
    """Estimate the seconds per image and epoch of a student's training."""
    kernel = objective.startswith("tangent")
    if parts.colours > 1:
        return 3.6e-4 if kernel else 2.4e-4 if parts.hidden else 2e-5
    return 9e-5 if kernel else 5e-5 if parts.optics == "signed" else 1e-5


@work(
    cost=lambda data, split, parts, objective, schedule, **_: (
        1 + _student_seconds(objective, parts) * schedule.epochs * split.count(data)
    )
)
def student(
    data: Data,
    seed: int,
    split: classification_setting.Partition,
    *,
    parts: classification_setting.Hybrid,
    objective: str,
    schedule: Schedule,
    settings: Mapping[str, float | None],
    label_share: float = 1.0,
    watched: bool = False,
    tested: bool = True,
    device: str = "cpu",
    soft_labels: Record | None = None,
    tangent: Record | None = None,
) -> CellResult:
    """Train a student and, unless it is a trial of a search, test it once in float32."""
    setting = classification_setting.prepare(data, split, seed, device)
    model = classification_setting.build_student(parts).to(device)
    if parts.spread and (start := STARTS.get(parts.optics)):
        start(model.front, setting.train.images[setting.rows[:STARTING]])
    source = _load_teacher(setting, soft_labels, tangent, device)
    loss = OBJECTIVES[objective](settings, source)
    labelled, rows = withhold(setting.train, setting.rows, label_share, seed)
    net, seen = _select_trained_part(model, labelled, schedule)
    watch = Alignment(source) if watched else None
    curve = fit(net, seen, rows, setting.held_out, loss, schedule, watch)
    values = {"curve": curve, "alignment": watch.values if watch else [], "converged": converged(curve)}
    return _score(model, setting, values, tested=tested)


class Alignment:
    """Follow the centred cosine of a student's and its teacher's kernel on the same images."""

    def __init__(self, teacher: Teacher) -> None:
        self.images = teacher.images[:WATCHED]
        self.theta = landmark_gram(teacher.features[:WATCHED], teacher.diagonal[:WATCHED])
        self.values: list[float] = []

    @torch.no_grad()
    def __call__(self, student: HybridStudent) -> None:
        """Append the cosine at this step."""
        theta = student_trace_ntk(student, self.images)
        self.values.append(1 - kernel_losses.cosine(theta, self.theta).item())


def _select_trained_part(model: HybridStudent, data: Images, schedule: Schedule) -> tuple[nn.Module, Images]:
    """Read images out once if neither they nor the front end change: then only the back end is trained."""
    if schedule.mixed:  # rounded once and not at each step: the front end multiplies in bfloat16
        return model, Images(data.images.bfloat16(), data.labels)
    if schedule.shift or schedule.mirror or any(p.requires_grad for p in model.front.parameters()):
        return model, data
    return model.back, Images(predict(model.front, data.images), data.labels)


def _load_teacher(
    setting: classification_setting.Setting, soft: Record | None, tangent: Record | None, device: str
) -> Teacher:
    arrays = {"logits": soft.arrays["logits"]} if soft else {}
    if tangent:
        arrays |= {name: tangent.arrays[name] for name in ("features", "diagonal")}
    tensors = {name: torch.tensor(array, device=device).float() for name, array in arrays.items()}
    if tangent:
        tensors["images"] = setting.train.images[torch.tensor(tangent.arrays["rows"], device=device)]
    return Teacher(**tensors)


def _score(
    model: HybridStudent, setting: classification_setting.Setting, values: Mapping[str, Any], *, tested: bool
) -> CellResult:
    """Score a trained student on validation images and, unless it is a trial, once on the test set."""
    scores = {
        **values,
        "validation": accuracy(model, setting.train, setting.held_out),
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    arrays = classification_setting.weights_of(model)
    if tested:
        guesses = predict(model, setting.test.images).argmax(1)
        scores["accuracy"] = 100 * (guesses == setting.test.labels).double().mean().item()
        arrays["guesses"] = guesses.cpu().numpy().astype(np.uint8)
    return CellResult(scores, arrays)
