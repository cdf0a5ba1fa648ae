"""What tests of random features share: a small network, and statistics over draws."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.kinds import contract, finish
from ntkd_lib.ntk.sketches.stream import Sketch, sketched_features


def small_setting(n: int = 3) -> tuple[nn.Module, Tensor, Tensor]:
    """Give a network with a convolution, a normalisation and dense layers; samples; their kernel."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 2),
        nn.GroupNorm(2, 2),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(18, 5),
        nn.Tanh(),
        nn.Linear(5, 2),
    ).double()
    x = torch.randn(n, 1, 4, 4).double()
    return model, x, empirical_ntk(model, x).detach()


def gram(features: Tensor) -> Tensor:
    """Give the full kernel that features stand for."""
    return finish(contract(features, features, "full"), "full").detach()


def assert_unbiased(found: Tensor, exact: Tensor) -> None:
    """Check that the mean over draws lies within four standard errors of the truth, in every entry."""
    error = found.std(0) / len(found) ** 0.5
    assert len(found) >= 200
    assert ((found.mean(0) - exact).abs() <= 4 * error + 1e-12).all()


class Together:
    """Several draws of a sketch, applied in one pass, their features side by side."""

    def __init__(self, sketches: list[Sketch]) -> None:
        self.sketches, self.size = sketches, sum(sketch.size for sketch in sketches)

    def whole(self, *args: object) -> Tensor:
        return torch.cat([sketch.whole(*args) for sketch in self.sketches], 2)

    def lookup(self, *args: object) -> Tensor:
        return torch.cat([sketch.lookup(*args) for sketch in self.sketches], 2)

    def outer(self, *args: object) -> Tensor:
        return torch.cat([sketch.outer(*args) for sketch in self.sketches], 2)


def grams(model: nn.Module, x: Tensor, draw: Callable[[int], Sketch], draws: int = 200) -> Tensor:
    """Give the kernels of many draws of a sketch."""
    sketches = [draw(seed) for seed in range(draws)]
    features = sketched_features(model, x, Together(sketches))
    return torch.stack([gram(part) for part in features.split(sketches[0].size, dim=2)])


def exponent(sizes: list[int], errors: Callable[[int], Tensor]) -> float:
    """Fit the power of the size with which the root mean squared error over draws falls."""
    x = torch.tensor(sizes).log()
    y = torch.stack([errors(size).square().sum((1, 2, 3, 4)).mean().log() for size in sizes]).float() / 2
    x = x - x.mean()
    return float((x * y).sum() / x.square().sum())
