"""Cells with the ranks of per-class kernels, before and after training and after distillation."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ntkd_lib.chapters.distilled_ntk.images import restore_images
from ntkd_lib.chapters.distilled_ntk.network import initial_network, restore_network
from ntkd_lib.chapters.distilled_ntk.setting import prepare
from ntkd_lib.dntk.rank import effective_rank, truncation_rank
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.ntk.empirical import empirical_ntk

SIZES = (10, 20, 50, 100, 200)
POOL = 12  # times the largest size: so many images hold enough of each of ten classes


class OneLogit(nn.Module):
    """A network's one logit, whose tangent kernel is the per-class kernel of that class."""

    def __init__(self, net: nn.Module, index: int) -> None:
        """Wrap the network."""
        super().__init__()
        self.net, self.index = net, index

    def forward(self, images: Tensor) -> Tensor:
        """Give the logit."""
        return self.net(images)[:, self.index : self.index + 1]


def measure(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Measure ranks of each class's kernel on that class's points.

    Args:
        arguments: What `prepare` takes.
        needs: ``network`` and ``many``: distilled images.

    Returns:
        ``rows``: state, points a class, truncation rank (95 % of the trace) by class and on average,
        effective rank and logarithm of the condition number on average. States: ``initial`` and ``trained``
        on real images, ``distilled``, and ``real``: as many real images as distilled ones.
    """
    most = min(SIZES[-1], arguments["images"] // 10)
    setting = prepare({**arguments, "images": POOL * most})
    trained = restore_network(needs["network"], arguments)
    made, labels = restore_images(needs["many"], arguments["device"])
    rows = []
    for state, model in (("initial", initial_network(arguments)), ("trained", trained)):
        values = _by_class(model, setting.images, setting.labels, most)
        smallest = min(len(kernel) for kernel in values)
        rows += [_row(state, size, [k[:size, :size] for k in values]) for size in SIZES if size <= smallest]
    count = len(made) // len(labels.unique())
    for state, images, classes in (("distilled", made, labels), ("real", setting.images, setting.labels)):
        rows.append(_row(state, count, _by_class(trained, images, classes, count)))
    return CellResult({"rows": rows})


@torch.no_grad()
def _by_class(model: nn.Module, images: Tensor, labels: Tensor, most: int) -> list[Tensor]:
    kernels = []
    for c in labels.unique().tolist():
        own = images[labels == c][:most]
        kernels.append(empirical_ntk(OneLogit(model, c), own, kind="trace", tile="auto").double())
    return kernels


def _row(state: str, size: int, kernels: list[Tensor]) -> dict[str, Any]:
    spectra = [torch.linalg.eigvalsh(kernel) for kernel in kernels]
    conditions = [(s[-1] / s[0].clamp(min=1e-12 * s[-1])).log10().item() for s in spectra]
    ranks = [truncation_rank(spectrum) for spectrum in spectra]
    return {
        "state": state,
        "size": size,
        "by_class": ranks,
        "truncation": sum(ranks) / len(ranks),
        "effective": sum(effective_rank(s) for s in spectra) / len(spectra),
        "log_condition": sum(conditions) / len(conditions),
    }
