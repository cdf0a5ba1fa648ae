"""A notebook's parameters as they are in earnest, and the words that refusals of them use."""

from typing import Literal

import pytest

from ntkd_lib.lab.parameters import ParameterError, SeededParameters, load_parameters, parameter

NOTEBOOK = "01_demo"


class Demo(SeededParameters):
    epochs: int = parameter(10, "Passes over the training data.", unit="epochs", ge=1, le=500)
    learning_rate: float = parameter(1e-3, "Step size of Adam.", gt=0, le=1)
    method: Literal["ntkd", "kd", "none"] = parameter("ntkd", "How the student is taught.")
    widths: list[int] = parameter([64, 32], "Hidden units a layer.", unit="units", min_length=1, max_length=5)
    tune: bool = parameter(True, "Whether the temperature is tuned.")
    label: str = parameter("plain", "Name of the run.", min_length=1)
    share: float | None = parameter(None, "Share of the images.", ge=0, le=1)


EPOCHS = "whole number from 1 to 500 [epochs]"
RATE = "number above 0 and at most 1"
METHOD = "one of ntkd, kd, none"
WIDTHS = "list of whole numbers, at least 1 item, at most 5 items [units]"
SEED = "whole number from 0 to 2147483647 or null"
SEEDS = "list of whole numbers from 0 to 2147483647, at least 1 item, at most 1000 items, all different"
LABEL = "text, at least 1 character"
SHARE = "number from 0 to 1 or null"
NAMES = "tier, seeds, seed, epochs, learning_rate, method, widths, tune, label, share"


def make_project(root, monkeypatch):
    """Make a project whose cpu tier has 20 epochs and whose smoke tier has one seed; return its folder."""
    monkeypatch.setenv("NTKD_ROOT", str(root))
    folder = root / "notebooks" / "params"
    folder.mkdir(parents=True)
    (folder / "cpu.yaml").write_text(f"{NOTEBOOK}:\n  epochs: 20\n02_other:\n  depth: 3\n")
    (folder / "smoke.yaml").write_text(f"{NOTEBOOK}:\n  seeds: [0]\n")
    return folder


def refused(overrides):
    with pytest.raises(ParameterError) as caught:
        load_parameters(Demo, NOTEBOOK, "cpu", overrides)
    return str(caught.value)


def named(cases):
    """Name cases by number and beginning: some inputs are too long for a test's name."""
    return [f"{index}:{ascii(case[0])[1:25]}" for index, case in enumerate(cases)]


def unknown(name, value, nearest):
    near = f"; nearest: {nearest}" if nearest else ""
    return f"unknown parameter {name} = {value}{near}; allowed: {NAMES}"
