"""Per-sample Jacobians: by torch.func for nearly any network, or by a loop of plain autograd."""

from collections.abc import Collection

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.func import jacrev, vmap

from ntkd_lib.ntk.functional import call_with, located, plain_operations, readable, split_parameters, unmoved


def jacobian(
    model: nn.Module, inputs: Shaped[Tensor, "n ..."], names: Collection[str] | None = None
) -> Float[Tensor, "n c p"]:
    """Compute the Jacobian ``J[n, c] = d f_c(x_n) / d theta`` over the trainable parameters.

    Source: NTKD paper, Eq. 6.
    """
    moving, rest = split_parameters(model, names)

    def output(parameters: dict[str, Tensor], sample: Tensor) -> Tensor:
        return call_with(model, (parameters, rest), (sample[None],))[0]

    with located(model):
        rows = vmap(jacrev(output), in_dims=(None, 0))(moving, inputs)
        flat = [row.reshape(*row.shape[:2], row.shape[2:].numel()) for row in rows.values()]
    return torch.cat([real_values(row) for row in flat], dim=2)


def looped_jacobian(
    model: nn.Module, inputs: Shaped[Tensor, "n ..."], names: Collection[str] | None = None
) -> Float[Tensor, "n c p"]:
    """Compute the same Jacobian slowly, each sample run alone, by one backward pass per logit.

    Differentiable if gradients are enabled; complex parameters count as two real ones.
    """
    parameters = list(split_parameters(model, names, hooks=True)[0].values())
    samples = []
    for sample in inputs.split(1):
        logits = single_logits(model, sample)
        graph = {"retain_graph": True, "create_graph": torch.is_grad_enabled(), "materialize_grads": True}
        directions = torch.eye(len(logits)).to(logits)
        rows = [torch.autograd.grad(logits, parameters, e, **graph) for e in directions]
        samples.append(torch.stack([torch.cat([flat_gradient(g) for g in row]) for row in rows]))
    return torch.stack(samples)


@torch.enable_grad()
def single_logits(model: nn.Module, sample: Shaped[Tensor, "1 ..."]) -> Float[Tensor, " c"]:
    """Run one sample alone."""
    with plain_operations(), unmoved(model):
        return model(readable(model, sample if sample.requires_grad else sample.detach()))[0]


def flat_gradient(gradient: Shaped[Tensor, "..."]) -> Float[Tensor, " p"]:
    """Flatten a gradient that may be sparse or complex into real numbers."""
    return real_values((gradient.to_dense() if gradient.is_sparse else gradient).flatten())


def real_values(values: Tensor) -> Tensor:
    """Split complex numbers into two real ones along the last axis."""
    return torch.view_as_real(values.resolve_conj()).flatten(-2) if values.is_complex() else values
