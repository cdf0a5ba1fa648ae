"""A network of the sweep: modules and parameters by name, and a forward pass written beside them."""

from collections.abc import Callable

from torch import Tensor, nn

from tests.ntk.sweep.loop import Case, Expectation

Forward = Callable[["Net", Tensor], Tensor]


class Net(nn.Module):
    """Modules and parameters by name, and a forward pass that uses them."""

    def __init__(self, forward: Forward, **parts: nn.Module | nn.Parameter) -> None:
        super().__init__()
        self.call = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self, x)


def case(
    name: str,
    forward: Forward,
    draw: Callable[[int], Tensor],
    *,
    expect: Expectation = "value",
    train: bool = False,
    **parts: Callable[[], nn.Module | nn.Parameter],
) -> Case:
    """Describe a network by its parts, each a call that makes it, and its forward pass."""

    def build() -> nn.Module:
        return Net(forward, **{name: make() for name, make in parts.items()}).train(train)

    return Case(name, build, draw, expect)
