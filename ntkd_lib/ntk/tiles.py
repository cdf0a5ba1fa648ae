"""The methods behind one interface: the stored data of a tile, and the kernel between two tiles."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float, Shaped
from torch import Tensor, nn

from ntkd_lib.ntk.contraction import jacobian, looped_jacobian
from ntkd_lib.ntk.factors import Factor, Gradients, gather_factors
from ntkd_lib.ntk.kinds import Kind
from ntkd_lib.ntk.layout import Plan
from ntkd_lib.ntk.products import products_kernel, still_rows
from ntkd_lib.ntk.structured import structured_factors, structured_kernel

TileData = dict[str, Factor] | Tensor
Rows = slice | list[int]


@runtime_checkable
class Tiles(Protocol):
    """A method of computing a kernel, tile by tile."""

    def keep(self, inputs: Tensor) -> TileData:
        """Compute what the kernel needs of some samples."""

    def rows(self, data: TileData, part: Rows) -> TileData:
        """Select samples of a tile."""

    def pair(self, left: TileData, right: TileData, kind: Kind | None = None) -> Tensor:
        """Compute the kernel between two tiles, of another kind if one is named."""


class StructuredTiles:
    """Factors of every parameter."""

    def __init__(self, model: nn.Module, kind: Kind, plan: Plan | None = None, piece: int = 0) -> None:
        self.model, self.kind, self.plan, self.piece = model, kind, plan, piece

    def keep(self, inputs: Shaped[Tensor, "n ..."]) -> dict[str, Factor]:
        """Compute the factors of some samples, in pieces of some samples unless these are 0."""
        if not self.piece:
            return self.compute(inputs)
        return gather_factors(lambda part: self.compute(inputs[part]), len(inputs), self.piece)

    def compute(self, inputs: Shaped[Tensor, "n ..."]) -> dict[str, Factor]:
        """Compute the factors of some samples at once."""
        return structured_factors(self.model, inputs, self.kind, self.plan)

    def rows(self, data: dict[str, Factor], part: Rows) -> dict[str, Factor]:
        """Select samples of a tile."""
        return {name: factor.rows(part) for name, factor in data.items()}

    def pair(
        self, left: dict[str, Factor], right: dict[str, Factor], kind: Kind | None = None
    ) -> Float[Tensor, "..."]:
        """Compute the kernel between two tiles."""
        return structured_kernel(left, right, kind or self.kind)


class ContractionTiles(StructuredTiles):
    """Whole Jacobians, as a single factor."""

    def compute(self, inputs: Shaped[Tensor, "n ..."]) -> dict[str, Factor]:
        """Compute the Jacobian of some samples."""
        return {"": Gradients(jacobian(self.model, inputs))}


class LoopTiles(StructuredTiles):
    """Whole Jacobians by plain autograd of single samples: slow, and exact if other methods fail."""

    def compute(self, inputs: Shaped[Tensor, "n ..."]) -> dict[str, Factor]:
        """Compute the Jacobian of some samples, one after the other."""
        return {"": Gradients(looped_jacobian(self.model, inputs))}


class ProductTiles(StructuredTiles):
    """NTK-vector products, which keep nothing but the samples."""

    def keep(self, inputs: Shaped[Tensor, "n ..."]) -> Shaped[Tensor, "n ..."]:
        """Return the samples themselves, where they are pieces as a copy; refuse what `still_rows` does."""
        still_rows(self.plan.alone)
        return inputs.clone() if self.piece else inputs

    def rows(self, data: Shaped[Tensor, "n ..."], part: Rows) -> Shaped[Tensor, "m ..."]:
        """Select samples of a tile."""
        return data[part]

    def pair(
        self, left: Shaped[Tensor, "n ..."], right: Shaped[Tensor, "m ..."], kind: Kind | None = None
    ) -> Float[Tensor, "..."]:
        """Compute the kernel between two tiles."""
        return products_kernel(self.model, left, right, kind or self.kind)


METHODS = {
    "contraction": ContractionTiles,
    "loop": LoopTiles,
    "products": ProductTiles,
    "structured": StructuredTiles,
}
