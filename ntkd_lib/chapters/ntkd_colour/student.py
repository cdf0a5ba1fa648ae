"""Cells that train students on colour images."""

import importlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ntkd_lib.chapters.ntkd_classification.setting import Setting
from ntkd_lib.chapters.ntkd_classification.student import tested_result
from ntkd_lib.chapters.ntkd_colour.setting import prepare
from ntkd_lib.distill.objective import Objective, Teacher
from ntkd_lib.distill.tangent_cosine import kernel_loss
from ntkd_lib.distill.training import Images, Schedule, converged, fit, predict
from ntkd_lib.distill.withheld import withhold
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.ntk.landmarks import landmark_gram
from ntkd_lib.optics.start import set_unit_spread, start_at_components
from ntkd_lib.optics.student import HybridStudent, cifar_student
from ntkd_lib.optics.tangent import student_trace_ntk

SHIFT = 2
WATCHED = 64
STARTING = 500  # images whose patches the filters start from
FRONT_RATE = 10  # filters of unit spread are larger than weights of the back end, and learn in larger steps
STARTS = {"signed": start_at_components, "random": set_unit_spread}


def train(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Train one student on shifted and mirrored images in bfloat16 autocast, and test it once in float32.

    Args:
        arguments: ``data``, ``sha256``, ``images``, ``seed``, ``device``, ``epochs``, ``batch``,
            ``objective``, ``optics``, ``rectified``, ``hidden``, ``augmented``, ``settings``, ``tested``
            (False for trials of a search, which never read test images), and ``label_share`` if labels are
            few.
        needs: ``soft_labels`` where they are heard; ``tangent``, which NTK distillation hears and by which
            all others are watched.

    Returns:
        Accuracies in percent, the curves of validation and of kernel alignment, whether it converged,
        and parameter counts; weights by name and the predicted class of every test image.
    """
    setting = prepare(arguments)
    model = _started(arguments, setting.train.images[setting.rows[:STARTING]])
    teacher = _teacher(arguments, needs, setting)
    objective = _objective(arguments, teacher)
    data, rows = withhold(setting.train, setting.rows, arguments.get("label_share", 1), arguments["seed"])
    net, seen = _trained_part(model, data, augmented=arguments["augmented"])
    watch = Alignment(teacher) if teacher.features is not None else None
    curve = fit(net, seen, rows, setting.held_out, objective, _schedule(arguments), watch)
    values = {"curve": curve, "alignment": watch.found if watch else [], "converged": converged(curve)}
    return tested_result(model, setting, values, tested=arguments["tested"])


class Alignment:
    """Follow the centred cosine of a student's and its teacher's kernel on the same images."""

    def __init__(self, teacher: Teacher) -> None:
        """Take the first images."""
        self.images = teacher.images[:WATCHED]
        self.theta = landmark_gram(teacher.features[:WATCHED], teacher.diagonal[:WATCHED])
        self.found: list[float] = []

    @torch.no_grad()
    def __call__(self, student: HybridStudent) -> None:
        """Measure once more."""
        theta = student_trace_ntk(student, self.images)
        self.found.append(1 - kernel_loss(theta, self.theta).item())


def restore_student(record: Record, optics: str = "signed", rectified: str = "both") -> HybridStudent:
    """Rebuild a student with the default back end from its record."""
    prefix = "weights."
    weights = {
        k.removeprefix(prefix): torch.tensor(v) for k, v in record.arrays.items() if k.startswith(prefix)
    }
    student = cifar_student(rectified, optics=optics)
    student.load_state_dict(weights)
    return student


def _started(arguments: Mapping[str, Any], images: Tensor) -> HybridStudent:
    """Build a student; signed filters start at principal components, or random but at the same spread."""
    single = not arguments["hidden"]
    student = cifar_student(
        arguments["rectified"],
        tuple(arguments["hidden"]),
        filters=8 if single else 16,
        optics=arguments["optics"],
    ).to(arguments["device"])
    if start := STARTS.get(arguments["optics"]):
        start(student.front, images)
    return student


def _schedule(arguments: Mapping[str, Any]) -> Schedule:
    settings, augmented = arguments["settings"], arguments["augmented"]
    return Schedule(
        arguments["epochs"],
        arguments["batch"],
        lr=settings["lr"],
        weight_decay=settings["weight_decay"],
        front_rate=FRONT_RATE,
        shift=SHIFT if augmented else 0,
        mirror=augmented,
        mixed=augmented,
        evaluations=1,
    )


def _trained_part(model: HybridStudent, data: Images, *, augmented: bool) -> tuple[nn.Module, Images]:
    """Read images out once where neither they nor the front end change."""
    if augmented:  # rounded once and not at each step: the front end multiplies in bfloat16
        return model, Images(data.images.bfloat16(), data.labels)
    if any(p.requires_grad for p in model.front.parameters()):
        return model, data
    return model.back, Images(predict(model.front, data.images), data.labels)


def _teacher(arguments: Mapping[str, Any], needs: Mapping[str, Record], setting: Setting) -> Teacher:
    device = arguments["device"]
    arrays = {
        name: torch.tensor(record.arrays[name], device=device).float()
        for record in needs.values()
        for name in ("logits", "features", "diagonal")
        if name in record.arrays
    }
    if "tangent" in needs:
        rows = torch.tensor(needs["tangent"].arrays["rows"], device=device)
        arrays["images"] = setting.train.images[rows]
    return Teacher(**arrays)


def _objective(arguments: Mapping[str, Any], teacher: Teacher) -> Objective:
    module = importlib.import_module(f"ntkd_lib.distill.{arguments['objective']}")
    return module.build(arguments["settings"], teacher)
