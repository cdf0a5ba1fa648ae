"""Random features by forward mode: derivatives of the logits along random directions of all weights."""

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import vmap

from ntkd_lib.ntk.checks import check_batches, check_model
from ntkd_lib.ntk.contraction import looped_jacobian, real_values
from ntkd_lib.ntk.empirical import find_fault, warn_slow
from ntkd_lib.ntk.functional import Parameters, call_with, located, split_parameters, tangent, unmoved
from ntkd_lib.ntk.layout import make_plan, two_samples
from ntkd_lib.ntk.network import Batch, as_network
from ntkd_lib.ntk.probe import ProbeError, check_results
from ntkd_lib.ntk.products import still_rows
from ntkd_lib.ntk.sketches.hashing import key_of, signs


def jvp_features(
    model: nn.Module, x: Batch, count: int, seed: int = 0, *, chunk: int = 8, probe: bool = True
) -> Float[Tensor, "n c k"]:
    """Compute ``phi[n, c, i] = J(x_n)[c] z_i / sqrt(k)`` for random signs ``z_i``, so ``E phi phi' = Theta``.

    One forward-mode pass a feature, for any network and any number of logits. Signs have less variance than
    normal numbers: ``(|g|^2 |h|^2 + (g . h)^2 - 2 sum_i g_i^2 h_i^2) / k`` for an entry ``g . h``.
    Differentiable with respect to the weights if gradients are enabled, and then the graph of all features
    is kept. The same seed gives the same directions for every batch.

    Source: Johnson and Lindenstrauss (1984); Achlioptas (2003), random signs.

    Args:
        x: Batch, in any form that `ntkd_lib.ntk.empirical.empirical_ntk` takes.
        count: Features ``k``.
        chunk: Directions at a time, each as large as the network.
        probe: Whether one random entry of the tangent kernel is compared with plain autograd; a loop over
            samples takes over, with a warning, if the method fails.

    Raises:
        ValueError: A count or chunk below 1, a layer that mixes samples or has no forward mode.
    """
    if count < 1:
        raise ValueError(f"count: got {count}, needs at least 1")
    if chunk < 1:
        raise ValueError(f"chunk: got {chunk}, needs at least 1 direction")
    model, x, _ = as_network(model, x, None)
    check_batches(x)
    check_model(model)
    plan = make_plan(model, two_samples(x))
    still = still_rows(plan.alone)
    error = find_fault(model, x, method="products") if probe else None
    if torch.is_grad_enabled() and (operation := plan.half_differentiable(forward=True)):
        error = ProbeError(f"forward mode: has no right gradient of features through {operation}")
    moving, rest = split_parameters(model, hooks=error is not None)
    with torch.enable_grad(), unmoved(model):  # forward mode would pass through `no_grad`
        gradients = torch.autograd.grad(model(two_samples(x)).sum(), list(moving.values()), allow_unused=True)
    still |= {name: slice(None) for name, slope in zip(moving, gradients, strict=True) if slope is None}
    derivative = partial(tangent, lambda p: call_with(model, (p, rest), (x,)), moving)
    if error is not None:
        warn_slow(error)
    parts = []
    for start in range(0, count, chunk):
        drawn = _directions(moving, still, seed, range(start, min(start + chunk, count)))
        if error is None:
            with located(model):
                parts.append(vmap(derivative)(drawn))
        else:
            flat = torch.cat([real_values(z.reshape(len(z), -1)) for z in drawn.values()], dim=1)
            parts.append(torch.stack([flat @ looped_jacobian(model, s)[0].mT for s in x.split(1)], dim=1))
    features = torch.cat(parts).permute(1, 2, 0) / count**0.5
    check_results(model, features, (x, 0))
    return features


def _directions(moving: Parameters, still: dict[str, int | slice], seed: int, which: range) -> Parameters:
    shapes = {name: torch.view_as_real(p).shape if p.is_complex() else p.shape for name, p in moving.items()}
    sizes = [shape.numel() for shape in shapes.values()]
    parts = torch.stack([signs(key_of(seed, i), (sum(sizes),)) for i in which]).split(sizes, dim=1)
    drawn = {}
    for (name, p), z in zip(moving.items(), parts, strict=True):
        real = z.reshape(len(z), *shapes[name]).to(p.device, p.real.dtype)
        drawn[name] = torch.view_as_complex(real) if p.is_complex() else real
    for name in still.keys() & drawn.keys():
        drawn[name][:, still[name]] = 0
    return drawn
