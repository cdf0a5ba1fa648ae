"""Training of one network shape on many problems at once."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ntkd_lib.chapters.overfitting.problems import (
    INPUTS,
    GridSetting,
    Network,
    Schedule,
    Sizes,
    draw,
    fit_roles,
    label_change,
    trained_on,
)
from ntkd_lib.lab import CellResult, derive_seed, deterministic, keep_freed_memory
from ntkd_lib.lab.work import work
from ntkd_lib.spectral.stacked import Loss, StackedNets, squared_error, stacked_nets, train_stacked

_GROUP = 2_000_000  # activations in memory at once: more would not fit a processor's cache
SPLITS = ("train", "validation", "test")


def _cost(
    network: Network, settings: Sequence[GridSetting], sizes: Sizes, schedule: Schedule, **_: Any
) -> float:
    """Estimate the seconds of fits from the number of multiplications."""
    weights = sum(a * b for a, b in pairwise([INPUTS, *network.widths, 1]))
    return 0.5 + 2e-10 * weights * sizes.rows * schedule.epochs * len(fit_roles(settings))


@work(cost=_cost)
def train(
    seed: int, network: Network, settings: list[GridSetting], sizes: Sizes, schedule: Schedule
) -> CellResult:
    """Train a network for each of `fit_roles`; return its outputs at the checkpoints, in label units."""
    deterministic(seed)
    torch.set_flush_denormal(True)  # Adam's averages of gradients that have died out
    keep_freed_memory()
    size = max(1, _GROUP // (sizes.rows * sum(network.widths)))
    fits = [(settings[place], role) for place, role in fit_roles(settings)]
    groups = [fits[i : i + size] for i in range(0, len(fits), size)]
    parts = [_train_group(seed, network, group, sizes, schedule) for group in groups]
    arrays = {split: np.concatenate([part[split] for part in parts]) for split in SPLITS}
    return CellResult({"epochs": schedule.times}, arrays)


def _train_group(
    seed: int, network: Network, fits: list[tuple[GridSetting, str]], sizes: Sizes, schedule: Schedule
) -> dict[str, np.ndarray]:
    samples = [draw(setting.problem, sizes, seed) for setting, _ in fits]
    labels = [
        sample.y + label_change(sample.y, seed) if role == "perturbed" else sample.y
        for (_, role), sample in zip(fits, samples, strict=True)
    ]
    mask = _stack(trained_on(role, sizes.rows, seed) for _, role in fits)
    mean, spread = (_stack([[getattr(s.y, name)()] for s in samples]) for name in ("mean", "std"))
    parts = zip(*[(s.x, s.x_validation, s.x_test) for s in samples], strict=True)
    inputs = [_stack(list(part)) for part in parts]  # in the order of `SPLITS`
    starts = [_start(seed, network, setting, sizes.rows) for setting, _ in fits]
    nets = stacked_nets(samples[0].x.shape[1], network.widths, 1, starts)
    loss = squared_error((_stack(labels) - mean) / spread, mask)
    decay = torch.tensor([setting.decay for setting, _ in fits])
    outputs = train_checkpoints(nets, loss, inputs, schedule, decay if decay.any() else None)
    return {
        split: torch.stack([each[:, :, 0] * spread + mean for each in course], dim=1).numpy()
        for split, course in zip(SPLITS, zip(*outputs, strict=True), strict=True)
    }


def train_checkpoints(
    nets: StackedNets, loss: Loss, inputs: Sequence[Tensor], schedule: Schedule, decay: Tensor | None = None
) -> list[tuple[Tensor, ...]]:
    """Train networks on the first inputs; return their outputs on all inputs at each checkpoint."""
    times = set(schedule.times)
    outputs: list[tuple[Tensor, ...]] = []

    @torch.no_grad()
    def checkpoint(epoch: int) -> None:
        if epoch in times:
            outputs.append(tuple(nets(each) for each in inputs))

    speed = {"lr": schedule.rate, "falling": schedule.falling, "decay": decay}
    train_stacked(nets, loss, inputs[0], schedule.epochs, **speed, checkpoint=checkpoint)
    return outputs


def _start(seed: int, network: Network, setting: GridSetting, rows: int) -> int:
    """Derive the seed of a network's initial weights; refits of a setting share it."""
    problem = setting.problem
    drawn = (problem.target, problem.noise, problem.kind, setting.decay)
    return derive_seed("net", seed, list(network.widths), rows, *drawn)


def _stack(arrays: Iterator[np.ndarray] | list[Any]) -> Tensor:
    return torch.tensor(np.stack([np.asarray(array) for array in arrays]), dtype=torch.float32)
