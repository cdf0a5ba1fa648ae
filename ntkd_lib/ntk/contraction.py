"""Per-sample Jacobians by torch.func: the general method, for any network."""

from collections.abc import Iterable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

from ntkd_lib.ntk.functional import located, split_parameters


def jacobian(
    model: nn.Module, inputs: Shaped[Tensor, "n ..."], names: Iterable[str] | None = None
) -> Float[Tensor, "n c p"]:
    """Give the Jacobian ``J[n, c] = d f_c(x_n) / d theta`` over the trainable parameters.

    Source: NTKD paper, Eq. 6.

    Args:
        model: Network with outputs ``(n, c)`` in which samples do not mix.
        inputs: Batch of samples.
        names: Parameters by name; None for all trainable ones.

    Returns:
        Jacobian, differentiable with respect to the parameters.
    """
    moving, rest = split_parameters(model, names)

    def output(parameters: dict[str, Tensor], sample: Tensor) -> Tensor:
        return functional_call(model, (parameters, rest), (sample[None],))[0]

    with located(model):
        rows = vmap(jacrev(output), in_dims=(None, 0))(moving, inputs)
    return torch.cat([row.reshape(*row.shape[:2], -1) for row in rows.values()], dim=2)
