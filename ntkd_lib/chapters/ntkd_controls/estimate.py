"""Cells of stage 1: the accuracy of an optical architecture, estimated without training it."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ntkd_lib.chapters.ntkd_classification.setting import prepare
from ntkd_lib.chapters.ntkd_controls.regression import choose
from ntkd_lib.distill.training import Images, predict
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.ntk.infinite.dense import dense_kernels
from ntkd_lib.optics.student import signed_front_end

VALIDATION = 2000
BIAS_STD = 0.1


def estimate(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Estimate by NTK regression: as many random filters as fit, and a back end of infinite width.

    The back end's tangent kernel is a closed form of inner products of read-outs, so the number of filters,
    their size, the depth and both places of a ReLU count. Filters are held at their random draw: what
    training them adds is not seen. No test image is read.

    Source: NTKD paper, Sec. 3.1 and Eq. 1-4; how a finite number of filters enters an estimate at infinite
        width is not published, this is our reading.

    Args:
        arguments: ``data``, ``sha256``, ``seed``, ``device``, ``images``, ``filters``, ``filter_size``,
            ``rectified``, ``depth``.

    Returns:
        ``estimate``: accuracy on validation images, percent; ``ridge`` and ``filters``.
    """
    del needs
    setting = prepare(arguments)
    front = signed_front_end(
        "random", arguments["rectified"], arguments["filters"], filter_size=arguments["filter_size"]
    ).to(arguments["device"])
    rows, held_out = setting.rows, setting.held_out[:VALIDATION]
    rows = rows[torch.randperm(len(rows))[: arguments["images"]].to(rows.device)]
    train, validation = (_read_out(front, setting.train, part) for part in (rows, held_out))
    depth = arguments["depth"] if arguments["rectified"] in ("both", "hidden") else 0
    form = {"depth": depth, "bias_std": BIAS_STD, "dtype": torch.float32}
    theta = dense_kernels(train, **form).ntk
    cross = dense_kernels(validation, train, **form).ntk
    labels = setting.train.labels
    chosen = choose(theta, labels[rows], cross, labels[held_out])
    found = {"estimate": chosen.validation, "ridge": chosen.ridge, "filters": arguments["filters"]}
    return CellResult(found)


def _read_out(front: torch.nn.Module, data: Images, rows: Tensor) -> Tensor:
    values = predict(front, data.images[rows])
    return values / values.square().mean().sqrt()
