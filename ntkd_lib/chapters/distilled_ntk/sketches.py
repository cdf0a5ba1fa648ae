"""Cells that hold the errors of sketches against their stated bounds, draw by draw."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.chapters.distilled_ntk.network import restore_network
from ntkd_lib.chapters.distilled_ntk.setting import prepare
from ntkd_lib.dntk.ledger import Clock
from ntkd_lib.dntk.projection import GaussianProjection
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.ntk.contraction import jacobian
from ntkd_lib.ntk.sketches.kronecker import KroneckerSketch
from ntkd_lib.ntk.sketches.sparse import SparseSketch
from ntkd_lib.ntk.sketches.stream import Sketch, sketched_features

IMAGES, SIZE = 4, 16
SKETCHES: Mapping[str, Callable[[int], Sketch]] = {
    "Gaussian": lambda seed: GaussianProjection(SIZE, seed),
    "sparse": lambda seed: SparseSketch(SIZE, seed=seed),
    "Kronecker": lambda seed: KroneckerSketch(SIZE, seed=seed),
}
SHARE = 20.0  # Chebyshev: an error above sqrt(20) standard deviations comes in at most 5 % of draws


def draw(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Draw every sketch many times and compare the per-class kernels of a few images with the exact ones.

    Args:
        arguments: What `prepare` takes, and ``draws``.

    Returns:
        ``rows``: sketch, mean squared error over the stated variance (worst and mean over pairs of images
        and classes), mean error over its standard error, share of errors beyond the Chebyshev bound of 5 %,
        seconds a draw and image.
    """
    setting = prepare(arguments)
    model = restore_network(needs["network"], arguments)
    images = setting.images[:IMAGES]
    names = [name for name, _ in model.named_parameters()]
    gradients = jacobian(model, images, names).detach().double()
    rows = []
    for name, make in SKETCHES.items():
        clock = Clock(arguments["device"])
        with clock.measure():
            errors = torch.stack(
                [
                    _error(sketched_features(model, images, make(seed)), gradients)
                    for seed in range(arguments["draws"])
                ]
            )
        rows.append(
            {"sketch": name, **_row(errors, stated_variance(gradients, name)), "seconds": clock.seconds}
        )
    return CellResult({"rows": rows, "size": SIZE, "images": IMAGES})


def stated_variance(gradients: Float[Tensor, "n c p"], name: str) -> Float[Tensor, "c n n"]:
    """Give the variance that a sketch states for an entry ``g . h`` of a per-class kernel, or its bound.

    Gaussian: ``(|g|^2 |h|^2 + (g . h)^2) / k``; sparse: less ``2 sum_i g_i^2 h_i^2 / k``; Kronecker with
    blocks of one: at most ``4 (|g|^2 |h|^2 + (g . h)^2) / k`` for gradients of one position.
    """
    columns = gradients.transpose(0, 1)
    inner = columns @ columns.mT
    squares = inner.diagonal(dim1=1, dim2=2)
    dense = (squares[:, :, None] * squares[:, None] + inner.square()) / SIZE
    if name == "sparse":
        return dense - 2 * columns.square() @ columns.square().mT / SIZE
    return 4 * dense if name == "Kronecker" else dense


def _error(features: Tensor, gradients: Tensor) -> Float[Tensor, "c n n"]:
    one, other = features.double().transpose(0, 1), gradients.transpose(0, 1)
    return one @ one.mT - other @ other.mT


def _row(errors: Float[Tensor, "d c n n"], variance: Float[Tensor, "c n n"]) -> dict[str, float]:
    ratios = errors.square().mean(0) / variance
    drift = errors.mean(0) / (variance / len(errors)).sqrt()
    beyond = (errors.square() > SHARE * variance).double().mean()
    return {
        "mean_ratio": ratios.mean().item(),
        "worst_ratio": ratios.max().item(),
        "drift": drift.abs().mean().item(),
        "beyond": 100 * beyond.item(),
        "draws": len(errors),
    }
