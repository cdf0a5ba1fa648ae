"""Import torchvision, even if its wheel was built for another torch.

A torchvision wheel that is linked to CUDA cannot register its operators beside a CPU build of torch, and
its import fails on the first one it misses. Naming those operators, without any implementation, is enough
for datasets, transforms and models; `torchvision.ops.nms` and `torchvision.io` stay unusable. Where the
import works anyway this module does nothing.
"""

import importlib
import sys
from types import ModuleType

import torch
from torch import library as operators

from ntkd_lib.imports import extra

_SCHEMAS = {n: f"{n}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor" for n in ("nms", "qnms")}
# A library that is collected takes its operators with it.
_LIBRARIES: list[operators.Library] = []


def import_torchvision() -> ModuleType:
    """Import torchvision, naming the operators that it misses."""
    try:
        with extra("nets"):
            return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
    _name_operators()
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    return importlib.import_module("torchvision")


def _name_operators() -> None:
    library = operators.Library("torchvision", "FRAGMENT")
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)
    _LIBRARIES.append(library)
