"""The contribution of one parameter to a kernel, stored in the form that makes the kernel cheapest.

For per-sample gradients ``G[n, c] = B[n, c] A[n]'`` (signals times inputs over ``d`` positions) the inner
product ``<G[n, c], G[m, k]>`` can be computed in three ways; per pair of samples they cost

- one position: ``(A A') o (B B')``, ``k + c^2 o``, no gradient is formed;
- gradients first: ``c^2 k o``;
- Gram matrices of positions: ``sum_de (A'A)[d, e] (B'B)[d, e]``, ``d^2 (k + c o)``, more for kind ``full``.

Source: Novak, Sohl-Dickstein, Schoenholz (2022), structured derivatives; the third way contracts ``A'A``
with the signals of one side first, so that ``c`` enters once with ``d^2``.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ntkd_lib.ntk.kinds import Kind, contract, scaling
from ntkd_lib.ntk.layers.outer import OuterProducts
from ntkd_lib.ntk.layout import UnsettledError

# Values that one step of the position way may hold, so that it works in the cache and in little memory.
STEP = 2**22
FULL_STEP = 2**20  # kind full reads what it holds in strides, and stays in a smaller cache


@dataclass(frozen=True)
class Gradients:
    """Per-sample gradients of some parameters, stored in full."""

    features: Float[Tensor, "n c p"]  # ``G``, ``(n, c, p)``

    def pair(self, other: "Gradients", kind: Kind) -> Float[Tensor, "..."]:
        """Compute the contribution to the kernel between two batches."""
        return contract(self.features, other.features, kind)

    def rows(self, part: slice | list[int]) -> "Gradients":
        """Select samples."""
        return Gradients(self.features[part])

    def squares(self) -> Float[Tensor, " n"]:
        """Compute the diagonal of the trace kernel."""
        return self.features.square().sum((1, 2))


@dataclass(frozen=True)
class OnePosition:
    """A dense layer used at one position."""

    inputs: Float[Tensor, "n k"]  # ``A``, ``(n, k)``
    signals: Float[Tensor, "n c o"]  # ``B``, ``(n, c, o)``
    bias: bool  # whether a bias is trained with the weight

    def pair(self, other: "OnePosition", kind: Kind) -> Float[Tensor, "..."]:
        """Compute the contribution to the kernel between two batches."""
        gram = self.inputs @ other.inputs.T
        if self.bias:
            gram = gram + 1
        kernel = contract(self.signals, other.signals, kind)
        differentiable = kernel.requires_grad or gram.requires_grad
        return kernel * scaling(gram, kind) if differentiable else kernel.mul_(scaling(gram, kind))

    def rows(self, part: slice | list[int]) -> "OnePosition":
        """Select samples."""
        return OnePosition(self.inputs[part], self.signals[part], self.bias)

    def squares(self) -> Float[Tensor, " n"]:
        """Compute the diagonal of the trace kernel."""
        return self.signals.square().sum((1, 2)) * (self.inputs.square().sum(1) + float(self.bias))


@dataclass(frozen=True)
class Positions:
    """A weight used at several positions, by Gram matrices of positions.

    Attributes:
        inputs: ``A``, ``(n, d, k)``; or the looked up rows of an embedding, ``(n, d)``.
    """

    inputs: Float[Tensor, "n d k"] | Int[Tensor, "n d"]
    signals: Float[Tensor, "n d c o"]  # ``B``, ``(n, d, c, o)``
    bias: bool  # whether a bias is trained with the weight

    def pair(self, other: "Positions", kind: Kind) -> Float[Tensor, "..."]:
        """Compute the contribution to the kernel between two batches."""
        n, d, c, o = self.signals.shape
        held = d * (2 * d + o) if kind == "full" else d * d * (c if kind == "per_class" else 1)
        rows = max(1, (FULL_STEP if kind == "full" else STEP) // (held * len(other.signals)))
        way = self._full if kind == "full" else self._per_class if kind == "per_class" else self._summed
        blocks = [way(self.rows(slice(i, i + rows)), other) for i in range(0, n, rows)]
        return torch.cat(blocks, dim=1 if kind == "per_class" else 0)

    def rows(self, part: slice | list[int]) -> "Positions":
        """Select samples."""
        return Positions(self.inputs[part], self.signals[part], self.bias)

    def squares(self) -> Float[Tensor, " n"]:
        """Compute the diagonal of the trace kernel."""
        parts = [self.rows(slice(i, i + 1)) for i in range(len(self.signals))]
        return torch.cat([part.pair(part, "trace").diagonal() for part in parts])

    @staticmethod
    def _gram(left: "Positions", right: "Positions") -> Float[Tensor, "n d m e"]:
        if left.inputs.is_floating_point():
            gram = left.inputs.flatten(0, 1) @ right.inputs.flatten(0, 1).T
            gram = gram.view(*left.inputs.shape[:2], *right.inputs.shape[:2])
        else:
            gram = (left.inputs[:, :, None, None] == right.inputs).to(left.signals)
        return gram + 1 if left.bias else gram

    @staticmethod
    def _summed(left: "Positions", right: "Positions") -> Float[Tensor, "n m"]:
        product = left.signals.flatten(2).flatten(0, 1) @ right.signals.flatten(2).flatten(0, 1).T
        gram = Positions._gram(left, right)
        return (product.view_as(gram) * gram).sum((1, 3))

    @staticmethod
    def _per_class(left: "Positions", right: "Positions") -> Float[Tensor, "c n m"]:
        a, b = (side.signals.permute(2, 0, 1, 3).flatten(1, 2) for side in (left, right))
        gram = Positions._gram(left, right)
        return ((a @ b.mT).view(len(a), *gram.shape) * gram).sum((2, 4))

    @staticmethod
    def _full(left: "Positions", right: "Positions") -> Float[Tensor, "n c m c"]:
        n, d, c, o = left.signals.shape
        m, e = right.signals.shape[:2]
        gram = Positions._gram(left, right).permute(2, 0, 1, 3).reshape(m, n * d, e)
        own = left.signals.transpose(1, 2).reshape(n, c, d * o)
        columns = []
        for signal in right.signals.unbind(2):  # one class at a time, so that no product needs a copy
            pulled = (gram @ signal).view(m, n, d * o)
            columns.append(own @ pulled.permute(1, 2, 0))
        return torch.stack(columns, dim=3)


Factor = Gradients | OnePosition | Positions
T = TypeVar("T", Factor, OuterProducts)


def tensors_of(factor: object) -> dict[str, Tensor]:
    """List the tensors of a factor by name."""
    return {name: value for name, value in vars(factor).items() if isinstance(value, Tensor)}


def check_forms(name: str, left: object, right: object, *, fixed: bool = False) -> None:
    """Refuse factors of one parameter whose forms differ, or whose sizes do if they are fixed.

    Raises:
        UnsettledError: The parameter by name.
    """
    a, b = ([v.shape[1:] if fixed else v.ndim for v in tensors_of(f).values()] for f in (left, right))
    if type(left) is not type(right) or a != b:
        raise UnsettledError(f"{name}: its gradients change from batch to batch")


def gather_factors(keep: Callable[[slice], dict[str, T]], count: int, size: int) -> dict[str, T]:
    """Write factors that are computed for some samples at a time into one place, zeros where there are none.

    Raises:
        UnsettledError: A parameter whose factors have another form for other samples.
    """
    whole: dict[str, T] = {}
    for rows in slices(count, size):
        part = keep(rows)
        for key, factor in part.items():
            if key not in whole:
                make = Tensor.new_zeros if rows.start else Tensor.new_empty
                room = {name: make(v, (count, *v.shape[1:])) for name, v in tensors_of(factor).items()}
                whole[key] = replace(factor, **room)
            check_forms(key, whole[key], factor, fixed=True)
        for key, factor in whole.items():
            for name, value in tensors_of(factor).items():
                value[rows] = getattr(part[key], name) if key in part else 0
    return whole


def slices(count: int, size: int) -> list[slice]:
    """Cut a range into pieces of a size."""
    return [slice(i, min(i + size, count)) for i in range(0, count, size)]
