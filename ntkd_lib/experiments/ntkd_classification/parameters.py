"""Parameters of notebook 01."""

from typing import Literal

from ntkd_lib.records.parameters import SeededParameters, parameter


class ClassificationParameters(SeededParameters):
    """What notebook 01 can be asked for."""

    data: Literal["mnist", "mnist-5k"] = parameter("mnist", "Data set; mnist-5k ships with a dependency.")
    epochs: int = parameter(
        3, "Passes over the training images for every student.", unit="epochs", ge=1, le=1000
    )
    long_epochs: int = parameter(
        16,
        "Passes for the equal-time control: as long as NTKD, its teacher and its kernel take.",
        unit="epochs",
        ge=1,
        le=4000,
    )
    single_epochs: int = parameter(
        30, "Passes for students of one dense layer.", unit="epochs", ge=1, le=4000
    )
    teacher_epochs: int = parameter(6, "Passes for the teacher.", unit="epochs", ge=1, le=1000)
    batch: int = parameter(128, "Images a training step.", unit="images", ge=8, le=1024)
    kernel_batch: int = parameter(
        32,
        "Images whose tangent kernel enters the loss of a step; at most kernel_images.",
        unit="images",
        ge=2,
        le=1024,
    )
    kernel_every: int = parameter(
        4, "The kernel loss enters every so many steps, as many times heavier.", unit="steps", ge=1, le=1000
    )
    kernel_images: int = parameter(
        10_000,
        "Training images whose tangent kernel students hear; all where there are fewer.",
        unit="images",
        ge=32,
        le=60_000,
    )
    landmarks: int = parameter(
        128, "Images on which the teacher's kernel is exact.", unit="images", ge=8, le=4096
    )
    device: Literal["cpu", "cuda"] = parameter("cpu", "Where cells run.")


PARAMETERS = ClassificationParameters
