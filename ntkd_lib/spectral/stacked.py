"""Many small networks trained at once: weights stacked over replicates, one batched product per layer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi

import torch
from jaxtyping import Float
from torch import Tensor

Loss = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class StackedNets:
    """ReLU networks of one shape, ``r`` replicates that share nothing.

    Attributes:
        weights: For each layer the weights ``(r, i, o)`` and the biases ``(r, 1, o)``.
    """

    weights: tuple[tuple[Tensor, Tensor], ...]

    def __call__(self, x: Float[Tensor, "r n d"]) -> Float[Tensor, "r n c"]:
        """Compute each replicate's outputs for its own inputs."""
        for weight, bias in self.weights[:-1]:
            x = torch.relu_(torch.baddbmm(bias, x, weight))
        weight, bias = self.weights[-1]
        return torch.baddbmm(bias, x, weight)

    def parameters(self) -> list[Tensor]:
        """List all tensors of weights and biases."""
        return [tensor for layer in self.weights for tensor in layer]


def stacked_nets(inputs: int, widths: Sequence[int], outputs: int, seeds: Sequence[int]) -> StackedNets:
    """Build networks, hidden layers by width, at random weights that do not depend on the other replicates.

    Weights are normal with variance ``2 / inputs`` of their layer, biases 0.

    Source: He, Zhang, Ren, Sun (2015), Eq. 10.
    """
    sizes = [inputs, *widths, outputs]
    starts = [torch.Generator().manual_seed(seed) for seed in seeds]
    layers = []
    for before, after in pairwise(sizes):
        drawn = [torch.randn(before, after, generator=start) for start in starts]
        weight = torch.stack(drawn) * (2 / before) ** 0.5
        layers.append((weight.requires_grad_(), torch.zeros(len(seeds), 1, after).requires_grad_()))
    return StackedNets(tuple(layers))


def parameter_count(inputs: int, widths: Sequence[int], outputs: int = 1) -> int:
    """Count weights and biases of one network, hidden layers by width.

    >>> [parameter_count(14, w) for w in ((32,), (16, 16), (512, 256))]
    [513, 529, 139265]
    """
    return sum((before + 1) * after for before, after in pairwise([inputs, *widths, outputs]))


def train_stacked(
    nets: StackedNets,
    loss: Loss,
    x: Float[Tensor, "r n d"],
    epochs: int,
    *,
    lr: float,
    falling: bool = False,
    decay: Float[Tensor, " r"] | None = None,
    checkpoint: Callable[[int], None] | None = None,
) -> None:
    """Train with Adam on full batches; one epoch is one step.

    Replicates share no weight, so the gradient of the sum of their losses is the gradient of each, and
    Adam works entry by entry: the result equals training one after another.

    Args:
        nets: Networks; changed in place.
        loss: Function of the outputs ``(r, n, c)`` with one loss per replicate.
        falling: Whether it falls from there to zero along a cosine.
        decay: Weight decay of each replicate, taken off the weights (not the biases) before each step.
        checkpoint: Called after each epoch with its number, from 1; None for nothing.
    """
    optimiser = torch.optim.Adam(nets.parameters(), lr=lr, fused=True)
    for epoch in range(1, epochs + 1):
        rate = lr * (1 + cos(pi * (epoch - 1) / epochs)) / 2 if falling else lr
        optimiser.param_groups[0]["lr"] = rate
        optimiser.zero_grad(set_to_none=False)
        loss(nets(x)).sum().backward()
        if decay is not None:
            _shrink(nets, rate * decay)
        optimiser.step()
        if checkpoint is not None:
            checkpoint(epoch)


@torch.no_grad()
def _shrink(nets: StackedNets, share: Tensor) -> None:
    for weight, _ in nets.weights:
        weight.mul_(1 - share[:, None, None])


def squared_error(targets: Float[Tensor, "r n"], mask: Float[Tensor, "r n"]) -> Loss:
    """Build the mean-square error, one per replicate, over the samples whose mask is 1 and not 0."""
    share = (mask / mask.sum(dim=1, keepdim=True))[:, :, None]
    return lambda outputs: (share * (outputs - targets[:, :, None]).square()).sum((1, 2))
