"""Cells of notebook 06: the exact kernel, methods with fewer points or cheaper kernels, and scores."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import one_hot

from ntkd_lib.chapters.distilled.inputs import (
    ImageSource,
    ImageSplit,
    build_network,
    load_split,
    logits_of,
    percent_equal,
    restore_images,
    restore_network,
    train_on,
)
from ntkd_lib.dntk.costs import NetworkCosts, network_costs, solution
from ntkd_lib.dntk.ledger import Cost, Ledger, Stopwatch
from ntkd_lib.dntk.regression import fit_per_class, predict_per_class
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.work import Data, work
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.kinds import Kind
from ntkd_lib.ntk.regression import fit_ridge, predict

# Regression on the network's logits, which have no noise, takes the ridge that a reproduction of the paper
# reports. Ridges are shares of the mean diagonal, the same for every method.
LOGIT_RIDGE = 1e-4
MEMORY = {"cpu": 2**30, "cuda": 2**34}  # bytes for the tiles of a kernel
OTHER_RIDGE = 10.0  # times the ridge

Targets = Mapping[str, Float[Tensor, "n c"]]
Predict = Callable[[Tensor, float], Tensor]


def targets_of(logits: Float[Tensor, "n c"], labels: Int[Tensor, " n"]) -> dict[str, Float[Tensor, "n c"]]:
    """Collect the targets of regression: the network's logits, and centred labels."""
    classes = logits.shape[1]
    return {"logits": logits.double(), "labels": one_hot(labels, classes).double() - 1 / classes}


def shared(
    theta: Float[Tensor, "m m"], cross: Float[Tensor, "t m"], targets: Float[Tensor, "m c"], ridge: float
) -> Float[Tensor, "t c"]:
    """Predict with one kernel for all classes."""
    scale = theta.diagonal().double().mean().item()
    return predict(cross, fit_ridge((theta + theta.T) / 2, targets, ridge * scale))


@dataclass
class Scores:
    """Scores on the same test images: one row per method, size and target, and predicted classes."""

    labels: Int[Tensor, " t"]
    logits: Float[Tensor, "t c"]
    rows: list[dict[str, Any]] = field(default_factory=list)
    guesses: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, method: str, size: int, predictions: Targets, ledger: Ledger) -> None:
        """Score one method."""
        costs = {"build": {k: asdict(v) for k, v in ledger.build.items()}, "query": asdict(ledger.query)}
        for target, values in predictions.items():
            guess = values.argmax(1)
            error = (values - self.logits).square().mean().item() if target == "logits" else None
            self.rows.append(
                {
                    "method": method,
                    "size": size,
                    "target": target,
                    "accuracy": percent_equal(guess, self.labels),
                    "fidelity": percent_equal(guess, self.logits.argmax(1)),
                    "squared_error": error,
                    "ledger": costs,
                }
            )
            self.guesses[f"{method}/{size}/{target}"] = guess.cpu().numpy().astype(np.uint8)

    def result(self, arrays: Mapping[str, np.ndarray] | None = None, **values: Any) -> CellResult:
        """Build the result of a cell."""
        return CellResult({"rows": self.rows, **values}, {**self.guesses, **(arrays or {})})


@dataclass(frozen=True)
class Comparison:
    """Network, counted costs, and targets with their relative ridges, shared by compared methods."""

    model: nn.Module
    split: ImageSplit
    costs: NetworkCosts
    targets: Targets
    scores: Scores
    ridges: Mapping[str, float]
    stopwatch: Stopwatch
    device: str

    @classmethod
    def open(
        cls,
        data: Data,
        seed: int,
        source: ImageSource,
        network: Record,
        label_ridge: float,
        *,
        validation: bool = False,
    ) -> "Comparison":
        """Restore the network and load the images of a seed."""
        split = load_split(data, seed, source, validation=validation)
        model = restore_network(network, data.name, source.device)
        return cls(
            model,
            split,
            network_costs(model, split.images[:1]),
            targets_of(logits_of(model, split.images), split.labels),
            Scores(split.test_labels, logits_of(model, split.test_images).double()),
            {"logits": LOGIT_RIDGE, "labels": label_ridge},
            Stopwatch(source.device),
            source.device,
        )

    @torch.no_grad()
    def kernel(self, images: Tensor, others: Tensor | None = None, kind: Kind = "per_class") -> Tensor:
        """Compute the network's tangent kernel, tile by tile."""
        memory = MEMORY[self.device]
        return empirical_ntk(self.model, images, others, kind=kind, tile="auto", memory=memory)

    def select(self, rows: Int[Tensor, " m"]) -> tuple[Tensor, dict[str, Tensor]]:
        """Select some of the training images and their targets."""
        rows = rows.to(self.split.labels.device)
        return self.split.images[rows], {name: values[rows] for name, values in self.targets.items()}

    def predict(self, targets: Targets, method: Predict) -> dict[str, Float[Tensor, "t c"]]:
        """Fit every target with its ridge and predict."""
        return {name: method(values, self.ridges[name]) for name, values in targets.items()}

    def regress(
        self, method: str, images: Tensor, targets: Targets, before: Mapping[str, Cost] | None = None
    ) -> tuple[Float[Tensor, "c m m"], Float[Tensor, "c t m"]]:
        """Run per-class kernel regression on a support, and score it."""
        count, costs, stopwatch = len(images), self.costs, self.stopwatch
        with stopwatch.measure():
            theta = self.kernel(images)
        built = (costs.jacobian(count) + costs.kernel(count)).timed(stopwatch.seconds)
        with stopwatch.measure():
            cross = self.kernel(self.split.test_images, images)
        tests = len(self.split.test_labels)
        query = (costs.jacobian(1) + costs.kernel(1, count)).timed(stopwatch.seconds / tests)
        with stopwatch.measure():
            predictions = self.predict(
                targets, lambda y, ridge: predict_per_class(cross, fit_per_class(theta, y, ridge))
            )
        solved = solution(count, len(theta)).timed(stopwatch.seconds / len(targets))
        stages = {**(before or {}), "tangent kernel": built, "regression": solved}
        self.scores.add(method, count, predictions, Ledger(stages, query))
        return theta, cross

    def distillation(self, count: int, steps: int, images: Record) -> Cost:
        """Count the costs of the distilled images."""
        cost = self.costs.passes(len(self.split.labels)) + self.costs.distillation(count * steps)
        return cost.timed(images.values["distillation_seconds"])


@work(cost=lambda **_: 25)
def exact(data: Data, seed: int, *, source: ImageSource, label_ridge: float, network: Record) -> CellResult:
    """Run kernel regression on all training images; `noise` is the change by a ridge ten times larger."""
    comparison = Comparison.open(data, seed, source, network, label_ridge)
    theta, cross = comparison.regress("exact", comparison.split.images, comparison.targets)
    noise = {}
    for name, values in comparison.targets.items():
        coefficients = fit_per_class(theta, values, OTHER_RIDGE * comparison.ridges[name])
        guess = predict_per_class(cross, coefficients).argmax(1).cpu().numpy()
        same = guess == comparison.scores.guesses[f"exact/{len(values)}/{name}"]
        noise[name] = 100 * float(same.mean())
    return comparison.scores.result(noise=noise)


@work(cost=lambda **_: 12)
def distilled_base(
    data: Data,
    seed: int,
    *,
    source: ImageSource,
    label_ridge: float,
    epochs: int,
    network: Record,
    images: Record,
) -> CellResult:
    """Train a network on distilled images alone for the usual steps, and run its kernel regression."""
    comparison = Comparison.open(data, seed, source, network, label_ridge)
    support, labels = restore_images(images, comparison.device)
    model = build_network(data.name).to(comparison.device)
    steps = max(1, round(epochs * len(comparison.split.labels) / len(labels)))
    train_on(model, support, labels, comparison.split, data.name, steps)
    targets = targets_of(logits_of(model, support), labels)
    replace(comparison, model=model).regress("distilled base", support, targets)
    return comparison.scores.result()
