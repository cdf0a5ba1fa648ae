"""The paper's pipeline on a network that was trained on ImageNet: exact kernels in parts, and supports."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.chapters.distilled.studies.points import kernel_cosine
from ntkd_lib.chapters.distilled.studies.ranks import SIZES, rank_row
from ntkd_lib.chapters.distilled.studies.synthetic import reduce_support
from ntkd_lib.chapters.distilled.work import (
    Comparison,
    ImageSource,
    distilled_images,
    load_split,
    logits_of,
    percent_equal,
    restore_images,
    restore_network,
    restore_published,
    to_numpy,
)
from ntkd_lib.dntk.exact import PartSeconds, chain_kernels
from ntkd_lib.dntk.ledger import Cost, Ledger, Stopwatch
from ntkd_lib.lab import Cell, CellResult, Record, derive_seed
from ntkd_lib.lab.work import Data, work
from ntkd_lib.nets.efficientnet_lite import CUTS, SHA256
from ntkd_lib.ntk import SparseSketch, sketched_features
from ntkd_lib.ntk.kinds import contract

GRADIENT, PRODUCT = 0.012, 7e-5  # seconds per image, class and part, and per pair and part
RANK_POINTS = 50
DATA = "imagenette"
PARTS, HALVES = len(CUTS) + 1, ((0, 5), (5, 10))


@work(cost=lambda source, **_: 0.03 * (source.images + source.tests))
def published_network(data: Data, seed: int, *, source: ImageSource) -> CellResult:
    """Test EfficientNet-Lite0 with its published weights; the record names them and does not hold them."""
    split = load_split(data, seed, source)
    guess = logits_of(restore_published(source.device), split.test_images).argmax(1)
    return CellResult({"accuracy": percent_equal(guess, split.test_labels), "published": SHA256})


@work(cost=lambda source, classes, **_: (classes[1] - classes[0]) * _kernel_seconds(source))
def kernel_part(
    data: Data, seed: int, *, source: ImageSource, part: int, classes: tuple[int, int], network: Record
) -> CellResult:
    """Compute what one part of the network contributes to the exact kernels of all images, tests last."""
    split = load_split(data, seed, source)
    chain = restore_network(network, data.name, source.device).chain()
    images = torch.cat([split.images, split.test_images]).contiguous(memory_format=torch.channels_last)
    seconds = PartSeconds()
    theta = chain_kernels(chain, images, classes=slice(*classes), parts=[part], seconds=seconds)
    values = {"first": classes[0], "gradients": seconds.gradients, "products": seconds.products}
    return CellResult(values, {"theta": to_numpy(theta)})


def _kernel_seconds(source: ImageSource) -> float:
    count = source.images + source.tests
    return GRADIENT * count + PRODUCT * count**2 / 10


@work(cost=lambda **_: 60)
def exact_of_parts(
    data: Data, seed: int, *, source: ImageSource, label_ridge: float, network: Record, kernels: list[Record]
) -> CellResult:
    """Add up the parts of the exact kernels, run regression on all training images, and measure ranks."""
    comparison = Comparison.open(data, seed, source, network, label_ridge)
    theta = add_parts(kernels)
    n, count = len(comparison.split.labels), theta.shape[1]
    gradients, products = (
        sum(part.values[name] for part in kernels) / share
        for name, share in (("gradients", count), ("products", count**2 / 2))
    )
    seconds = (n * gradients + n**2 / 2 * products, gradients + n * products)
    comparison.score("exact", (theta[:, :n, :n], theta[:, n:, :n]), seconds, comparison.targets)
    labels = comparison.split.labels
    members = [(labels == c).nonzero()[:, 0] for c in range(len(theta))]
    sizes = [size for size in SIZES if size <= min(len(rows) for rows in members)]
    ranks = [rank_row("trained", size, own_kernels(theta, [m[:size] for m in members])) for size in sizes]
    return comparison.scores.result({"theta": to_numpy(theta)}, ranks=ranks)


def add_parts(records: list[Record]) -> Float[Tensor, "c n n"]:
    """Add up contributions to the kernels of the same classes, and put classes one after the other."""
    sums: dict[int, Tensor] = {}
    for record in records:
        first, part = record.values["first"], torch.tensor(record.arrays["theta"])
        sums[first] = sums[first].add_(part) if first in sums else part
    return torch.cat([sums[first] for first in sorted(sums)])


def own_kernels(theta: Float[Tensor, "c n n"], members: list[Tensor]) -> list[Tensor]:
    """Select each class's kernel on the points of that class."""
    return [kernel[rows][:, rows].double() for kernel, rows in zip(theta, members, strict=True)]


@work(cost=lambda source, **_: 1.4 * source.tests)
def support_kernels(
    data: Data, seed: int, *, source: ImageSource, projection: int, network: Record, images: Record
) -> CellResult:
    """Compute the kernels of distilled and test images, exactly and from projected gradients."""
    split = load_split(data, seed, source)
    model = restore_network(network, data.name, source.device)
    support, _ = restore_images(images, source.device)
    count = len(support)
    everything = torch.cat([support, split.test_images]).contiguous(memory_format=torch.channels_last)
    seconds, watch = PartSeconds(), Stopwatch(source.device)
    theta = chain_kernels(model.chain(), everything, count, seconds=seconds)
    sketch = SparseSketch(projection, seed=derive_seed("projection", seed))
    with watch.measure():
        features = sketched_features(model, everything, sketch, chunk=10)
    projected = contract(features, features[:count], "per_class")
    pairs = len(everything) * count - count**2 / 2
    values = {
        "gradients": seconds.gradients / len(everything),
        "products": seconds.products / pairs,
        "projection": watch.seconds / len(everything),
    }
    return CellResult(values, {"exact": to_numpy(theta), "projected": to_numpy(projected)})


@work(cost=lambda **_: 60)
def reduced(
    data: Data,
    seed: int,
    *,
    source: ImageSource,
    label_ridge: float,
    projection: int,
    network: Record,
    images: Record,
    kernels: Record,
) -> CellResult:
    """Run regression on distilled images, and on synthetic gradients of their projected gradients."""
    comparison = Comparison.open(data, seed, source, network, label_ridge)
    support, targets = comparison.support(images)
    count, costs, each = len(support), comparison.costs, kernels.values
    distilled = comparison.distillation(images)
    comparison.score("distilled", _halves(kernels, "exact", count), _seconds(each, count), targets, distilled)
    rows = costs.jacobian(count) + Cost(flop=2 * count * costs.classes * costs.parameters)
    built = {
        "projection": rows.timed(count * each["projection"]),
        "inner products": costs.gram(count, None, projection),
    }
    before = Ledger({**distilled, **built}, Cost(seconds=each["projection"]))
    return reduce_support(comparison, _halves(kernels, "projected", count), targets, before, seed)


def _halves(record: Record, name: str, count: int) -> tuple[Tensor, Tensor]:
    theta = torch.tensor(record.arrays[name])
    return theta[:, :count], theta[:, count:]


def _seconds(each: dict[str, float], count: int) -> tuple[float, float]:
    """Compute the seconds of a support's kernels, in all and per query."""
    products = count * each["products"]
    return count * each["gradients"] + count / 2 * products, each["gradients"] + products


@work(cost=lambda **_: 40)
def against_exact(
    data: Data,
    seed: int,
    *,
    source: ImageSource,
    label_ridge: float,
    network: Record,
    kernels: Record,
    exact: Record,
) -> CellResult:
    """Run regression on as many random images of each class, and compare both supports with all images."""
    comparison = Comparison.open(data, seed, source, network, label_ridge)
    theta, n = torch.tensor(exact.arrays["theta"]), len(comparison.split.labels)
    generator = torch.Generator().manual_seed(derive_seed("points", seed))
    order = torch.randperm(n, generator=generator)
    count = kernels.arrays["exact"].shape[2]
    labels, share = comparison.split.labels[order], count // comparison.costs.classes
    rows = torch.cat([order[labels == c][:share] for c in range(comparison.costs.classes)])
    random = theta[:, rows][:, :, rows], theta[:, n:][:, :, rows]
    comparison.score("balanced", random, _seconds(kernels.values, count), comparison.select(rows)[1])
    supports = {"distilled": _halves(kernels, "exact", count), "balanced": random}
    structure = {name: kernel_cosine(*each, theta[:, n:, n:]) for name, each in supports.items()}
    drawn = [order[labels == c][:RANK_POINTS] for c in range(len(theta))]
    real = rank_row("real", RANK_POINTS, own_kernels(theta, drawn))
    return comparison.scores.result(structure=structure, ranks=real)


@work(cost=lambda **_: 100)
def distilled_ranks(data: Data, *, source: ImageSource, network: Record, images: Record) -> CellResult:
    """Measure the ranks of each class's kernel on its distilled images."""
    chain = restore_network(network, data.name, source.device).chain()
    support, labels = restore_images(images, source.device)
    own = [
        chain_kernels(chain, support[labels == c], classes=slice(c, c + 1))[0].double()
        for c in labels.unique().tolist()
    ]
    return CellResult({"ranks": rank_row("distilled", len(own[0]), own)})


def shared_cells(parameters: Mapping[str, Any], sha256: str) -> tuple[dict[str, Any], Cell]:
    """Describe the arguments that all stages share, and the exact reference, which all seeds share."""
    source = ImageSource(parameters["images"], parameters["tests"], parameters["device"], shared=True)
    common: dict[str, Any] = {"data": Data(DATA, sha256), "source": source}
    common["network"] = published_network.cell(seed=0, **common)
    parts = [
        kernel_part.cell(part=part, classes=half, seed=0, **common)
        for part, half in product(range(PARTS), HALVES)
    ]
    exact = exact_of_parts.cell(kernels=parts, label_ridge=parameters["label_ridge"], seed=0, **common)
    return common, exact


def seed_cells(parameters: Mapping[str, Any], seed: int, sha256: str) -> dict[str, Cell]:
    """Describe the stages of one seed: distilled images, their kernels, reduction and ranks."""
    common, exact = shared_cells(parameters, sha256)
    unseeded, common = common, {**common, "seed": seed}
    ridge, size = {"label_ridge": parameters["label_ridge"]}, {"projection": parameters["projection"]}
    few, many = (
        distilled_images.cell(per_class=count, steps=parameters[steps], **common)
        for count, steps in (
            (parameters["distilled"] // 10, "distil_steps"),
            (parameters["rank_points"], "rank_steps"),
        )
    )
    kernels = support_kernels.cell(images=few, **size, **common)
    return {
        "exact": exact,
        "reduced": reduced.cell(images=few, kernels=kernels, **ridge, **size, **common),
        "against": against_exact.cell(kernels=kernels, exact=exact, **ridge, **common),
        "ranks": distilled_ranks.cell(images=many, **unseeded),
    }
