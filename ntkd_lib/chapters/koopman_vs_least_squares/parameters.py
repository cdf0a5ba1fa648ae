"""Parameters of notebook 04."""

from typing import Annotated, Literal

from pydantic import Field

from ntkd_lib.lab.parameter_text import Distinct
from ntkd_lib.lab.parameters import SeededParameters, Seeds, parameter

Components = Annotated[list[Annotated[int, Field(ge=1, le=100)]], Distinct(), Field(min_length=1)]


class KoopmanParameters(SeededParameters):
    """What notebook 04 can be asked for."""

    seeds: Seeds = parameter(
        list(range(10)), "Seeds of the repetitions; methods that are compared share them."
    )
    digits: Literal["mnist", "mnist-5k"] = parameter(
        "mnist", "Data set of digits; mnist-5k ships with a dependency."
    )
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


PARAMETERS = KoopmanParameters
