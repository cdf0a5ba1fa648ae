"""Cells that train variants of the students of digits."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from ntkd_lib.chapters.ntkd_classification.setting import prepare
from ntkd_lib.chapters.ntkd_classification.student import fitted
from ntkd_lib.distill.withheld import withhold
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.nets.back_ends import dense_back_end
from ntkd_lib.optics.absorber import CoarseReadOut, DeepFrontEnd
from ntkd_lib.optics.front_end import IdealLens
from ntkd_lib.optics.student import HybridStudent, signed_front_end


def train(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Train one variant and test it once.

    Args:
        arguments: Those of a student of digits, and of these what differs: ``filters``, ``filter_size``;
            ``block`` for a coarse read-out; ``grid`` for the lens; ``layers`` and ``absorber``;
            ``label_share``.
        needs: As the student that it follows.

    Returns:
        As the student that it follows.
    """
    setting = prepare(arguments)
    front = _front_end(arguments)
    rectify = arguments["rectified"] in ("both", "hidden")
    model = HybridStudent(front, dense_back_end((front.read_out, *arguments["hidden"], 10), rectify=rectify))
    share = arguments.get("label_share", 1)
    data, rows = withhold(setting.train, setting.rows, share, arguments["seed"])
    return fitted(model, replace(setting, train=data, rows=rows), arguments, needs)


def _front_end(arguments: Mapping[str, Any]) -> nn.Module:
    if "layers" in arguments:
        return DeepFrontEnd(arguments["layers"], arguments["absorber"])
    if "grid" in arguments:
        return IdealLens(*arguments["grid"])
    filters, size = arguments.get("filters", 8), arguments.get("filter_size", 7)
    front = signed_front_end(arguments["optics"], arguments["rectified"], filters, filter_size=size)
    return CoarseReadOut(front, arguments["block"]) if "block" in arguments else front
