"""The two small real tables: diabetes (regression) and digits (classification)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import RidgeCV
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax, softmax

from ntkd_lib.chapters.overfitting.problems import Schedule, rmse
from ntkd_lib.chapters.overfitting.work import train_checkpoints
from ntkd_lib.data.tables import load_table
from ntkd_lib.lab import CellResult, derive_seed, deterministic
from ntkd_lib.lab.work import work
from ntkd_lib.spectral.basis import Basis, eigenbasis
from ntkd_lib.spectral.fit import fit_outputs
from ntkd_lib.spectral.kernels import gaussian_kernels
from ntkd_lib.spectral.stacked import Loss, squared_error, stacked_nets

WIDTHS = (64, 32)
TEMPERATURES = (1.0, 2.0, 4.0, 8.0, 16.0)
SOFT = 0.9  # weight of the teacher's soft labels
_SHARES = (0.55, 0.15)  # of all samples: training, validation
Outputs = tuple[np.ndarray, np.ndarray, np.ndarray]  # on training, validation and test inputs


@dataclass(frozen=True)
class TableSplit:
    """Inputs `x` and labels `y` of training, validation and test, standardised by the training inputs."""

    x: Outputs
    y: Outputs

    @property
    def bases(self) -> list[Basis]:
        """Compute the eigenbases on the training inputs."""
        return [eigenbasis(kernel, self.x[0]) for kernel in gaussian_kernels(self.x[0])]


def split_table(name: str, seed: int) -> TableSplit:
    """Split a table at random."""
    table = load_table(name)
    order = np.random.default_rng(derive_seed("split", name, seed)).permutation(len(table.y))
    rows = np.split(order, np.cumsum([round(share * len(order)) for share in _SHARES]))
    train = table.x[rows[0]]
    spread = np.where(train.std(axis=0) > 0, train.std(axis=0), 1)
    x = tuple((table.x[part] - train.mean(axis=0)) / spread for part in rows)
    return TableSplit(x, tuple(table.y[part] for part in rows))


@work(cost=lambda **_: 3.0)
def score_diabetes(seed: int, epochs: int, rate: float, sha256: str) -> CellResult:
    """Distil a network that predicts the course of diabetes, at the end and at its best validation epoch."""
    split, schedule = _load_split("diabetes", sha256, seed), Schedule(epochs, rate, checkpoints=16)
    mean, spread = split.y[0].mean(), split.y[0].std()
    targets = torch.tensor((split.y[0] - mean) / spread, dtype=torch.float32)[None]
    loss = squared_error(targets, torch.ones_like(targets))
    trained = _train(split, 1, loss, schedule, [derive_seed("diabetes", seed)])
    outputs = [tuple(mean + spread * part[0, :, 0] for part in parts) for parts in trained]
    best = int(np.argmin([rmse(held, split.y[1]) for _, held, _ in outputs]))
    at = {"network": outputs[-1], "stopped": outputs[best]}
    errors = {name: rmse(test, split.y[2]) for name, (_, _, test) in at.items()}
    effective, bases = {}, split.bases
    fitted = {name: train for name, (train, _, _) in at.items()} | {"labels": split.y[0]}
    for name, targets in fitted.items():
        fit = fit_outputs(bases, targets[:, None])
        errors[f"{name}_student"] = rmse(fit.predict(split.x[2])[:, 0], split.y[2])
        effective[name] = fit.effective_parameters
    linear = RidgeCV(np.geomspace(1e-2, 1e4, 25)).fit(split.x[0], split.y[0])
    errors["linear"] = rmse(linear.predict(split.x[2]), split.y[2])
    return CellResult({"rmse": errors, "effective": effective, "stopped_epoch": schedule.times[best]})


@work(cost=lambda **_: 3.0)
def score_digits(seed: int, epochs: int, rate: float, sha256: str) -> CellResult:
    """Distil a classifier of digits by GCV and by soft labels; epochs and temperature by validation data."""
    split, schedule = _load_split("digits", sha256, seed), Schedule(epochs, rate, checkpoints=12)
    labels = torch.tensor(split.y[0]).long()
    start = [derive_seed("digits", "teacher", seed)]
    teacher = _best(_train(split, 10, _hard(labels), schedule, start), split)[0]
    temperatures = torch.tensor(TEMPERATURES)
    starts = [derive_seed("digits", "student", seed)] * (len(TEMPERATURES) + 1)
    loss = _soft(labels, torch.tensor(teacher[0]), temperatures)
    students = _best(_train(split, 10, loss, schedule, starts), split)
    scores = [_accuracy(outputs[1], split.y[1]) for outputs in students[1:]]
    chosen, bases = 1 + int(np.argmax(scores)), split.bases
    spectral = fit_outputs(bases, teacher[0] - teacher[0].mean(axis=1, keepdims=True))
    guesses = {
        "teacher": teacher[2],
        "spectral": spectral.predict(split.x[2]),
        "ridge_labels": fit_outputs(bases, np.eye(10)[labels]).predict(split.x[2]),
        "labels": students[0][2],
        "kd": students[chosen][2],
    }
    same = {name: guess.argmax(1) == teacher[2].argmax(1) for name, guess in guesses.items()}
    values = {
        "accuracy": {name: _accuracy(guess, split.y[2]) for name, guess in guesses.items()},
        "agreement": {name: 100 * float(each.mean()) for name, each in same.items()},
        "effective": spectral.effective_parameters,
        "stored": spectral.stored_size,
        "temperature": TEMPERATURES[chosen - 1],
    }
    return CellResult(values, {"differs": ~same["spectral"]})


def _load_split(name: str, sha256: str, seed: int) -> TableSplit:
    if load_table(name).sha256 != sha256:
        raise ValueError(f"{name}: the table at hand is not the planned one, {sha256[:12]}")
    split = split_table(name, seed)
    deterministic(seed)
    return split


def _train(
    split: TableSplit, outputs: int, loss: Loss, schedule: Schedule, seeds: Sequence[int]
) -> list[Outputs]:
    """Train networks on the training part; return outputs on the three parts at each checkpoint."""
    x = [torch.tensor(part, dtype=torch.float32).expand(len(seeds), *part.shape) for part in split.x]
    nets = stacked_nets(split.x[0].shape[1], WIDTHS, outputs, seeds)
    course = train_checkpoints(nets, loss, x, schedule)
    return [tuple(part.double().numpy() for part in parts) for parts in course]


def _best(checkpoints: list[Outputs], split: TableSplit) -> list[Outputs]:
    """Select each replicate's outputs at its best checkpoint by validation accuracy, the latest of equals."""
    scores = np.array([[_accuracy(held, split.y[1]) for held in outputs[1]] for outputs in checkpoints])
    last = len(checkpoints) - 1 - scores[::-1].argmax(axis=0)
    return [tuple(part[i] for part in checkpoints[place]) for i, place in enumerate(last)]


def _hard(labels: Tensor) -> Loss:
    return lambda outputs: torch.stack([cross_entropy(each, labels) for each in outputs])


def _soft(labels: Tensor, logits: Tensor, temperatures: Tensor) -> Loss:
    """Build the losses of one replicate on labels alone and one per temperature."""
    soft = softmax(logits.float() / temperatures[:, None, None], dim=2)

    def loss(outputs: Tensor) -> Tensor:
        hard = _hard(labels)(outputs)
        logarithms = log_softmax(outputs[1:] / temperatures[:, None, None], dim=2)
        softened = -(soft * logarithms).sum(2).mean(1) * temperatures**2
        return torch.cat([hard[:1], SOFT * softened + (1 - SOFT) * hard[1:]])

    return loss


def _accuracy(outputs: np.ndarray, labels: np.ndarray) -> float:
    return 100 * float((outputs.argmax(axis=1) == labels).mean())
