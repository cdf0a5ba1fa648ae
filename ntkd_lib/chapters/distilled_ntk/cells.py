"""The cells of notebook 06: what is run on one data set and seed, and what needs what."""

from typing import Any

from ntkd_lib.chapters.distilled_ntk.parameters import DistilledParameters
from ntkd_lib.chapters.distilled_ntk.settings import label_ridge
from ntkd_lib.lab.cells import Cell

PACKAGE = "ntkd_lib.chapters.distilled_ntk"
FEW = 10  # distilled images a class: a twentieth of 2,000 images
STREAMED = (400, 1600)  # images of the two streams whose memory is compared


class CellMaker:
    """Make the cells of one data set."""

    def __init__(self, parameters: DistilledParameters, data: str, checksum: str, epochs: int) -> None:
        """Keep what all cells share."""
        self.parameters, self.data, self.epochs = parameters, data, epochs
        self.checksums = {data: checksum}

    def network(self, seed: int) -> Cell:
        """Make the cell that trains the network."""
        return self._cell("network", seed, "network:train", {"epochs": self.epochs}, {}, 10)

    def images(self, seed: int, per_class: int) -> Cell:
        """Make the cell that distils images."""
        arguments = {"per_class": per_class, "steps": self.parameters.distil_steps}
        needs = {"network": self.network(seed)}
        return self._cell(f"images-{per_class}", seed, "images:distil", arguments, needs, 0.2 * per_class)

    def synthetic(self, seed: int) -> Cell:
        """Make the cell that reduces kernels to synthetic gradients."""
        return self._cell("synthetic", seed, "synthetic:reduce", self._steps(), self._needs(seed, "many"), 5)

    def thorough(self, seed: int) -> list[Cell]:
        """Make the cells with the exact kernel and all other methods."""
        network = {"network": self.network(seed)}
        both, many = self._needs(seed, "few", "many"), self._needs(seed, "many")
        return [
            self._cell("exact", seed, "reference:exact", _ridge(), network, 25),
            self._cell("points", seed, "points:compare", self._steps(), both, 30),
            self._cell(
                "streamed",
                seed,
                "streamed:stream",
                {"sketch": self.parameters.sketch} | _ridge(),
                network,
                10,
            ),
            self._cell("ranks", seed, "ranks:measure", {}, many, 10),
            self._cell(
                "energy", seed, "energy:tune", {"steps": self.parameters.energy_steps} | _ridge(), network, 20
            ),
            self._cell("base", seed, "base:train_on_distilled", {"epochs": self.epochs} | _ridge(), many, 12),
        ]

    def sketches(self, seed: int) -> Cell:
        """Make the cell that holds sketches against their bounds."""
        arguments = {"draws": self.parameters.draws}
        return self._cell("sketches", seed, "sketches:draw", arguments, {"network": self.network(seed)}, 10)

    def _needs(self, seed: int, *names: str) -> dict[str, Cell]:
        sizes = {"few": FEW, "many": self.parameters.per_class}
        return {"network": self.network(seed)} | {name: self.images(seed, sizes[name]) for name in names}

    def _steps(self) -> dict[str, float]:
        return {"distil_steps": self.parameters.distil_steps} | _ridge()

    def _cell(
        self, name: str, seed: int, work: str, arguments: dict[str, Any], needs: dict[str, Cell], cost: float
    ) -> Cell:
        shared = {
            "data": self.data,
            "sha256": self.checksums[self.data],
            "seed": seed,
            "device": self.parameters.device,
            "images": self.parameters.images,
            "tests": self.parameters.tests,
        }
        return Cell(
            name=f"{self.data}/{name}/seed={seed}",
            work=f"{PACKAGE}.{work}",
            arguments=shared | arguments,
            needs=needs,
            data=self.checksums,
            cost=cost,
        )


def _ridge() -> dict[str, float]:
    return {"label_ridge": label_ridge()}


def memory_cell() -> Cell:
    """Make the cell that measures the memory of the streamed pass."""
    return Cell(
        name="memory", work=f"{PACKAGE}.memory:measure", arguments={"counts": list(STREAMED)}, cost=10
    )
