"""The cells of notebook 04 and how each is made, for the plan of a run and for the search."""

from collections.abc import Mapping
from math import comb
from typing import Any

from ntkd_lib.chapters.koopman_vs_least_squares.parameters import KoopmanParameters
from ntkd_lib.lab.cells import Cell

PACKAGE = "ntkd_lib.chapters.koopman_vs_least_squares"
TOLERANCE, SEARCH_TOLERANCE = 1e-6, 1e-3
COST = {"mlp": 1.2, "resnet18": 200.0}  # seconds an epoch


class CellMaker:
    """Make the cells of one data set, sharing teachers and scores between methods."""

    def __init__(self, parameters: KoopmanParameters, data: str, checksum: str) -> None:
        self.parameters = parameters
        self.data = data
        self.checksum = checksum

    def teacher(self, seed: int, network: str = "mlp") -> Cell:
        """Make the cell that trains a teacher."""
        epochs = self.parameters.teacher_epochs if network == "mlp" else self.parameters.resnet_epochs
        arguments = {**self._source(seed), "epochs": epochs, "network": network}
        name = f"{_prefix(network)}teacher/seed={seed}"
        return self._cell(name, "teacher:train", arguments, cost=2 + epochs * COST[network])

    def inputs(self, seed: int) -> Cell:
        """Make the cell that reduces images to scores."""
        count = max([*self.parameters.quadratic, *self.parameters.cubic])
        arguments = {**self._source(seed), "components": count}
        return self._cell(f"inputs/seed={seed}", "inputs:project", arguments, cost=3)

    def student(
        self,
        method: str,
        seed: int,
        degree: int,
        components: int,
        settings: Mapping[str, float],
        *,
        tag: str = "",
        dictionary: str = "monomials",
        hardware: bool = False,
        tolerance: float = TOLERANCE,
        start: Cell | None = None,
        network: str = "mlp",
    ) -> Cell:
        """Make the cell that solves one student's problem."""
        arguments = {
            "seed": seed,
            "components": components,
            "degree": degree,
            "dictionary": dictionary,
            "settings": dict(settings),
            "hardware": hardware,
            "tolerance": tolerance,
        }
        needs = {"inputs": self.inputs(seed)}
        if settings["alpha"] > 0:
            needs["teacher"] = self.teacher(seed, network)
        if start is not None:
            needs["start"] = start
        name = f"{_prefix(network)}{method}{tag}/q={degree}/d={components}/seed={seed}"
        cost = 1 + (0.008 if start is None else 0.004) * comb(components + degree, degree)
        return self._cell(name, "student:solve", arguments, needs=needs, cost=cost)

    def pixels(
        self, seed: int, settings: Mapping[str, float], tag: str = "", tolerance: float = TOLERANCE
    ) -> Cell:
        """Make the cell of cross-entropy on raw pixels."""
        arguments = {
            **self._source(seed),
            "degree": 1,
            "dictionary": "monomials",
            "settings": dict(settings),
            "hardware": False,
            "tolerance": tolerance,
        }
        return self._cell(f"pixels{tag}/seed={seed}", "student:solve", arguments, cost=6)

    def linear(
        self,
        seed: int,
        degree: int,
        fits: list[dict[str, Any]],
        *,
        hardware: int = 0,
        condition: bool = False,
        network: str = "mlp",
    ) -> Cell:
        """Make the cell that solves all least-squares problems of a degree."""
        asked = {"fits": fits, "hardware": hardware, "condition": condition}
        arguments = {"seed": seed, "degree": degree, **asked}
        name = f"{_prefix(network)}linear/q={degree}/seed={seed}"
        cost = 1 + 0.004 * comb(max(fit["components"] for fit in fits) + degree, degree)
        return self._both(name, "linear:solve", arguments, cost, network)

    def stability(self, arguments: dict[str, Any]) -> Cell:
        """Make the cell that refits on parts of the training images.

        Args:
            arguments: As ``stability.solve`` reads them.
        """
        return self._both("stability", "stability:solve", {**arguments, "tolerance": TOLERANCE}, cost=40)

    def course(self, arguments: dict[str, Any]) -> Cell:
        """Make the cell that sets Adam against Newton.

        Args:
            arguments: As ``course.solve`` reads them.
        """
        return self._both("course", "course:solve", {**arguments, "tolerance": TOLERANCE}, cost=30)

    def _both(
        self, name: str, work: str, arguments: dict[str, Any], cost: float, network: str = "mlp"
    ) -> Cell:
        seed = arguments["seed"]
        needs = {"inputs": self.inputs(seed), "teacher": self.teacher(seed, network)}
        return self._cell(name, work, arguments, needs=needs, cost=cost)

    def _source(self, seed: int) -> dict[str, Any]:
        return {
            "data": self.data,
            "sha256": self.checksum,
            "seed": seed,
            "images": self.parameters.images,
        }

    def _cell(self, name: str, work: str, arguments: dict[str, Any], **rest: Any) -> Cell:
        return Cell(
            name=f"{self.data}/{name}",
            work=f"{PACKAGE}.{work}",
            arguments=arguments,
            data={self.data: self.checksum},
            **rest,
        )


def _prefix(network: str) -> str:
    return "" if network == "mlp" else f"{network}/"
