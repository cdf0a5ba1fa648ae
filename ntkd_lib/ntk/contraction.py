"""Per-sample Jacobians by torch.func: the general method, for any network."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap


def jacobian(model: nn.Module, inputs: Float[Tensor, "n ..."]) -> Float[Tensor, "n c p"]:
    """Give the Jacobian ``J[n, c] = d f_c(x_n) / d theta`` over all trainable parameters.

    Source: NTKD paper, Eq. 6.

    Args:
        model: Network with outputs ``(n, c)`` in which samples do not mix.
        inputs: Batch of samples.

    Returns:
        Jacobian, differentiable with respect to the parameters.
    """
    trainable = {name: p for name, p in model.named_parameters() if p.requires_grad}
    rest = {name: p for name, p in model.named_parameters() if not p.requires_grad} | dict(
        model.named_buffers()
    )

    def output(parameters: dict[str, Tensor], sample: Tensor) -> Tensor:
        return functional_call(model, (parameters, rest), (sample[None],))[0]

    rows = vmap(jacrev(output), in_dims=(None, 0))(trainable, inputs)
    return torch.cat([row.flatten(2) for row in rows.values()], dim=2)
