"""Parameters of notebook 04."""

from typing import Annotated, Literal

from pydantic import Field

from ntkd_lib.lab import Distinct, SeededParameters, Seeds, parameter

Components = Annotated[list[Annotated[int, Field(ge=1, le=100)]], Distinct(), Field(min_length=1)]
GARMENTS = "fashion-mnist"
SIDE_SEEDS, SIDE_COMPONENTS = 3, 20


class KoopmanParameters(SeededParameters):
    """Parameters of notebook 04."""

    seeds: Seeds = parameter(list(range(10)), "Seeds of the repetitions; compared methods share them.")
    digits: Literal["mnist", "mnist-5k"] = parameter("mnist", "Digits; mnist-5k ships with a dependency.")
    images: int = parameter(
        60_000, "Training images of each data set, validation included.", unit="images", ge=500, le=60_000
    )
    quadratic: Components = parameter([10, 15, 20, 30, 40], "Principal components at degree 2.")
    cubic: Components = parameter([10, 15, 20], "Principal components at degree 3.")
    grid_seeds: int = parameter(
        5, "Seeds, the first ones, for sizes and controls that no claim rests on.", unit="seeds", ge=1, le=100
    )
    teacher_epochs: int = parameter(6, "Passes for the teacher.", unit="epochs", ge=1, le=1000)
    resnet_seeds: int = parameter(
        0, "Seeds, the first ones, with a ResNet-18 as teacher on digits.", unit="seeds", ge=0, le=100
    )
    resnet_epochs: int = parameter(2, "Passes for the ResNet-18.", unit="epochs", ge=1, le=1000)

    @property
    def datasets(self) -> tuple[str, ...]:
        """List the data sets of a run: digits, then garments."""
        return (self.digits, GARMENTS)

    @property
    def first_seeds(self) -> list[int]:
        """List the seeds of controls that no claim rests on."""
        return self.all_seeds[: self.grid_seeds]

    @property
    def side_seeds(self) -> list[int]:
        """List the seeds of costly controls that no paired test rests on."""
        return self.first_seeds[:SIDE_SEEDS]

    @property
    def side_size(self) -> int:
        """Select the number of components of the side studies: the nearest to 20 in the run."""
        return min(self.quadratic, key=lambda d: (abs(d - SIDE_COMPONENTS), d))

    def sizes(self, degree: int) -> list[int]:
        """List the numbers of components of a degree; degree 1, a control, has the most alone."""
        if degree == 1:
            return [max(self.quadratic)]
        return sorted(self.quadratic if degree == 2 else self.cubic)


PARAMETERS = KoopmanParameters
