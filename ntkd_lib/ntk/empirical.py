"""The exact empirical tangent kernel of a PyTorch network."""

import copy

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from ntkd_lib.ntk.assembly import rectangular_kernel, symmetric_kernel
from ntkd_lib.ntk.checks import check_model, check_request
from ntkd_lib.ntk.choice import MEMORY, choose_method, choose_tile
from ntkd_lib.ntk.kinds import Kind, finish
from ntkd_lib.ntk.tiles import METHODS


def empirical_ntk(
    model: nn.Module,
    x1: Shaped[Tensor, "n ..."],
    x2: Shaped[Tensor, "m ..."] | None = None,
    *,
    kind: Kind = "full",
    method: str = "auto",
    tile: int | str | None = None,
    memory: int = MEMORY,
    dtype: torch.dtype | None = None,
) -> Float[Tensor, "..."]:
    """Compute the tangent kernel ``Theta(x, x') = J(x) J(x')'`` over all trainable parameters.

    Kinds: ``full`` ``(n, m, c, c)``; ``trace`` ``(n, m)``, summed over classes (the NTKD loss's object);
    ``per_class`` ``(c, n, m)`` (the distilled kernel's object); ``pseudo`` ``(n, m)``, the kernel of the sum
    of logits. Differentiable with respect to the parameters where gradients are enabled and ``dtype`` is
    None.

    Source: NTKD paper, Eq. 2 and 6-7; methods as in Novak, Sohl-Dickstein, Schoenholz (2022).

    Args:
        model: Network with outputs ``(n, c)``.
        x1: First batch.
        x2: Second batch; None for ``x1`` itself, and then the result is exactly symmetric.
        kind: Kind of kernel.
        method: ``structured`` (parameter by parameter), ``contraction`` (whole Jacobians), ``products``
            (NTK-vector products), or ``auto``: the one that takes the fewest operations.
        tile: Samples at a time on each side: peak memory is that of a tile and the output. None for all
            at once, ``"auto"`` for as many as fit into ``memory``.
        memory: Bytes that a tile may take where ``tile`` is ``"auto"``.
        dtype: Computes in this type on a copy of the model; None keeps the model's own.

    Returns:
        The kernel.

    Raises:
        ValueError: Unknown kind or method, shapes that do not fit, a layer that mixes samples.

    >>> linear = nn.Linear(3, 1, bias=False)
    >>> x = torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]])
    >>> empirical_ntk(linear, x, kind="trace").detach()  # a linear model's kernel is X X'
    tensor([[5., 2.],
            [2., 2.]])
    """
    check_request(x1, x2, kind, method, tile, memory)
    check_model(model)
    if dtype is not None:
        model = copy.deepcopy(model).to(dtype)
        x1, x2 = _cast(x1, dtype), None if x2 is None else _cast(x2, dtype)
    if method == "auto":
        method = choose_method(model, x1, len(x1 if x2 is None else x2), kind)
    if tile == "auto":
        tile = choose_tile(model, x1, kind, method, memory)
    tiles = METHODS[method](model, kind)
    if x2 is None:
        return finish(symmetric_kernel(tiles, kind, x1, tile), kind)
    return finish(rectangular_kernel(tiles, kind, x1, x2, tile), kind)


def _cast(inputs: Tensor, dtype: torch.dtype) -> Tensor:
    return inputs.to(dtype) if inputs.is_floating_point() else inputs
