"""The exact empirical tangent kernel of a PyTorch network."""

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkd_lib.ntk.checks import check_model, check_request
from ntkd_lib.ntk.contraction import jacobian
from ntkd_lib.ntk.kinds import Kind, contract
from ntkd_lib.ntk.structured import (
    Factors,
    UnsupportedLayerError,
    kernel_from_factors,
    layer_factors,
)


def empirical_ntk(
    model: nn.Module,
    x1: Float[Tensor, "n ..."],
    x2: Float[Tensor, "m ..."] | None = None,
    *,
    kind: Kind = "full",
    method: str = "auto",
    tile: int | None = None,
    dtype: torch.dtype | None = None,
) -> Float[Tensor, "..."]:
    """Compute the tangent kernel ``Theta(x, x') = J(x) J(x')'`` over all trainable parameters.

    Kinds: ``full`` ``(n, m, c, c)``; ``trace`` ``(n, m)``, summed over classes (the NTKD loss's object);
    ``per_class`` ``(c, n, m)``; ``pseudo`` ``(n, m)``, the kernel of the sum of logits. Differentiable with
    respect to the parameters where gradients are enabled and ``dtype`` is None.

    Source: NTKD paper, Eq. 2 and 6-7.

    Args:
        model: Network with outputs ``(n, c)``.
        x1: First batch.
        x2: Second batch; None for ``x1`` itself, and then the result is exactly symmetric.
        kind: Kind of kernel.
        method: ``structured`` (layer by layer), ``contraction`` (whole Jacobians), or ``auto``: the first
        where
            it knows every layer.
        tile: Samples at a time on each side; None for all at once.
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
    check_request(x1, x2, kind, method, tile)
    check_model(model)
    if dtype is not None:
        model = copy.deepcopy(model).to(dtype)
        x1, x2 = x1.to(dtype), None if x2 is None else x2.to(dtype)
    rows = [_features(model, part, method) for part in x1.split(tile or len(x1))]
    columns = rows if x2 is None else [_features(model, part, method) for part in x2.split(tile or len(x2))]
    kernel = _join([[_pair(a, b, kind) for b in columns] for a in rows], kind)
    return _symmetric(kernel, kind) if x2 is None else kernel


def _features(model: nn.Module, inputs: Tensor, method: str) -> list[Factors] | Tensor:
    if method == "contraction":
        return jacobian(model, inputs)
    try:
        return layer_factors(model, inputs)
    except UnsupportedLayerError:
        if method == "structured":
            raise
        return jacobian(model, inputs)


def _pair(left: list[Factors] | Tensor, right: list[Factors] | Tensor, kind: Kind) -> Tensor:
    return contract(left, right, kind) if isinstance(left, Tensor) else kernel_from_factors(left, right, kind)


def _join(blocks: list[list[Tensor]], kind: Kind) -> Tensor:
    rows, columns = (1, 2) if kind == "per_class" else (0, 1)
    return torch.cat([torch.cat(line, dim=columns) for line in blocks], dim=rows)


def _symmetric(kernel: Tensor, kind: Kind) -> Tensor:
    if kind == "full":
        return (kernel + kernel.permute(1, 0, 3, 2)) / 2
    return (kernel + kernel.mT) / 2
