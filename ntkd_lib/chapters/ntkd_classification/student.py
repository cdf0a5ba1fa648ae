"""Cells that train students."""

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from ntkd_lib.chapters.ntkd_classification.setting import Setting, prepare
from ntkd_lib.distill.objective import Objective, Teacher
from ntkd_lib.distill.training import Images, Schedule, accuracy, converged, fit, predict
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.optics.student import HybridStudent, mnist_student


def train(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Train one student and test it once.

    Args:
        arguments: ``data``, ``seed``, ``device``, ``epochs``, ``batch``, ``objective``, ``optics``,
            ``rectified``, ``hidden``, ``settings``, ``tested`` (False for trials of a search, which never
            read test images).
        needs: ``teacher`` for soft labels, ``tangent`` for NTK distillation, nothing for labels only.

    Returns:
        Accuracies in percent, the validation curve, whether it converged and parameter counts; weights by
        name and the predicted class of every test image.
    """
    setting = prepare(arguments)
    model = mnist_student(arguments["optics"], arguments["rectified"], tuple(arguments["hidden"]))
    return fitted(model, setting, arguments, needs)


def fitted(
    model: HybridStudent, setting: Setting, arguments: Mapping[str, Any], needs: Mapping[str, Record]
) -> CellResult:
    """Train a student that is already built, and test it once.

    Args:
        arguments: ``device``, ``epochs``, ``batch``, ``objective``, ``settings``.
    """
    settings, model = arguments["settings"], model.to(arguments["device"])
    schedule = Schedule(
        arguments["epochs"],
        arguments["batch"],
        lr=settings["lr"],
        weight_decay=settings["weight_decay"],
        shift=int(settings.get("shift", 0)),
    )
    net, seen = _trained_part(model, setting.train, schedule)
    curve = fit(net, seen, setting.rows, setting.held_out, _objective(arguments, needs, setting), schedule)
    values = {"curve": curve, "converged": converged(curve)}
    return tested_result(model, setting, values, tested=arguments["tested"])


def tested_result(
    model: HybridStudent, setting: Setting, values: Mapping[str, Any], *, tested: bool
) -> CellResult:
    """Score a trained student on validation images and, unless it is a trial, once on the test set."""
    scores = {
        **values,
        "validation": accuracy(model, setting.train, setting.held_out),
        "parameters": sum(p.numel() for p in model.parameters()),
        "trained_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
    }
    arrays = {f"weights.{k}": v.detach().cpu().numpy() for k, v in model.state_dict().items()}
    if tested:
        guesses = predict(model, setting.test.images).argmax(1)
        scores["accuracy"] = 100 * (guesses == setting.test.labels).double().mean().item()
        arrays["guesses"] = guesses.cpu().numpy().astype(np.uint8)
    return CellResult(scores, arrays)


def _trained_part(model: HybridStudent, data: Images, schedule: Schedule) -> tuple[nn.Module, Images]:
    """Read images out once where the front end is fixed: only the back end is trained then."""
    if schedule.shift or any(p.requires_grad for p in model.front.parameters()):
        return model, data
    return model.back, Images(predict(model.front, data.images), data.labels)


def _objective(arguments: Mapping[str, Any], needs: Mapping[str, Record], setting: Setting) -> Objective:
    module = importlib.import_module(f"ntkd_lib.distill.{arguments['objective']}")
    arrays = {
        name: torch.tensor(record.arrays[name], device=arguments["device"]).float()
        for record in needs.values()
        for name in ("logits", "features", "diagonal")
        if name in record.arrays
    }
    for record in needs.values():
        if "rows" in record.arrays:
            rows = torch.tensor(record.arrays["rows"], device=arguments["device"])
            arrays["images"] = setting.train.images[rows]
    return module.build(arguments["settings"], Teacher(**arrays))
