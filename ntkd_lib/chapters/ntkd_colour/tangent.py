"""Cells that sketch a teacher's tangent features once an image, and measure the error."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from ntkd_lib.chapters.ntkd_colour.setting import prepare
from ntkd_lib.chapters.ntkd_colour.teacher import restore_teacher
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.sketches.kronecker import KroneckerSketch
from ntkd_lib.ntk.sketches.trace import trace_features

CHECKED = 48
# How the exact kernel is computed: whole Jacobians of a ResNet-18 take 0.45 GB an image.
EXACT = {"compact": "contraction", "wide": "structured", "alexnet": "contraction", "resnet18": "structured"}


def sketch(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Sketch the teacher's tangent features of some training images.

    Args:
        arguments: ``data``, ``sha256``, ``images``, ``seed``, ``device``, ``network``, ``sketch``: features,
            ``kernel_images``: how many.

    Returns:
        ``cosine`` and ``relative_error`` (Frobenius) of the rebuilt against the exact kernel, the mean
        ``diagonal``; arrays ``rows`` (positions of the images), ``features`` in float16 at mean diagonal one,
        and ``diagonal``.
    """
    setting = prepare(arguments)
    model = restore_teacher(needs["teacher"], arguments["network"], arguments["device"])
    order = torch.randperm(len(setting.rows))[: arguments["kernel_images"]]
    rows = setting.rows[order.to(setting.rows.device)]
    features = trace_features(
        model, setting.train.images[rows], KroneckerSketch(arguments["sketch"], seed=arguments["seed"])
    )
    size = features.square().sum(1).mean()
    stored = (features / size.sqrt()).half()
    method, checked = EXACT[arguments["network"]], setting.train.images[rows[:CHECKED]]
    with torch.no_grad():
        exact = empirical_ntk(model, checked, kind="trace", method=method, tile=16)
    errors = _errors(exact, stored[:CHECKED].float(), size)
    arrays = {"rows": rows.cpu().numpy(), "features": stored.cpu().numpy()}
    diagonal = stored.float().square().sum(1).cpu().numpy()
    return CellResult({**errors, "mean_diagonal": size.item()}, {**arrays, "diagonal": diagonal})


def _errors(exact: Tensor, features: Tensor, size: Tensor) -> dict[str, float]:
    rebuilt = features @ features.T * size
    apart = ~torch.eye(len(exact), dtype=torch.bool, device=exact.device)
    return {
        "cosine": cosine_similarity(exact.flatten(), rebuilt.flatten(), dim=0).item(),
        "cosine_off_diagonal": cosine_similarity(exact[apart], rebuilt[apart], dim=0).item(),
        "relative_error": ((rebuilt - exact).norm() / exact.norm()).item(),
    }
