"""One random entry of a kernel against plain reverse-mode autograd on single samples."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from ntkd_lib.ntk.kinds import Kind

# Error of an entry over the norms of its two gradients that rounding explains; other types: 32 roundings.
TOLERANCES = {torch.float64: 1e-9, torch.float32: 1e-4}


class ProbeError(ValueError):
    """A computed kernel differs from plain autograd on single samples."""


def draw_pair(n: int, m: int | None, generator: torch.Generator) -> tuple[int, int]:
    """Draw the place of one entry, off the diagonal of an own kernel.

    Args:
        n: Rows.
        m: Columns; None for an own kernel.
        generator: Source of the draw.

    Returns:
        Row and column, the smaller one first in an own kernel.
    """
    if m is not None:
        return int(torch.randint(n, (), generator=generator)), int(torch.randint(m, (), generator=generator))
    i, j = (torch.randperm(n, generator=generator)[:2].sort().values.tolist() * 2)[:2]
    return i, j


def fresh_generator() -> torch.Generator:
    """Seed a generator from the operating system, so that the caller's random state does not move.

    Returns:
        The generator.
    """
    generator = torch.Generator()
    generator.seed()
    return generator


@torch.enable_grad()
def single_jacobian(model: nn.Module, sample: Shaped[Tensor, "1 ..."]) -> Float[Tensor, "c p"]:
    """Compute the Jacobian of one sample by one backward pass per logit.

    Args:
        model: Network.
        sample: The sample, as a batch of one.

    Returns:
        Jacobian over all trainable parameters; complex ones count as two real numbers.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    logits = model(sample)[0]
    rows = [
        torch.autograd.grad(logit, parameters, retain_graph=True, materialize_grads=True)
        for logit in logits.flatten()
    ]
    return torch.stack([torch.cat([flat_gradient(g) for g in row]) for row in rows])


def flat_gradient(gradient: Tensor) -> Float[Tensor, " p"]:
    """Flatten a gradient that may be sparse or complex into real numbers.

    Args:
        gradient: Gradient of one parameter.

    Returns:
        Its values.
    """
    dense = gradient.to_dense() if gradient.is_sparse else gradient
    return (torch.view_as_real(dense.resolve_conj()) if dense.is_complex() else dense).flatten()


def entry_of(kernel: Float[Tensor, "..."], i: int, j: int, kind: Kind) -> Float[Tensor, "..."]:
    """Select what a kernel holds for two samples.

    Args:
        kernel: Kernel in the shape of its kind.
        i: Sample of the first batch.
        j: Sample of the second batch.
        kind: Its kind.

    Returns:
        ``(c, c)``, ``(c,)`` or one number.
    """
    return (kernel[:, i, j] if kind == "per_class" else kernel[i, j]).detach()


def reduce_block(block: Float[Tensor, "c c"], kind: Kind) -> Float[Tensor, "..."]:
    """Reduce all products of two samples' logits to what a kernel of some kind holds of them.

    Args:
        block: Products.
        kind: Kind of kernel.

    Returns:
        ``(c, c)``, ``(c,)`` or one number.
    """
    if kind == "full":
        return block
    if kind == "pseudo":
        return block.sum()
    return block.diagonal() if kind == "per_class" else block.trace()


def check_kernel(
    model: nn.Module,
    kernel: Float[Tensor, "..."],
    x1: Shaped[Tensor, "n ..."],
    x2: Shaped[Tensor, "m ..."] | None = None,
    *,
    kind: Kind = "trace",
) -> None:
    """Compare one random entry of a kernel, and one of its diagonal, with autograd on single samples.

    For kernels from closed forms: one backward pass per logit for each of two samples.

    Args:
        model: Network with outputs ``(n, c)``, left as it is.
        kernel: The kernel that was computed for it.
        x1: First batch.
        x2: Second batch; None for ``x1`` itself.
        kind: Kind of kernel.

    Raises:
        ProbeError: The entry by place, with both values, where they differ by more than rounding explains.
    """
    i, j = draw_pair(len(x1), None if x2 is None else len(x2), fresh_generator())
    left = single_jacobian(model, x1[i : i + 1])
    right = single_jacobian(model, (x1 if x2 is None else x2)[j : j + 1])
    pairs = [(i, j, left, right)] if x2 is not None else [(i, j, left, right), (j, i, right, left)]
    if x2 is None:
        pairs.append((i, i, left, left))
    for row, column, a, b in pairs:
        exact, entry = reduce_block(a @ b.T, kind), entry_of(kernel, row, column, kind)
        error, scale = (entry - exact).norm(), a.norm() * b.norm()
        if not error <= tolerance_of(kernel.dtype) * scale:
            raise ProbeError(
                f"kernel: its entry of samples {row} and {column} differs from plain autograd on "
                f"these samples alone by {error / scale:.1e} of the norms of their gradients"
            )


def tolerance_of(dtype: torch.dtype) -> float:
    """Look up the relative error that rounding explains.

    Args:
        dtype: Type of numbers.

    Returns:
        Share of the norms of two gradients.
    """
    return TOLERANCES.get(dtype, 32 * torch.finfo(dtype).eps)
