"""Errors of sketches against their stated variance, entry by entry."""

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.chapters.distilled.work import ImageSource, load_split, restore_network
from ntkd_lib.dntk.ledger import Stopwatch
from ntkd_lib.dntk.projection import GaussianProjection
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.work import Data, work
from ntkd_lib.ntk import KroneckerSketch, SparseSketch
from ntkd_lib.ntk.contraction import jacobian
from ntkd_lib.ntk.sketches.stream import Sketch, sketched_features

IMAGES, SIZE = 4, 16
SKETCHES: Mapping[str, Callable[[int], Sketch]] = {
    "Gaussian": lambda seed: GaussianProjection(SIZE, seed),
    "sparse": lambda seed: SparseSketch(SIZE, seed=seed),
    "Kronecker": lambda seed: KroneckerSketch(SIZE, seed=seed),
}
SHARE = 20.0  # Chebyshev: an error above sqrt(20) standard deviations comes in at most 5 % of draws


@work(cost=lambda **_: 10)
def sketch_errors(data: Data, seed: int, *, source: ImageSource, draws: int, network: Record) -> CellResult:
    """Draw every sketch many times and compare per-class kernels of a few images with the exact ones."""
    images = load_split(data, seed, source).images[:IMAGES]
    model = restore_network(network, data.name, source.device)
    gradients = jacobian(model, images, [name for name, _ in model.named_parameters()]).detach().double()
    stopwatch = Stopwatch(source.device)
    rows = []
    for name, make in SKETCHES.items():
        with stopwatch.measure():
            errors = [_error(sketched_features(model, images, make(n)), gradients) for n in range(draws)]
        row = _row(torch.stack(errors), stated_variance(gradients, name))
        rows.append({"sketch": name, **row, "seconds": stopwatch.seconds})
    return CellResult({"rows": rows})


def stated_variance(gradients: Float[Tensor, "n c p"], name: str) -> Float[Tensor, "c n n"]:
    """Compute the variance that a sketch states for an entry ``g . h`` of a per-class kernel, or its bound.

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
