"""The three methods behind one face: what is kept of a tile of samples, and the kernel between two tiles."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float, Shaped
from torch import Tensor, nn

from ntkd_lib.ntk.contraction import jacobian
from ntkd_lib.ntk.factors import Factor, Gradients
from ntkd_lib.ntk.kinds import Kind
from ntkd_lib.ntk.products import products_kernel
from ntkd_lib.ntk.recording import record
from ntkd_lib.ntk.structured import (
    check_samples_apart,
    is_known,
    structured_factors,
    structured_kernel,
)

Kept = list[Factor] | Tensor


@runtime_checkable
class Tiles(Protocol):
    """A method of computing a kernel, tile by tile."""

    def keep(self, inputs: Tensor) -> Kept:
        """Compute what the kernel needs of some samples."""

    def rows(self, kept: Kept, part: slice) -> Kept:
        """Select samples of a tile."""

    def pair(self, left: Kept, right: Kept) -> Tensor:
        """Compute the kernel between two tiles."""


class StructuredTiles:
    """Factors of every parameter.

    Args:
        model: Network.
        kind: Kind of kernel.
    """

    def __init__(self, model: nn.Module, kind: Kind) -> None:
        """Keep the network and the kind."""
        self.model, self.kind = model, kind

    def keep(self, inputs: Shaped[Tensor, "n ..."]) -> list[Factor]:
        """Compute the factors of some samples.

        Args:
            inputs: Samples.

        Returns:
            Factors.
        """
        return structured_factors(self.model, inputs, self.kind)

    def rows(self, kept: list[Factor], part: slice) -> list[Factor]:
        """Select samples of a tile.

        Args:
            kept: Factors.
            part: Which samples.

        Returns:
            Their factors.
        """
        return [factor.rows(part) for factor in kept]

    def pair(self, left: list[Factor], right: list[Factor]) -> Float[Tensor, "..."]:
        """Compute the kernel between two tiles.

        Args:
            left: Factors of the first.
            right: Factors of the second.

        Returns:
            Kernel.
        """
        return structured_kernel(left, right, self.kind)


class ContractionTiles(StructuredTiles):
    """Whole Jacobians, as a single factor."""

    def keep(self, inputs: Shaped[Tensor, "n ..."]) -> list[Factor]:
        """Compute the Jacobian of some samples.

        Args:
            inputs: Samples.

        Returns:
            The Jacobian as a factor.
        """
        return [Gradients(jacobian(self.model, inputs))]


class ProductTiles:
    """NTK-vector products, which keep nothing but the samples.

    Args:
        model: Network.
        kind: Kind of kernel.
    """

    def __init__(self, model: nn.Module, kind: Kind) -> None:
        """Keep the network and the kind."""
        self.model, self.kind = model, kind

    def keep(self, inputs: Shaped[Tensor, "n ..."]) -> Shaped[Tensor, "n ..."]:
        """Keep the samples.

        Args:
            inputs: Samples.

        Returns:
            The same.

        Raises:
            ValueError: A network whose samples mix.
        """
        check_samples_apart(self.model, inputs, record(self.model, inputs, is_known))
        return inputs

    def rows(self, kept: Shaped[Tensor, "n ..."], part: slice) -> Shaped[Tensor, "m ..."]:
        """Select samples of a tile.

        Args:
            kept: Samples.
            part: Which.

        Returns:
            These samples.
        """
        return kept[part]

    def pair(self, left: Shaped[Tensor, "n ..."], right: Shaped[Tensor, "m ..."]) -> Float[Tensor, "..."]:
        """Compute the kernel between two tiles.

        Args:
            left: Samples of the first.
            right: Samples of the second.

        Returns:
            Kernel.
        """
        return products_kernel(self.model, left, right, self.kind)


METHODS = {"contraction": ContractionTiles, "products": ProductTiles, "structured": StructuredTiles}
