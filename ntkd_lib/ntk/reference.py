"""Slow and obvious twins: one backward pass for each sample and class, in float64, for tests."""

import copy

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn


def reference_jacobian(model: nn.Module, inputs: Shaped[Tensor, "n ..."]) -> Float[Tensor, "n c p"]:
    """Compute the Jacobian in float64 by a loop over samples and classes."""
    twin = copy.deepcopy(model).double()
    parameters = [p for p in twin.parameters() if p.requires_grad]
    samples = []
    for sample in inputs.double() if inputs.is_floating_point() else inputs:
        logits = twin(sample[None])[0]
        rows = [torch.autograd.grad(f, parameters, retain_graph=True, materialize_grads=True) for f in logits]
        samples.append(torch.stack([torch.cat([g.flatten() for g in row]) for row in rows]))
    return torch.stack(samples)


def reference_ntk(
    model: nn.Module, x1: Shaped[Tensor, "n ..."], x2: Shaped[Tensor, "m ..."] | None = None
) -> Float[Tensor, "n m c c"]:
    """Compute the full tangent kernel in float64, entry by entry."""
    left = reference_jacobian(model, x1)
    right = left if x2 is None else reference_jacobian(model, x2)
    entries = [[[[a @ b for b in y] for a in x] for y in right] for x in left]
    return torch.tensor(entries, dtype=torch.float64)
