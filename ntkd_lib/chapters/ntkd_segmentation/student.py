"""Cells that train students."""

import importlib
from collections.abc import Mapping
from typing import Any

import torch

from ntkd_lib.chapters.ntkd_segmentation.scores import held_out_scores
from ntkd_lib.chapters.ntkd_segmentation.setting import Setting, prepare
from ntkd_lib.distill.dense import DenseTeacher, MaskObjective, summary_of
from ntkd_lib.distill.mask_training import MaskSchedule, fit_masks, scenes
from ntkd_lib.distill.training import converged
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.optics.segmentation import carvana_student


def train(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Train one student, convolutions in bfloat16, and test it once.

    Args:
        arguments: ``data``, ``sha256``, ``seed``, ``device``, ``steps``, ``batch``, ``objective``,
            ``optics``, ``filters``, ``settings``, ``tested``.
        needs: ``voice`` for soft labels, ``tangent`` for NTK distillation, nothing for masks only.

    Returns:
        Scores in percent, the validation curve, whether it converged and parameter counts; weights by name.
    """
    setting = prepare(arguments)
    settings = arguments["settings"]
    model = carvana_student(arguments["optics"], arguments["filters"]).to(arguments["device"])
    decay = settings.get("weight_decay", 0.0)
    schedule = MaskSchedule(arguments["steps"], arguments["batch"], settings["lr"], decay, half=True)
    objective = _objective(arguments, needs, setting)
    curve = fit_masks(model, setting.train, setting.followed, objective, schedule)
    values = {
        **held_out_scores(model, setting, tested=arguments["tested"]),
        "curve": curve,
        "converged": converged(curve),
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    return CellResult(
        values, {f"weights.{k}": v.detach().cpu().numpy() for k, v in model.state_dict().items()}
    )


def _objective(arguments: Mapping[str, Any], needs: Mapping[str, Record], setting: Setting) -> MaskObjective:
    module = importlib.import_module(f"ntkd_lib.distill.{arguments['objective']}")
    heard = _tangent(arguments, needs["tangent"], setting) if "tangent" in needs else {}
    if "voice" in needs:
        heard["logits"] = torch.from_numpy(needs["voice"].arrays["logits"])
    return module.build(arguments["settings"], DenseTeacher(**heard))


def _tangent(arguments: Mapping[str, Any], record: Record, setting: Setting) -> dict[str, Any]:
    device, asked = arguments["device"], record.values
    rows = torch.tensor(record.arrays["rows"])
    pixels = setting.train.masks[0].numel()
    return {
        "images": scenes(setting.train.images[rows], device),
        "features": torch.tensor(record.arrays["features"], device=device),
        "diagonal": torch.tensor(record.arrays["diagonal"], device=device),
        "summary": summary_of(asked["summary"], asked["outputs"], pixels, asked["seed"]).to(device),
    }
