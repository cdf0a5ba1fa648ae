"""Fully connected ReLU networks of infinite width."""

import torch
from jaxtyping import Shaped
from torch import Tensor

from ntkd_lib.ntk.infinite.arc_cosine import relu_moments
from ntkd_lib.ntk.infinite.kernels import Kernels, check_samples, check_spread, symmetrised


def dense_kernels(
    x1: Shaped[Tensor, "..."],
    x2: Shaped[Tensor, "..."] | None = None,
    *,
    depth: int,
    weight_std: float = 2**0.5,
    bias_std: float = 0.0,
    dtype: torch.dtype = torch.float64,
) -> Kernels:
    """Compute the kernels of an infinitely wide fully connected ReLU network.

    In the tangent-kernel parameterisation a layer is ``h' = s_w W relu(h) / sqrt(m) + s_b b`` with fan-in
    ``m`` and ``W, b ~ N(0, 1)``, the first one without the ReLU. From ``K = T = s_w^2 x.x' / d + s_b^2``
    each hidden layer makes

    ``K <- s_w^2 E[relu relu] + s_b^2``, then ``T <- K + s_w^2 E[relu' relu'] T``.

    The standard parameterisation draws ``W ~ N(0, s_w^2 / m)`` and multiplies with nothing: the same ``K``,
    but a layer's weights count ``m / s_w^2`` times and its biases ``1 / s_b^2`` times as much in ``T``, which
    then grows with the width. PyTorch's own start has ``s_w^2 = 1/3`` and biases of variance ``1 / (3 m)``.

    Source: Lee et al. (2018), Eq. 5; Jacot, Gabriel, Hongler (2018), Theorem 1.

    Args:
        x1: First batch, ``(n, d)``.
        x2: Second batch, ``(m, d)``; None for ``x1`` itself, and then the result is exactly symmetric.
        depth: Number of hidden layers; 0 for a linear model.
        weight_std: ``s_w``.
        bias_std: ``s_b``.
        dtype: Type of computation, float64 or float32.

    Raises:
        ValueError: Shapes that do not fit, values that are not finite, a negative depth.

    >>> dense_kernels(torch.eye(2), depth=1).nngp * torch.pi  # kappa_1 of a right angle is 1 / pi
    tensor([[3.1416, 1.0000],
            [1.0000, 3.1416]], dtype=torch.float64)
    """
    check_samples(x1, x2, 2, "(samples, values)")
    check_spread(weight_std, bias_std, dtype)
    if depth < 0:
        raise ValueError(f"depth: got {depth}, needs at least 0 hidden layers")
    a, scale, shift = x1.to(dtype), weight_std**2, bias_std**2
    b = a if x2 is None else x2.to(dtype)
    nngp = ntk = scale * (a @ b.T) / a.shape[1] + shift
    variances = [nngp.diagonal()] * 2  # read off, so that the cosine of a sample with itself is 1
    if x2 is not None:
        variances = [scale * x.square().mean(1) + shift for x in (a, b)]
    for _ in range(depth):
        moments = relu_moments(nngp, *variances)
        nngp = scale * moments.values + shift
        ntk = nngp + scale * moments.slopes * ntk
        variances = [scale * v / 2 + shift for v in variances]
    if not ntk.isfinite().all():
        raise ValueError(f"x1: its products are too large for {dtype}; divide the samples, or use float64")
    kernels = Kernels(nngp, ntk)
    return symmetrised(kernels) if x2 is None else kernels
