"""Cells that train one network a sampler on one signal, in turn and from the same start."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ntkd_lib.chapters.nint_speedup.subject import make_signal, quality_of, restored
from ntkd_lib.inr.network import wrap
from ntkd_lib.inr.networks import build
from ntkd_lib.inr.signals import Signal
from ntkd_lib.inr.training import DivergedError, TrainingRun, race, race_for_time
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.memory import keep_freed_memory
from ntkd_lib.lab.seeds import derive_seed, deterministic


def run(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Train all entrants of a race, in blocks in turn.

    Args:
        arguments: ``subject``, ``sha256``, ``seed``, ``device``, ``network`` (name, width, hidden),
            ``entrants`` (name, module, settings, lr, share), ``steps``, ``every``, ``windows`` (ends of the
            spans whose visits are counted) and ``leader`` (name of the one whose time all get, or None).
        needs: ``signal``, where a cell has made it.

    Returns:
        For each entrant its curve; arrays of visits and last residuals of each where windows are given.
    """
    deterministic(arguments["seed"])
    keep_freed_memory()
    signal = _signal(arguments, needs)
    visits: dict[str, np.ndarray] = {}
    fits = {e["name"]: _fit(arguments, e, signal, visits) for e in arguments["entrants"]}
    stopped = _start(arguments, fits)
    curves = {name: _curve(fit) | {"stopped": stopped.get(name, "")} for name, fit in fits.items()}
    arrays = {f"visits.{name}": counts for name, counts in visits.items()}
    if arguments["windows"]:
        for name, fit in fits.items():
            found = fit.network.predict(signal.coordinates)
            arrays[f"found.{name}"] = found.cpu().numpy().astype(np.float32)
    return CellResult({"curves": curves, "points": len(signal.values)}, arrays)


def _signal(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> Signal:
    if "signal" in needs:
        made = needs["signal"]
        return restored(made.arrays["values"], made.values["shape"]).to(arguments["device"])
    return make_signal(arguments["subject"], arguments["sha256"]).to(arguments["device"])


def _start(arguments: Mapping[str, Any], fits: Mapping[str, TrainingRun]) -> dict[str, str]:
    """Run the race; an entrant whose loss is no number leaves it, which stays visible."""
    names = list(fits)
    try:
        if arguments["leader"]:
            race_for_time(list(fits.values()), names.index(arguments["leader"]), arguments["steps"])
        else:
            race(list(fits.values()), arguments["steps"])
    except DivergedError as error:
        return {name: str(error) for name, fit in fits.items() if fit.step < arguments["steps"]}
    return {}


def _fit(
    arguments: Mapping[str, Any], entrant: Mapping[str, Any], signal: Signal, visits: dict[str, np.ndarray]
) -> TrainingRun:
    """Set up one training; network and draws depend on the seed alone."""
    seed, spec = arguments["seed"], arguments["network"]
    torch.manual_seed(derive_seed("nint", "network", seed))
    inputs, outputs = len(signal.shape), signal.values.shape[1]
    net = build(spec["name"], inputs, outputs, spec["width"], spec["hidden"]).to(arguments["device"])
    sampler = importlib.import_module(f"ntkd_lib.inr.samplers.{entrant['module']}").build(
        signal,
        _batch(entrant, len(signal.values)),
        derive_seed("nint", "draws", seed),
        **entrant["settings"],
    )
    watch = _counter(arguments["windows"], visits, entrant["name"], len(signal.values))
    quality = quality_of(signal, arguments["subject"]["kind"])
    return TrainingRun(wrap(net), signal, sampler, entrant["lr"], arguments["every"], quality, watch)


def _batch(entrant: Mapping[str, Any], count: int) -> int:
    return count if entrant["module"] == "full" else max(1, int(entrant["share"] * count))


def _counter(windows: list[int], visits: dict[str, np.ndarray], name: str, count: int) -> Any:
    """Count how often each point is seen in each span of steps."""
    if not windows:
        return None
    counts = visits[name] = np.zeros((len(windows), count), np.uint16)

    def watch(step: int, indices: Tensor) -> None:
        span = sum(step >= end for end in windows[:-1])
        counts[span, indices.cpu().numpy()] += 1

    return watch


def _curve(fit: TrainingRun) -> dict[str, Any]:
    fields = ("step", "quality", "cpu", "wall", "forwards")
    return {name: [getattr(point, name) for point in fit.curve] for name in fields}
