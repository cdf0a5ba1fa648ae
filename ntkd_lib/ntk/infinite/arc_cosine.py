"""The dual functions of the ReLU: moments of two correlated Gaussian values after a ReLU."""

import math
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

ROUNDINGS = 8  # within which of 1 or -1 a cosine counts as that; all others are stretched by as much


class Kappas(NamedTuple):
    """Arc-cosine kernels of cosines."""

    zero: Float[Tensor, "*s"]  # order 0, of the ReLU's slope
    one: Float[Tensor, "*s"]  # order 1, of the ReLU


class Moments(NamedTuple):
    """Second moments of a ReLU and its slope under a Gaussian."""

    values: Float[Tensor, "n m"]  # ``E[relu(u) relu(v)]``
    slopes: Float[Tensor, "n m"]  # ``E[relu'(u) relu'(v)]``


def kappas(cosine: Float[Tensor, "*s"]) -> Kappas:
    """Evaluate the arc-cosine kernels of order 0 and 1.

    ``kappa_0 = (pi - a) / pi`` and ``kappa_1 = (sin a + (pi - a) cos a) / pi`` with ``a = arccos(cosine)``,
    both 1 at cosine 1 and 0 at -1; ``kappa_1' = kappa_0``. Cosines beyond or within a few roundings of
    1 and -1 count as these. There the slope of ``kappa_0`` is infinite and 0 is given in its place: it is
    the mean over the two sides from which two inputs can part.

    Source: Cho and Saul (2009), Eq. 6.

    >>> kappas(torch.tensor([-1.0, 0.0, 1.0])).zero
    tensor([0.0000, 0.5000, 1.0000])
    """
    return Kappas(*_ArcCosine.apply(cosine))


class _ArcCosine(torch.autograd.Function):
    """Both kernels with few temporary values, and their slopes without the infinities that would cancel."""

    generate_vmap_rule = True

    @staticmethod
    def forward(cosine: Tensor) -> tuple[Tensor, Tensor]:
        end = _end(cosine)
        cosine = cosine.clamp(-end, end).mul_(1 / end)
        # The angle from both sine and cosine is exact at small angles too, and cheaper than the arccosine.
        sine = _sine(cosine)
        zero = torch.atan2(sine, cosine).mul_(-1 / math.pi).add_(1)
        return zero, sine.mul_(1 / math.pi).add_(cosine.mul_(zero))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(*inputs, output[0])

    @staticmethod
    def backward(ctx: Any, slope0: Tensor, slope1: Tensor) -> Tensor:
        cosine, zero = ctx.saved_tensors
        inside = cosine.abs() < _end(cosine)
        sine = _sine(torch.where(inside, cosine, 0))
        return torch.where(inside, slope0 / (math.pi * sine), 0) + slope1 * zero


def _end(cosine: Tensor) -> float:
    return 1 - ROUNDINGS * torch.finfo(cosine.dtype).eps


def _sine(cosine: Tensor) -> Tensor:
    return ((1 - cosine) * (1 + cosine)).sqrt()


def relu_moments(
    covariance: Float[Tensor, "n m"], variance1: Float[Tensor, " n"], variance2: Float[Tensor, " m"]
) -> Moments:
    """Compute the second moments of a ReLU and its slope for pairs of Gaussian values of mean 0.

    ``E[relu(u) relu(v)] = sqrt(var u var v) kappa_1 / 2`` and ``E[relu'(u) relu'(v)] = kappa_0 / 2`` at the
    correlation of ``u`` and ``v``. A value of variance 0 counts as uncorrelated with all others.

    Source: Cho and Saul (2009); Jacot, Gabriel, Hongler (2018), Sec. 4.
    """
    scale = _root(variance1)[:, None] * _root(variance2)
    zero, one = kappas(covariance / scale)
    return Moments(scale * one / 2, zero / 2)


def _root(variance: Tensor) -> Tensor:
    return variance.clamp_min(torch.finfo(variance.dtype).tiny).sqrt()
