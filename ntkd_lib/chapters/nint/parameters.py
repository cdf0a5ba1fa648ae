"""Parameters of notebook 07."""

from typing import Literal

from ntkd_lib.lab.parameters import SeededParameters, Seeds, parameter


class NintParameters(SeededParameters):
    """Parameters of notebook 07."""

    seeds: Seeds = parameter([0, 1, 2], "Seeds of the repetitions; compared samplers share them.")
    side: Literal[32, 64, 128, 256, 512] = parameter(64, "Height and width of reduced images.", unit="pixels")
    width: int = parameter(32, "Width of the networks' hidden layers.", ge=8, le=1024)
    steps: int = parameter(1000, "Training steps of each sampler.", unit="steps", ge=20, le=100_000)
    every: int = parameter(25, "Steps between evaluations.", unit="steps", ge=1, le=1000)
    side_steps: int = parameter(
        200, "Steps of smaller studies: settings, networks, sound, shape.", unit="steps", ge=20, le=100_000
    )
    points: int = parameter(65_536, "Coordinates of the largest refresh.", unit="points", ge=1024, le=2**24)
    device: Literal["cpu", "cuda"] = parameter("cpu", "Device of the cells.")

    @property
    def datasets(self) -> tuple[str, ...]:
        """List the data sets of a run."""
        return ("signals",)


PARAMETERS = NintParameters
