"""Activations of coordinate networks, each with its slope in closed form."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkd_lib.nets.sine import Sine

Values = Float[Tensor, "n d"]


class Gauss(nn.Module):
    """``exp(-(scale x)^2 / 2)`` with an inverse width.

    Source: Ramasinghe and Lucey (2022), Sec. 4.

    >>> Gauss(2.0)(torch.tensor([[0.0, 0.5]])).log()
    tensor([[ 0.0000, -0.5000]])
    """

    def __init__(self, scale: float = 10.0) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Values) -> Values:
        """Apply it to every value."""
        return torch.exp(-0.5 * (self.scale * x).square())


class Finer(nn.Module):
    """``sin(omega (|x| + 1) x)``: a sine whose frequency grows with the bias.

    Source: Liu et al. (2024), Eq. 6.
    """

    def __init__(self, omega: float = 30.0) -> None:
        super().__init__()
        self.omega = omega

    def forward(self, x: Values) -> Values:
        """Apply it to every value."""
        return torch.sin(self.omega * (x.abs() + 1) * x)


class Gabor(nn.Module):
    """``cos(omega x) exp(-(scale x)^2)`` with an inverse width: the real part of WIRE's complex wavelet.

    Source: Saragadam et al. (2023), Eq. 4.
    """

    def __init__(self, omega: float = 10.0, scale: float = 10.0) -> None:
        super().__init__()
        self.omega, self.scale = omega, scale

    def forward(self, x: Values) -> Values:
        """Apply it to every value."""
        return torch.cos(self.omega * x) * torch.exp(-(self.scale * x).square())


def _sine(module: Sine, z: Values) -> tuple[Values, Values]:
    if module.omega != 1:
        return torch.sin(module.omega * z), torch.cos(module.omega * z).mul_(module.omega)
    slope = z.cos()
    return z.sin_(), slope


def _relu(module: nn.ReLU, z: Values) -> tuple[Values, Values]:  # noqa: ARG001
    return z.relu(), (z > 0).to(z.dtype)


def _gauss(module: Gauss, z: Values) -> tuple[Values, Values]:
    value = module(z)
    return value, value * z * -(module.scale**2)


def _finer(module: Finer, z: Values) -> tuple[Values, Values]:
    inner = module.omega * (z.abs() + 1) * z
    return inner.sin(), inner.cos() * (module.omega * (2 * z.abs() + 1))


def _gabor(module: Gabor, z: Values) -> tuple[Values, Values]:
    envelope = torch.exp(-(module.scale * z).square())
    value = torch.cos(module.omega * z) * envelope
    slope = torch.sin(module.omega * z) * envelope * -module.omega
    return value, slope.addcmul_(value, z, value=-2 * module.scale**2)


_SLOPES: dict[type[nn.Module], Callable[..., tuple[Tensor, Tensor]]] = {
    Sine: _sine,
    nn.ReLU: _relu,
    Gauss: _gauss,
    Finer: _finer,
    Gabor: _gabor,
}


def has_slope(module: nn.Module) -> bool:
    """Check that the slope of an activation is defined here: its exact type, without trained parameters."""
    return type(module) in _SLOPES and not module._parameters


def value_and_slope(module: nn.Module, z: Values) -> tuple[Values, Values]:
    """Compute an activation and its derivative; the arguments may be overwritten.

    Raises:
        TypeError: An activation whose slope is not defined.
    """
    if not has_slope(module):
        allowed = ", ".join(kind.__name__ for kind in _SLOPES)
        raise TypeError(f"the slope of {type(module).__name__} is not known; allowed: {allowed}")
    return _SLOPES[type(module)](module, z)
