"""Base class of fabrication and sensor errors: checked magnitudes with units, and seeded draws.

An error acts at one or more of four places: on pillar widths, on phases, on the light behind the
metasurface, and on captures. At strength zero it returns its input, bit for bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.lab.seeds import derive_seed
from ntkd_lib.optics.geometry import Geometry
from ntkd_lib.ranges import check_number

Masks = Float[Tensor, "m n n"]
Planes = Float[Tensor, "m c w w"]
Captures = Float[Tensor, "n m c h w"]


def magnitude(default: float, meaning: str, *, unit: str, low: float, high: float, source: str) -> Any:
    """Declare a magnitude of an error, as a field of its class.

    Args:
        meaning: One phrase for the table of errors.
        low: Smallest value allowed.
        high: Largest value allowed.
        source: Where its range comes from.
    """
    facts = {"meaning": meaning, "unit": unit, "low": low, "high": high, "source": source}
    return field(default=default, metadata=facts)


class Draws:
    """Random numbers that depend on their names, plain data, alone: no error changes another's draws."""

    def __init__(self, *names: object) -> None:
        self.generator = torch.Generator().manual_seed(derive_seed(*names))

    def normal(self, like: Tensor, *shape: int) -> Tensor:
        """Draw standard normal numbers of a shape, of the type and on the device of a tensor."""
        return torch.randn(shape or like.shape, generator=self.generator).to(like)


@dataclass(frozen=True)
class Error:
    """One cause of error; the base class changes nothing.

    Raises:
        ValueError: A magnitude outside of its range; the text names it, what came and what is allowed.
    """

    def __post_init__(self) -> None:
        """Refuse magnitudes outside of their range."""
        for entry in fields(self):
            low, high, unit = (entry.metadata[part] for part in ("low", "high", "unit"))
            name, value = f"{type(self).__name__}.{entry.name}", getattr(self, entry.name)
            check_number(name, value, low, high, unit=unit)

    def on_geometry(self, geometry: Geometry) -> Geometry:
        """Change the geometry."""
        return geometry

    def on_widths(self, widths: Masks, draws: Draws) -> Masks:
        """Change pillar widths, um."""
        return widths

    def on_phase(self, phase: Planes, geometry: Geometry, draws: Draws) -> Planes:
        """Change phase delays, rad."""
        return phase

    def on_light(self, light: Planes, geometry: Geometry, draws: Draws) -> Planes:
        """Change the light of the point spread functions, cell by cell."""
        return light

    def on_captures(
        self, captures: Captures, white: Float[Tensor, "m c"], device: Draws, frame: Draws
    ) -> Captures:
        """Change captures; ``white`` is a white scene's, ``device`` draws the same for every frame."""
        return captures


def error_rows(errors: Sequence[type[Error]]) -> list[dict[str, object]]:
    """List error, magnitude, meaning, unit, low, high and source of every magnitude of errors."""
    return [
        {"error": kind.__name__, "magnitude": entry.name, **entry.metadata}
        for kind in errors
        for entry in fields(kind)
    ]
