"""Ranks of per-class kernels by number of points: before and after training, and after distillation."""

from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkd_lib.chapters.distilled.work import (
    ImageSource,
    build_network,
    load_split,
    restore_images,
    restore_network,
)
from ntkd_lib.dntk.exact import SomeLogits
from ntkd_lib.dntk.rank import effective_rank, truncation_rank
from ntkd_lib.lab import CellResult, Record, deterministic
from ntkd_lib.lab.work import Data, work
from ntkd_lib.ntk.empirical import empirical_ntk

SIZES = (10, 20, 50, 100, 200)
POOL = 12  # times the largest size: so many images hold enough of each of ten classes


@work(cost=lambda **_: 10)
def ranks(data: Data, seed: int, *, source: ImageSource, network: Record, images: Record) -> CellResult:
    """Measure ranks and condition numbers of each class's kernel on its points, by state and number."""
    most = min(SIZES[-1], source.images // 10)
    split = load_split(data, seed, replace(source, images=POOL * most))
    deterministic(seed)
    initial = build_network(data.name).to(source.device)
    trained = restore_network(network, data.name, source.device)
    support, classes = restore_images(images, source.device)
    rows = []
    for state, model in (("initial", initial), ("trained", trained)):
        kernels = _by_class(model, split.images, split.labels, most)
        smallest = min(len(kernel) for kernel in kernels)
        rows += [rank_row(state, n, [k[:n, :n] for k in kernels]) for n in SIZES if n <= smallest]
    count = len(support) // len(classes.unique())
    rows += [
        rank_row("distilled", count, _by_class(trained, support, classes, count)),
        rank_row("real", count, _by_class(trained, split.images, split.labels, count)),
    ]
    return CellResult({"rows": rows})


@torch.no_grad()
def _by_class(model: nn.Module, images: Tensor, labels: Tensor, most: int) -> list[Float[Tensor, "m m"]]:
    return [
        empirical_ntk(
            SomeLogits(model, slice(c, c + 1)), images[labels == c][:most], kind="trace", tile="auto"
        ).double()
        for c in labels.unique().tolist()
    ]


def rank_row(state: str, size: int, kernels: list[Tensor]) -> dict[str, Any]:
    """Measure the spectra of all classes' kernels on so many points."""
    spectra = [torch.linalg.eigvalsh(kernel) for kernel in kernels]
    conditions = [(s[-1] / s[0].clamp(min=1e-12 * s[-1])).log10().item() for s in spectra]
    by_class = [truncation_rank(spectrum) for spectrum in spectra]
    return {
        "state": state,
        "size": size,
        "by_class": by_class,
        "truncation": sum(by_class) / len(by_class),
        "effective": sum(effective_rank(s) for s in spectra) / len(spectra),
        "log_condition": sum(conditions) / len(conditions),
    }
