"""Cells that make a device, photograph cars through it, and recover in several ways."""

import importlib
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from ntkd_lib.chapters.fabrication_recovery.made import make_device, restore_design
from ntkd_lib.chapters.fabrication_segmentation.methods import CLEAN, DESIGNED, NONE
from ntkd_lib.chapters.fabrication_segmentation.photographed import Bench, load_part, photographed_rows
from ntkd_lib.chapters.fabrication_segmentation.protocol import Protocol
from ntkd_lib.chapters.optical_students.masks import restore
from ntkd_lib.distill.dense import DenseTeacher, summary_of
from ntkd_lib.distill.mask_scores import mean_iou
from ntkd_lib.distill.mask_training import MaskSchedule
from ntkd_lib.distill.read_out_training import ReadOuts, fit_read_outs, guessed_masks
from ntkd_lib.distill.training import converged
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.seeds import deterministic
from ntkd_lib.optics.captured_masks import CapturedMaskStudent, CoarseDevice
from ntkd_lib.optics.segmentation import carvana_student


def run(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Make one device of a student's design and recover what it lost, back end only.

    Args:
        arguments: ``data``, ``sha256``, ``seed``, ``device``, ``protocol``, ``number``, ``strength``,
            ``batch``, ``tested``, and ``recoveries``: name, objective and settings of each.
        needs: ``student``, ``design``, ``kernel`` and ``voice``.

    Returns:
        By name of the recovery, ``designed`` (no errors) and ``uncompensated`` among them: validation or,
        where asked for, test mean IoU (percent), validation curve, whether it converged; ``psf_error``, the
        relative change of the captures' functions.
    """
    deterministic(arguments["seed"])
    protocol = Protocol(**arguments["protocol"])
    design, device = restore_design(needs["design"], protocol.geometry), make_device(arguments)
    made = Bench.of(CoarseDevice(device.errors, device.seed), design)
    ideal = Bench.of(CoarseDevice(), design)
    back = restore(carvana_student(), needs["student"]).back
    models, curves = _trained(arguments, needs, {NONE: made, CLEAN: ideal}, back)
    clean = {name: model for name, model in models.items() if name == CLEAN}
    faulty = {name: model for name, model in models.items() if name != CLEAN}
    unmoved = CapturedMaskStudent(back)
    scores = _scores(arguments, made, {NONE: unmoved, **faulty})
    scores |= _scores(arguments, ideal, {DESIGNED: unmoved, **clean})
    part = "miou" if arguments["tested"] else "validation"
    found: dict[str, dict[str, Any]] = {name: {part: value} for name, value in scores.items()}
    for name, curve in curves.items():
        found[name] |= {"curve": curve, "converged": converged(curve)}
    change = ((made.psfs - ideal.psfs).norm() / ideal.psfs.norm()).item()
    return CellResult({"recoveries": found, "psf_error": change})


def _trained(
    arguments: Mapping[str, Any], needs: Mapping[str, Record], benches: Mapping[str, Bench], back: nn.Module
) -> tuple[dict[str, nn.Module], dict[str, list[float]]]:
    """Train every way to recover on what its bench photographs; each bench photographs once."""
    protocol, train, held_out = (
        Protocol(**arguments["protocol"]),
        load_part(arguments, "train"),
        load_part(arguments, "val"),
    )
    rows = photographed_rows(train.cars, protocol.share)
    models, curves = {}, {}
    for key, bench in benches.items():
        wanted = [r for r in arguments["recoveries"] if (r["name"] == CLEAN) == (key == CLEAN)]
        if wanted:
            data = bench.read_outs(train, rows, "training")
            followed = bench.read_outs(held_out, slice(None, None, protocol.followed), "followed")
            teacher = _teacher(needs, data, rows)
        for recovery in wanted:
            name, settings = recovery["name"], recovery["settings"]
            torch.manual_seed(arguments["seed"])
            models[name] = CapturedMaskStudent(deepcopy(back))
            build = importlib.import_module(f"ntkd_lib.distill.{recovery['objective']}").build
            schedule = _schedule(arguments, settings)
            curves[name] = fit_read_outs(models[name], data, followed, build(settings, teacher), schedule)
    return models, curves


def _schedule(arguments: Mapping[str, Any], settings: Mapping[str, Any]) -> MaskSchedule:
    steps = Protocol(**arguments["protocol"]).steps
    decay = settings.get("weight_decay", 0.0)
    return MaskSchedule(steps, arguments["batch"], settings["lr"], decay, half=True)


def _teacher(needs: Mapping[str, Record], data: ReadOuts, rows: torch.Tensor) -> DenseTeacher:
    """Say what the teacher knows of the photographed images: it saw the images themselves."""
    arrays, asked = needs["kernel"].arrays, needs["kernel"].values
    return DenseTeacher(
        logits=torch.from_numpy(needs["voice"].arrays["logits"])[rows],
        images=data.images[torch.tensor(arrays["places"])],
        features=torch.tensor(arrays["features"]),
        diagonal=torch.tensor(arrays["diagonal"]),
        summary=summary_of(asked["summary"], asked["outputs"], data.masks[0].numel(), asked["seed"]),
    )


def _scores(arguments: Mapping[str, Any], bench: Bench, models: Mapping[str, nn.Module]) -> dict[str, float]:
    """Score several back ends on the same photographs: of all test cars, or some of validation cars."""
    tested = arguments["tested"]
    part = load_part(arguments, "test" if tested else "val")
    every = 1 if tested else Protocol(**arguments["protocol"]).followed
    seen = bench.read_outs(part, slice(None, None, every), "scored")
    return {name: mean_iou(guessed_masks(m, seen.images), seen.masks) for name, m in models.items()}
