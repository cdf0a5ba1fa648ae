"""Errors of features against the kernel that they approximate, measured on some samples."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.kinds import Kind, contract, finish


@dataclass(frozen=True)
class SketchError:
    """Errors of ``phi phi'`` on a random subset of samples, free of the kernel's unit."""

    frobenius: float  # ``|phi phi' - Theta|_F / |Theta|_F``
    largest: float  # largest error of an entry over the largest entry of ``Theta``
    samples: int


@torch.no_grad()
def sketch_error(
    model: nn.Module,
    x: Shaped[Tensor, "n ..."],
    features: Float[Tensor, "m c k"],
    *,
    subset: int = 64,
    seed: int = 0,
    kind: Kind = "full",
) -> SketchError:
    """Measure features against the exact kernel of a random subset of their samples.

    Args:
        subset: Samples to draw, or all if there are fewer.
        kind: Kind of kernel that the features are for.

    Raises:
        ValueError: Features of another number of samples, or an empty subset.
    """
    if len(features) != len(x):
        raise ValueError(f"features: got {len(features)} rows for {len(x)} samples, needs one a sample")
    if subset < 1:
        raise ValueError(f"subset: got {subset}, needs at least 1 sample")
    rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:subset].to(x.device)
    chosen = features[rows.to(features.device)]
    exact = empirical_ntk(model, x[rows], kind=kind, tile="auto")
    rest = finish(contract(chosen, chosen, kind), kind).to(exact) - exact
    return SketchError(
        (rest.norm() / exact.norm()).item(), (rest.abs().max() / exact.abs().max()).item(), len(rows)
    )
