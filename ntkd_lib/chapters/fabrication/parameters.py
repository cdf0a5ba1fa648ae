"""Parameters of notebook 03."""

from typing import Annotated, Literal

from pydantic import Field

from ntkd_lib.lab import Distinct, SeededParameters, parameter

Strengths = Annotated[list[Annotated[float, Field(gt=0, le=1)]], Distinct(), Field(min_length=1)]
Counts = Annotated[list[Annotated[int, Field(ge=20, le=60_000)]], Distinct(), Field(min_length=1)]


class FabricationParameters(SeededParameters):
    """What notebook 03 can be asked for."""

    data: Literal["mnist", "mnist-5k"] = parameter("mnist", "Data set; mnist-5k ships with a dependency.")
    devices: int = parameter(1, "Devices per seed at the calibrated strength.", unit="devices", ge=1, le=50)
    design_steps: int = parameter(60, "Steps of a metasurface's design.", unit="steps", ge=1, le=5000)
    captures: int = parameter(
        5500, "Training images that are captured: a tenth of MNIST's 55,000.", unit="images", ge=20, le=60_000
    )
    capture_counts: Counts = parameter([100, 1000], "Other numbers of captures.", unit="images")
    strengths: Strengths = parameter([0.3, 0.6, 1.0], "Error strengths of the sweep.")
    steps: int = parameter(600, "Training steps of each recovery.", unit="steps", ge=8, le=100_000)
    shown_captures: int = parameter(1000, "Validation images of each error.", unit="images", ge=50, le=5000)
    colour_filters: int = parameter(16, "Colour filters designed for three wavelengths.", ge=1, le=64)
    theory_seeds: int = parameter(10, "Networks per width for the theory.", unit="seeds", ge=1, le=100)
    widest: int = parameter(2048, "Filters of the widest network.", unit="filters", ge=16, le=65_536)
    device: Literal["cpu", "cuda"] = parameter("cpu", "Where cells run.")

    @property
    def datasets(self) -> tuple[str, ...]:
        """Name the data set."""
        return (self.data,)


PARAMETERS = FabricationParameters
