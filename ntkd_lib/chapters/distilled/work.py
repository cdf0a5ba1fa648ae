"""Cells of notebook 06: images, network, the exact kernel, methods with fewer points, and scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from ntkd_lib.data.load import LabelledImages, load
from ntkd_lib.data.torchvision import import_torchvision
from ntkd_lib.distill.training import Images, Schedule, converged, fit
from ntkd_lib.dntk import distil_images, fit_per_class, predict_per_class
from ntkd_lib.dntk.costs import NetworkCosts, network_costs, solution
from ntkd_lib.dntk.ledger import Cost, Ledger, Stopwatch
from ntkd_lib.lab import CellResult, Record, derive_seed, deterministic
from ntkd_lib.lab.work import Data, work
from ntkd_lib.nets.efficientnet_lite import IMAGENETTE, pretrained_efficientnet_lite0
from ntkd_lib.nets.two_convolutions import compact_cnn
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.kinds import Kind
from ntkd_lib.ntk.regression import fit_ridge, predict

VALIDATION, BATCH = 500, 64
SPEED, IMAGENETTE_SPEED = (2e-3, 1e-3), (1e-3, 5e-2)  # learning rate, weight decay
WEIGHTS = "weights."
# Regression on the network's logits, which have no noise, takes the ridge that a reproduction of the paper
# reports. Ridges are shares of the mean diagonal, the same for every method.
LOGIT_RIDGE = 1e-4
MEMORY = {"cpu": 2**30, "cuda": 2**34}  # bytes for the tiles of a kernel
OTHER_RIDGE = 10.0  # times the ridge

Targets = Mapping[str, Float[Tensor, "n c"]]
Predict = Callable[[Tensor, float], Tensor]


@dataclass(frozen=True)
class ImageSource:
    """Numbers of training and test images that a seed draws, and their device."""

    images: int
    tests: int
    device: Literal["cpu", "cuda"] = "cpu"
    shared: bool = False  # one draw for all seeds, no image held out for validation


@dataclass(frozen=True)
class ImageSplit:
    """Training, validation and test images of one seed, with intensities in [0, 1]."""

    images: Float[Tensor, "n _ _ _"]
    labels: Int[Tensor, " n"]
    held_images: Float[Tensor, "v _ _ _"]
    held_labels: Int[Tensor, " v"]
    test_images: Float[Tensor, "t _ _ _"]
    test_labels: Int[Tensor, " t"]


def load_split(data: Data, seed: int, source: ImageSource, *, validation: bool = False) -> ImageSplit:
    """Fix all seeds and load the images of a seed; with `validation` no test image is returned."""
    train, test = (load(data.name, part, expect=data.sha256) for part in ("train", "test"))
    draw = derive_seed("dntk", data.name, 0 if source.shared else seed)
    generator = torch.Generator().manual_seed(draw)
    order = torch.randperm(len(train), generator=generator)
    held = 0 if source.shared else min(VALIDATION, len(order) // 10)
    count = min(source.images, len(order) - held)
    chosen = torch.randperm(len(test), generator=generator)[: source.tests]
    deterministic(seed)
    fitted, held_out = (_select(train, rows, source) for rows in order[: count + held].split([count, held]))
    return ImageSplit(*fitted, *held_out, *(held_out if validation else _select(test, chosen, source)))


def _select(data: LabelledImages, rows: Int[Tensor, " m"], source: ImageSource) -> tuple[Tensor, Tensor]:
    return data.images[rows].to(source.device).float() / 255, data.labels[rows].to(source.device)


def build_network(data: str) -> nn.Module:
    """Build the network of a data set: a compact CNN, or for Imagenette a ResNet-18."""
    if data == "imagenette":
        return import_torchvision().models.resnet18(num_classes=10).eval()
    if data == "cifar-10":
        return compact_cnn(3, 32, filters=(12, 16), hidden=220).eval()
    return compact_cnn().eval()


@work(cost=lambda **_: 10)
def network(data: Data, seed: int, *, source: ImageSource, epochs: int) -> CellResult:
    """Train the network whose tangent kernel is distilled, and test it once."""
    split = load_split(data, seed, source)
    model = build_network(data.name).to(source.device)
    curve = train_on(model, split.images, split.labels, split, data.name, epochs)
    guess = logits_of(model, split.test_images).argmax(1)
    values = {
        "accuracy": percent_equal(guess, split.test_labels),
        "curve": curve,
        "converged": converged(curve),
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    return CellResult(values, {f"{WEIGHTS}{k}": v.cpu().numpy() for k, v in model.state_dict().items()})


def restore_published(device: str) -> nn.Module:
    """Load the published network for the classes of Imagenette, its values laid out channels last."""
    return pretrained_efficientnet_lite0(IMAGENETTE).to(device, memory_format=torch.channels_last)


def train_on(
    model: nn.Module, images: Tensor, labels: Tensor, split: ImageSplit, data: str, epochs: int
) -> list[float]:
    """Train a network in place, and list its validation accuracy in percent, twice per epoch."""
    everything = Images(torch.cat([images, split.held_images]), torch.cat([labels, split.held_labels]))
    rows = torch.arange(len(everything.labels), device=labels.device)
    (rate, decay), shift = (IMAGENETTE_SPEED, 8) if data == "imagenette" else (SPEED, 0)
    return fit(
        model,
        everything,
        rows[: len(labels)],
        rows[len(labels) :],
        lambda net, batch: cross_entropy(net(batch.images), batch.labels),
        Schedule(epochs, BATCH, lr=rate, weight_decay=decay, shift=shift),
    )


def restore_network(record: Record, data: str, device: str = "cpu") -> nn.Module:
    """Rebuild a trained network from its record, in evaluation mode."""
    if "published" in record.values:
        return restore_published(device)
    model = build_network(data)
    arrays = {k.removeprefix(WEIGHTS): v for k, v in record.arrays.items() if k.startswith(WEIGHTS)}
    model.load_state_dict({name: torch.tensor(values) for name, values in arrays.items()})
    return model.to(device).eval()


@torch.no_grad()
def logits_of(model: nn.Module, images: Tensor) -> Tensor:
    """Compute logits of images, some at a time."""
    return torch.cat([model(part) for part in images.split(250)])


def percent_equal(guess: Tensor, truth: Tensor) -> float:
    """Compute the percentage of entries that are equal."""
    return 100 * (guess == truth).double().mean().item()


def to_numpy(values: Tensor) -> np.ndarray:
    """Convert a tensor to an array of a record."""
    return values.detach().to(torch.float32).cpu().numpy()


@work(cost=lambda source, per_class, steps, **_: (0.4 if source.shared else 0.005) * per_class * steps)
def distilled_images(
    data: Data, seed: int, *, source: ImageSource, per_class: int, steps: int, network: Record
) -> CellResult:
    """Distil images of each class by feature matching, stage 1 of the pipeline."""
    split = load_split(data, seed, source)
    model = restore_network(network, data.name, source.device)
    stopwatch = Stopwatch(source.device)
    with stopwatch.measure():
        distilled = distil_images(
            model, split.images, split.labels, per_class=per_class, steps=steps, seed=seed
        )
    losses = [*distilled.losses[:1], *distilled.losses[-1:]]
    values = {"steps": steps, "distillation_seconds": stopwatch.seconds, "losses": losses}
    arrays = {"images": to_numpy(distilled.images), "labels": distilled.labels.cpu().numpy()}
    return CellResult(values, arrays)


def restore_images(record: Record, device: str) -> tuple[Float[Tensor, "m _ _ _"], Int[Tensor, " m"]]:
    """Read distilled images and their labels from a record."""
    images, labels = (torch.tensor(record.arrays[name], device=device) for name in ("images", "labels"))
    return images, labels


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
    ) -> Comparison:
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

    def predict_by(self, theta: Tensor, cross: Tensor, targets: Targets) -> dict[str, Float[Tensor, "t c"]]:
        """Fit every target and predict, by a kernel per class `(c, m, m)` or one for all classes."""
        if theta.ndim == 2:
            return self.predict(targets, lambda y, ridge: shared(theta, cross, y, ridge))
        return self.predict(targets, lambda y, r: predict_per_class(cross, fit_per_class(theta, y, r)))

    def support(self, images: Record) -> tuple[Float[Tensor, "m _ _ _"], Targets]:
        """Restore distilled images and compute their targets."""
        support, labels = restore_images(images, self.device)
        return support, targets_of(logits_of(self.model, support), labels)

    def time_kernels(
        self, images: Tensor, kind: Kind = "per_class"
    ) -> tuple[tuple[Tensor, Tensor], tuple[float, float]]:
        """Compute the kernels of a support, and the seconds that they take, in all and per query."""
        with self.stopwatch.measure():
            theta = self.kernel(images, kind=kind)
        seconds = self.stopwatch.seconds
        with self.stopwatch.measure():
            cross = self.kernel(self.split.test_images, images, kind=kind)
        return (theta, cross), (seconds, self.stopwatch.seconds / len(self.split.test_labels))

    def regress(
        self,
        method: str,
        images: Tensor,
        targets: Targets,
        before: Mapping[str, Cost] | None = None,
        kind: Kind = "per_class",
    ) -> tuple[Tensor, Tensor]:
        """Run kernel regression on a support, and score it."""
        kernels, seconds = self.time_kernels(images, kind)
        self.score(method, kernels, seconds, targets, before)
        return kernels

    def score(
        self,
        method: str,
        kernels: tuple[Tensor, Tensor],
        seconds: tuple[float, float],
        targets: Targets,
        before: Mapping[str, Cost] | None = None,
    ) -> None:
        """Score kernel regression; the kernels took so many seconds, in all and per query."""
        (theta, cross), costs, stopwatch = kernels, self.costs, self.stopwatch
        count = cross.shape[-1]
        built = (costs.jacobian(count) + costs.kernel(count)).timed(seconds[0])
        query = (costs.jacobian(1) + costs.kernel(1, count)).timed(seconds[1])
        with stopwatch.measure():
            predictions = self.predict_by(theta, cross, targets)
        solved = solution(count, theta[..., 0, 0].numel()).timed(stopwatch.seconds / len(targets))
        stages = {**(before or {}), "tangent kernel": built, "regression": solved}
        self.scores.add(method, count, predictions, Ledger(stages, query))

    def distillation(self, images: Record) -> Mapping[str, Cost]:
        """Count the costs of distilled images, as a stage."""
        passes = self.costs.distillation(len(images.arrays["labels"]) * images.values["steps"])
        cost = self.costs.passes(len(self.split.labels)) + passes
        return {"distillation of images": cost.timed(images.values["distillation_seconds"])}


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
