"""Cells that train one network shape on many problems at once."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ntkd_lib.chapters.spectral_overfitting.grid import label_change, trained_on
from ntkd_lib.chapters.spectral_overfitting.networks import checkpoints
from ntkd_lib.chapters.spectral_overfitting.problems import INPUTS, Problem, Sample, draw
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.memory import keep_freed_memory
from ntkd_lib.lab.seeds import derive_seed, deterministic
from ntkd_lib.spectral.stacked import StackedNets, squared_error, stacked_nets, train_stacked

_GROUP = 2_000_000  # activations that are held at once: more would not fit a processor's cache
SPLITS = ("train", "validation", "test")


def train(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Train a network for each job and keep its outputs at the checkpoints.

    Args:
        arguments: ``seed``, ``widths``, ``rows``, ``test``, ``validation``, ``epochs``, ``rate``,
            ``falling`` (whether the rate falls to zero), ``checkpoints`` (how many), ``jobs`` as `grid.jobs`
            lists them.

    Returns:
        ``epochs`` of the checkpoints; arrays ``train``, ``validation`` and ``test``: outputs in units of the
        labels, ``(jobs, checkpoints, samples)``.
    """
    del needs
    deterministic(arguments["seed"])
    torch.set_flush_denormal(True)  # Adam's averages of gradients that have died out
    keep_freed_memory()
    size = max(1, _GROUP // (arguments["rows"] * sum(arguments["widths"])))
    groups = [arguments["jobs"][i : i + size] for i in range(0, len(arguments["jobs"]), size)]
    parts = [_train_group(arguments, group) for group in groups]
    arrays = {split: np.concatenate([part[split] for part in parts]) for split in SPLITS}
    return CellResult({"epochs": checkpoints(arguments["epochs"], arguments["checkpoints"])}, arrays)


def job_sample(arguments: Mapping[str, Any], job: Mapping[str, Any]) -> Sample:
    """Draw the data of a job.

    Args:
        arguments: Of the cell.

    Returns:
        The same sample in every cell that asks for it.
    """
    problem = Problem(job["target"], job["noise"], job["kind"])
    sizes = (arguments[name] for name in ("rows", "test", "validation"))
    return draw(problem, *sizes, arguments["seed"])


def _train_group(arguments: Mapping[str, Any], jobs: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    seed, rows = arguments["seed"], arguments["rows"]
    samples = [job_sample(arguments, job) for job in jobs]
    labels = [_labels(job["role"], sample.y, seed) for job, sample in zip(jobs, samples, strict=True)]
    mask = _stack(trained_on(job["role"], rows, seed) for job in jobs)
    mean, spread = (_stack([[getattr(s.y, name)()] for s in samples]) for name in ("mean", "std"))
    inputs = {"train": _stack(s.x for s in samples), "test": _stack(s.x_test for s in samples)}
    inputs["validation"] = _stack(s.x_validation for s in samples)
    nets = stacked_nets(INPUTS, arguments["widths"], 1, [_start(arguments, job) for job in jobs])
    kept: dict[str, list[Tensor]] = {split: [] for split in SPLITS}
    wanted = set(checkpoints(arguments["epochs"], arguments["checkpoints"]))

    def checkpoint(epoch: int) -> None:
        if epoch in wanted:
            for split in SPLITS:
                kept[split].append(_outputs(nets, inputs[split]) * spread + mean)

    loss = squared_error((_stack(labels) - mean) / spread, mask)
    decay = torch.tensor([job["decay"] for job in jobs])
    decay = decay if decay.any() else None
    speed = {"lr": arguments["rate"], "falling": arguments["falling"], "decay": decay}
    train_stacked(nets, loss, inputs["train"], arguments["epochs"], **speed, checkpoint=checkpoint)
    return {split: torch.stack(outputs, dim=1).numpy() for split, outputs in kept.items()}


def _labels(role: str, y: np.ndarray, seed: int) -> np.ndarray:
    return y + label_change(y, seed) if role == "perturbed" else y


def _start(arguments: Mapping[str, Any], job: Mapping[str, Any]) -> int:
    """Seed a network's start; refits of a setting share it."""
    setting = (job["target"], job["noise"], job["kind"], job["decay"])
    return derive_seed("net", arguments["seed"], list(arguments["widths"]), arguments["rows"], *setting)


@torch.no_grad()
def _outputs(nets: StackedNets, x: Tensor) -> Tensor:
    return nets(x)[:, :, 0]


def _stack(arrays: Iterator[np.ndarray] | list[Any]) -> Tensor:
    return torch.tensor(np.stack([np.asarray(array) for array in arrays]), dtype=torch.float32)
