"""Parameters of notebook 01."""

from typing import Annotated, Literal

import pydantic

from ntkd_lib.lab import Distinct, SeededParameters, Seeds, parameter

Counts = Annotated[
    list[Annotated[int, pydantic.Field(ge=1, le=10_000)]],
    pydantic.Field(min_length=1, max_length=10),
    Distinct(),
]


class ClassificationParameters(SeededParameters):
    """Parameters of notebook 01."""

    seeds: Seeds = parameter([0, 1, 2], "Seeds of the main comparison on digits; all students share them.")
    data: Literal["mnist", "mnist-5k"] = parameter("mnist", "Data set; mnist-5k ships with a dependency.")
    epochs: int = parameter(3, "Passes over the training images per student.", unit="epochs", ge=1, le=1000)
    long_epochs: int = parameter(
        16,
        "Passes for the equal-time control: as long as NTKD, its teacher and its kernel take.",
        unit="epochs",
        ge=1,
        le=4000,
    )
    single_epochs: int = parameter(30, "Passes for students of one layer.", unit="epochs", ge=1, le=4000)
    teacher_epochs: int = parameter(6, "Passes for the teacher.", unit="epochs", ge=1, le=1000)
    batch: int = parameter(128, "Images per training step.", unit="images", ge=8, le=1024)
    kernel_batch: int = parameter(
        32, "Images whose kernel enters a step's loss; at most kernel_images.", unit="images", ge=2, le=1024
    )
    kernel_every: int = parameter(
        4, "The kernel loss enters every so many steps, as many times heavier.", unit="steps", ge=1, le=1000
    )
    kernel_images: int = parameter(
        10_000, "Training images of the teacher's kernel; all if fewer.", unit="images", ge=32, le=60_000
    )
    landmarks: int = parameter(128, "Images with the teacher's exact kernel.", unit="images", ge=8, le=4096)
    control_seeds: Seeds = parameter(
        [0],
        "Seeds of the controls on digits, of those in seeds: forms of the loss, stage 1, sizes, and so on.",
    )
    optical_depth: bool = parameter(
        False, "Whether two optical layers and saturable absorbers are tried too; they are slow."
    )
    estimate_images: int = parameter(
        2500, "Training images of an accuracy estimate of stage 1.", unit="images", ge=50, le=50_000
    )
    random_images: int = parameter(
        300, "Images for regressions on random filters; all if fewer.", unit="images", ge=50, le=60_000
    )
    random_filters: Counts = parameter([8, 500, 1000], "Random filters in these regressions.", unit="filters")
    surface_height: float = parameter(
        360.0, "Height of the optical surface whose accuracy is estimated.", unit="um", gt=0, le=1e5
    )
    surface_width: float = parameter(360.0, "Its width.", unit="um", gt=0, le=1e5)
    filter_size: int = parameter(7, "Pixels per side of its filters, odd.", unit="pixels", ge=1, le=15)
    gap: float = parameter(8.0, "Gap between neighbouring filters.", unit="um", ge=0, le=1e4)
    colour: Literal["cifar-10"] = parameter("cifar-10", "Colour images.")
    colour_students: Literal["core", "all"] = parameter(
        "core", "Students on colour images: labels only, KD, NTKD and random PSFs, or the controls too."
    )
    colour_seeds: Seeds = parameter([0], "Seeds of the colour images.")
    colour_images: int = parameter(
        50_000, "Colour training images; a fifth as many are tested on.", unit="images", ge=300, le=50_000
    )
    colour_epochs: int = parameter(22, "Passes over colour images per student.", unit="epochs", ge=1, le=1000)
    colour_single_epochs: int = parameter(
        20, "Passes for colour students of one dense layer.", unit="epochs", ge=1, le=4000
    )
    colour_teacher: Literal["compact", "alexnet"] = parameter(
        "compact", "Teacher on colour images: a small residual network, or the paper's AlexNet."
    )
    strong_teacher: Literal["none", "compact", "wide", "resnet18"] = parameter(
        "none", "A second, stronger teacher on colour images: wide is compact at seven times its weights."
    )
    colour_teacher_epochs: int = parameter(5, "Passes of the colour teachers.", unit="epochs", ge=1, le=1000)
    colour_kernel_images: int = parameter(
        2000, "Colour images of the teacher's tangent kernel; all if fewer.", unit="images", ge=32, le=50_000
    )
    colour_kernel_every: int = parameter(
        8, "As kernel_every, for colour images, whose kernels cost more.", unit="steps", ge=1, le=1000
    )
    sketch: int = parameter(2048, "Features of sketched colour kernels.", unit="features", ge=64, le=16_384)
    device: Literal["cpu", "cuda"] = parameter("cpu", "Device of the cells.")

    @property
    def datasets(self) -> tuple[str, ...]:
        """List the data sets of a run."""
        return self.data, self.colour

    @property
    def some_seeds(self) -> list[int]:
        """List the seeds of the controls: the one `seed` if it is set, else `control_seeds`."""
        return list(self.control_seeds) if self.seed is None else [self.seed]

    @property
    def colour_run_seeds(self) -> list[int]:
        """List the seeds of the colour images."""
        return list(self.colour_seeds) if self.seed is None else [self.seed]

    @property
    def teachers(self) -> list[str]:
        """List the teachers on colour images, the main one first."""
        names = dict.fromkeys([self.colour_teacher, self.strong_teacher])
        return [name for name in names if name != "none"]


PARAMETERS = ClassificationParameters
