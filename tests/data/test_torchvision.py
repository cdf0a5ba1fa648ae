"""The torchvision shim: works here, does nothing where the import works, hides no other error."""

import importlib
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import pytest

import ntkd_lib.data.torchvision as shim

USE = """
import torch
from ntkd_lib.data.torchvision import import_torchvision
torchvision = import_torchvision()
import torchvision as again
assert again is torchvision
grid = torchvision.utils.make_grid(torch.zeros(4, 3, 5, 5))
iou = torchvision.ops.box_iou(torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 0, 3, 2]]))
model = torchvision.models.resnet18(num_classes=10)
print(tuple(grid.shape), round(iou.item(), 4), model.fc.out_features, torchvision.datasets.MNIST.__name__)
"""


def test_what_we_use_of_torchvision_works_without_a_warning():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", USE], capture_output=True, text=True, check=True
    )
    assert done.stdout == "(3, 9, 30) 0.3333 10 MNIST\n"
    assert not done.stderr


def test_nothing_is_done_where_the_import_works(monkeypatch):
    imported = shim.import_torchvision()
    monkeypatch.setattr(shim, "_name_operators", lambda: pytest.fail("not needed"))
    assert shim.import_torchvision() is imported


def test_missing_operators_are_named_and_the_import_tried_again(monkeypatch):
    tried, named, made = [], [], ModuleType("torchvision")

    def first_fails(name):
        tried.append(name)
        if len(tried) == 1:
            raise RuntimeError("operator torchvision::nms does not exist")
        return made

    monkeypatch.setattr(importlib, "import_module", first_fails)
    monkeypatch.setattr(shim, "_name_operators", lambda: named.append(True))
    modules = {"torchvision": 1, "torchvision.ops": 2, "torchvision_other": 3}
    monkeypatch.setattr(shim, "sys", SimpleNamespace(modules=modules))
    assert shim.import_torchvision() is made
    assert (tried, named) == (["torchvision"] * 2, [True])
    assert modules == {"torchvision_other": 3}, "the half-imported module is forgotten"


def test_another_error_is_not_hidden(monkeypatch):
    def fails(_):
        raise RuntimeError("something else")

    monkeypatch.setattr(importlib, "import_module", fails)
    with pytest.raises(RuntimeError, match=r"^something else$"):
        shim.import_torchvision()
