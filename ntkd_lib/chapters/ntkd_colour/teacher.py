"""Cells that train teachers on colour images."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ntkd_lib.chapters.ntkd_colour.setting import prepare
from ntkd_lib.distill.training import Images, Schedule, accuracy, converged, fit, predict
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.nets.colour_teachers import WHITENED, colour_teacher
from ntkd_lib.nets.compact_resnet import whiten_first
from ntkd_lib.nets.wide_convolution import widen

SHIFT = 2


@dataclass(frozen=True)
class Recipe:
    """How a teacher is trained; not tuned.

    Attributes:
        lr: Largest learning rate of AdamW.
        weight_decay: Decoupled weight decay.
        batch: Images a step.
    """

    lr: float
    weight_decay: float
    batch: int


RECIPES = {
    "compact": Recipe(6e-3, 2e-2, 256),
    "wide": Recipe(3e-3, 2e-2, 256),
    "alexnet": Recipe(1e-3, 5e-2, 128),
    "resnet18": Recipe(2e-3, 5e-2, 128),
}


def train(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Train a teacher on shifted and mirrored images in bfloat16 autocast.

    Args:
        arguments: ``data``, ``sha256``, ``images``, ``seed``, ``device``, ``network``, ``epochs``.

    Returns:
        Accuracies in percent, and weights by name.
    """
    del needs
    setting, device = prepare(arguments), arguments["device"]
    data, test = _channels_last(setting.train), _channels_last(setting.test)
    model = _started(arguments["network"], data.images[setting.rows[:2000]]).to(device)
    curve = fit(
        model,
        data,
        setting.rows,
        setting.held_out,
        lambda net, batch: cross_entropy(net(batch.images), batch.labels),
        _schedule(arguments),
    )
    model.eval()
    with torch.autocast(torch.device(device).type, torch.bfloat16):
        values = {
            "accuracy": accuracy(model, test, torch.arange(len(test.labels), device=device)),
            "parameters": sum(p.numel() for p in model.parameters()),
            "curve": curve,
            "converged": converged(curve),
        }
    weights = {f"weights.{k}": v.detach().cpu().contiguous().numpy() for k, v in model.state_dict().items()}
    return CellResult(values, weights)


@torch.no_grad()
def answer(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Ask a teacher for the logits that students learn soft labels from.

    Args:
        arguments: ``data``, ``sha256``, ``images``, ``seed``, ``device``, ``network``.

    Returns:
        The array ``logits``: of all training images, followed by those of the mirrored ones.
    """
    device = arguments["device"]
    images = _channels_last(prepare(arguments).train).images
    model = restore_teacher(needs["teacher"], arguments["network"], device)
    model.to(memory_format=torch.channels_last)
    with torch.autocast(torch.device(device).type, torch.bfloat16):
        both = torch.cat([predict(model, images), predict(model, images.flip(3))])
    return CellResult({}, {"logits": both.float().cpu().numpy()})


def restore_teacher(record: Record, name: str, device: str) -> nn.Module:
    """Rebuild a teacher from its record."""
    prefix = "weights."
    state = {
        k.removeprefix(prefix): torch.tensor(v) for k, v in record.arrays.items() if k.startswith(prefix)
    }
    model = colour_teacher(name)
    model.load_state_dict(state)
    return model.to(device).eval()


def _started(name: str, images: Tensor) -> nn.Module:
    model = colour_teacher(name)
    if name in WHITENED:
        whiten_first(model[1], model[0](images).cpu())
    return widen(model).to(memory_format=torch.channels_last)


def _schedule(arguments: Mapping[str, Any]) -> Schedule:
    recipe = RECIPES[arguments["network"]]
    return Schedule(
        arguments["epochs"],
        recipe.batch,
        lr=recipe.lr,
        weight_decay=recipe.weight_decay,
        shift=SHIFT,
        mirror=True,
        mixed=True,
        evaluations=1,
    )


def _channels_last(data: Images) -> Images:
    return Images(data.images.contiguous(memory_format=torch.channels_last), data.labels)
