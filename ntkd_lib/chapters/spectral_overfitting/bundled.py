"""Cells on the two small real tables: diabetes (regression) and digits (classification)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import RidgeCV
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax, softmax

from ntkd_lib.chapters.spectral_overfitting.networks import checkpoints
from ntkd_lib.data.tables import load_table
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.seeds import derive_seed, deterministic
from ntkd_lib.spectral.basis import Basis, eigenbasis
from ntkd_lib.spectral.fit import fit_outputs
from ntkd_lib.spectral.kernels import gaussian_kernels
from ntkd_lib.spectral.stacked import Loss, StackedNets, squared_error, stacked_nets, train_stacked

WIDTHS = (64, 32)
TEMPERATURES = (1.0, 2.0, 4.0, 8.0, 16.0)
SOFT = 0.9  # weight of the teacher's soft labels
_SHARES = (0.55, 0.15)  # of all samples: training, validation


@dataclass(frozen=True)
class Training:
    """How networks are trained.

    Attributes:
        epochs: Full-batch steps of Adam.
        rate: Learning rate.
    """

    epochs: int
    rate: float


@dataclass(frozen=True)
class Parts:
    """A table split at random; inputs are standardised by the training part.

    Attributes:
        x: Inputs of training, validation and test.
        y: Labels of the same.
    """

    x: tuple[np.ndarray, np.ndarray, np.ndarray]
    y: tuple[np.ndarray, np.ndarray, np.ndarray]


def split(name: str, seed: int) -> Parts:
    """Split a table."""
    table = load_table(name)
    order = np.random.default_rng(derive_seed("split", name, seed)).permutation(len(table.y))
    ends = np.cumsum([round(share * len(order)) for share in _SHARES])
    rows = np.split(order, ends)
    train = table.x[rows[0]]
    spread = np.where(train.std(axis=0) > 0, train.std(axis=0), 1)
    return Parts(
        tuple((table.x[part] - train.mean(axis=0)) / spread for part in rows),
        tuple(table.y[part] for part in rows),
    )


def diabetes(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Distil a network that predicts the course of diabetes, at the end and at its best validation epoch.

    Args:
        arguments: ``seed``, ``epochs``, ``rate``, ``sha256`` of the table.

    Returns:
        Test RMSE of each predictor, and effective parameters of the students.
    """
    del needs
    parts = split("diabetes", arguments["seed"])
    deterministic(arguments["seed"])
    epochs, outputs = _regression(parts, _training(arguments), arguments["seed"])
    errors = [_rmse(held, parts.y[1]) for _, held, _ in outputs]
    best, bases = int(np.argmin(errors)), _bases(parts)
    rows = {"network": _rmse(outputs[-1][2], parts.y[2]), "stopped": _rmse(outputs[best][2], parts.y[2])}
    fits = {"network": outputs[-1][0], "stopped": outputs[best][0], "labels": parts.y[0]}
    effective = {}
    for name, targets in fits.items():
        fit = fit_outputs(bases, targets[:, None])
        rows[f"{name}_student"] = _rmse(fit.predict(parts.x[2])[:, 0], parts.y[2])
        effective[name] = fit.effective_parameters
    linear = RidgeCV(np.geomspace(1e-2, 1e4, 25)).fit(parts.x[0], parts.y[0])
    rows["linear"] = _rmse(linear.predict(parts.x[2]), parts.y[2])
    return CellResult({"rmse": rows, "effective": effective, "stopped_epoch": epochs[best]})


def digits(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Distil a network that reads digits, by GCV and by softened labels.

    Temperature is chosen on validation data, as is the epoch of every network.

    Args:
        arguments: ``seed``, ``epochs``, ``rate``, ``sha256`` of the table.

    Returns:
        ``accuracy`` on the test, percent, of each predictor; ``agreement`` with the teacher, percent;
        ``effective`` parameters of the spectral student, ``stored`` numbers, chosen ``temperature``; array
        ``differs``: where teacher and spectral student name different test digits.
    """
    del needs
    parts = split("digits", arguments["seed"])
    deterministic(arguments["seed"])
    seed, training = arguments["seed"], _training(arguments)
    labels = torch.tensor(parts.y[0]).long()
    start = [derive_seed("digits", "teacher", seed)]
    teacher = _best(_classify(parts, _hard(labels), training, start), parts)[0]
    logits = torch.tensor(teacher[0])
    temperatures = torch.tensor(TEMPERATURES)
    starts = [derive_seed("digits", "student", seed)] * (len(TEMPERATURES) + 1)
    students = _best(_classify(parts, _soft(labels, logits, temperatures), training, starts), parts)
    scores = [_accuracy(outputs[1], parts.y[1]) for outputs in students[1:]]
    chosen = 1 + int(np.argmax(scores))
    bases = _bases(parts)
    spectral = fit_outputs(bases, _centred(teacher[0]))
    ridge = fit_outputs(bases, np.eye(10)[labels])
    guesses = {
        "teacher": teacher[2],
        "spectral": spectral.predict(parts.x[2]),
        "ridge_labels": ridge.predict(parts.x[2]),
        "labels": students[0][2],
        "kd": students[chosen][2],
    }
    same = {name: 100 * float((g.argmax(1) == teacher[2].argmax(1)).mean()) for name, g in guesses.items()}
    values = {
        "accuracy": {name: _accuracy(guess, parts.y[2]) for name, guess in guesses.items()},
        "agreement": same,
        "effective": spectral.effective_parameters,
        "stored": spectral.stored_size,
        "temperature": TEMPERATURES[chosen - 1],
    }
    return CellResult(values, {"differs": guesses["spectral"].argmax(1) != teacher[2].argmax(1)})


def _regression(
    parts: Parts, training: Training, seed: int
) -> tuple[list[int], list[tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """Train one network and give its outputs on the three parts at each checkpoint."""
    mean, spread = parts.y[0].mean(), parts.y[0].std()
    targets = torch.tensor((parts.y[0] - mean) / spread, dtype=torch.float32)[None]
    loss = squared_error(targets, torch.ones_like(targets))
    times = checkpoints(training.epochs, 16)
    found = _trained(parts, 1, loss, training, times, [derive_seed("diabetes", seed)])
    return times, [tuple(mean + spread * part[0, :, 0] for part in outputs) for outputs in found]


def _training(arguments: Mapping[str, Any]) -> Training:
    return Training(arguments["epochs"], arguments["rate"])


def _classify(
    parts: Parts, loss: Loss, training: Training, seeds: Sequence[int]
) -> list[tuple[np.ndarray, ...]]:
    return _trained(parts, 10, loss, training, checkpoints(training.epochs, 12), seeds)


def _trained(
    parts: Parts, outputs: int, loss: Loss, training: Training, times: Sequence[int], seeds: Sequence[int]
) -> list[tuple[np.ndarray, ...]]:
    """Train networks on the training part and give their outputs on the three parts at each checkpoint."""
    x = [torch.tensor(part, dtype=torch.float32).expand(len(seeds), *part.shape) for part in parts.x]
    nets = stacked_nets(parts.x[0].shape[1], WIDTHS, outputs, seeds)
    kept = []

    def checkpoint(epoch: int) -> None:
        if epoch in times:
            kept.append(tuple(_outputs(nets, part) for part in x))

    train_stacked(nets, loss, x[0], training.epochs, lr=training.rate, checkpoint=checkpoint)
    return kept


@torch.no_grad()
def _outputs(nets: StackedNets, x: Tensor) -> np.ndarray:
    return nets(x).double().numpy()


def _best(kept: list[tuple[np.ndarray, ...]], parts: Parts) -> list[tuple[np.ndarray, ...]]:
    """Take each replicate's outputs at its best checkpoint by validation accuracy, the latest of equals."""
    scores = np.array([[_accuracy(held, parts.y[1]) for held in outputs[1]] for outputs in kept])
    last = len(kept) - 1 - scores[::-1].argmax(axis=0)
    return [tuple(part[i] for part in kept[place]) for i, place in enumerate(last)]


def _hard(labels: Tensor) -> Loss:
    return lambda outputs: torch.stack([cross_entropy(each, labels) for each in outputs])


def _soft(labels: Tensor, logits: Tensor, temperatures: Tensor) -> Loss:
    """Give labels alone to the first replicate, and one temperature to each of the others."""
    soft = softmax(logits.float() / temperatures[:, None, None], dim=2)

    def loss(outputs: Tensor) -> Tensor:
        hard = torch.stack([cross_entropy(each, labels) for each in outputs])
        logarithms = log_softmax(outputs[1:] / temperatures[:, None, None], dim=2)
        softened = -(soft * logarithms).sum(2).mean(1) * temperatures**2
        return torch.cat([hard[:1], SOFT * softened + (1 - SOFT) * hard[1:]])

    return loss


def _bases(parts: Parts) -> list[Basis]:
    return [eigenbasis(kernel, parts.x[0]) for kernel in gaussian_kernels(parts.x[0])]


def _centred(logits: np.ndarray) -> np.ndarray:
    return logits - logits.mean(axis=1, keepdims=True)


def _accuracy(outputs: np.ndarray, labels: np.ndarray) -> float:
    return 100 * float((outputs.argmax(axis=1) == labels).mean())


def _rmse(guess: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(((guess - truth) ** 2).mean()))
