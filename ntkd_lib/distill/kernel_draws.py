"""Shared by losses: draws that leave those of training alone, and a bound on a kernel loss's gradient."""

from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Tensor, nn

LARGEST_STEP = 1.0


def own_generator() -> torch.Generator:
    """Seed a generator by the run's seed, so that batches, shifts and start are those without its loss."""
    return torch.Generator().manual_seed(torch.initial_seed())


def kernel_images(count: int, size: int) -> Callable[[], Int[Tensor, " m"]]:
    """Build a function that draws ``size`` of ``count`` images anew at each call, by `own_generator`."""
    generator = own_generator()
    return lambda: torch.randperm(count, generator=generator)[:size]


def bound_gradient(student: nn.Module, value: Tensor, limit: float | None = LARGEST_STEP) -> Tensor:
    """Bound a loss's gradient to ``min(1, limit / |g|) g``: AdamW's averages remember a heavy step.

    Args:
        student: Network whose trainable parameters the loss depends on.
        limit: Largest norm over all trainable parameters; None leaves the loss as it is.
    """
    if limit is None:
        return value
    trained = [p for p in student.parameters() if p.requires_grad]
    slopes = torch.autograd.grad(value, trained, allow_unused=True, materialize_grads=True)  # the last bias
    share = (limit / torch.stack([g.norm() for g in slopes]).norm()).clamp(max=1)
    line = share * sum(torch.dot(g.flatten(), p.flatten()) for g, p in zip(slopes, trained, strict=True))
    return line - line.detach() + value.detach()
