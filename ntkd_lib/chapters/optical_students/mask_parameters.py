"""Parameters of students for masks and of their teacher."""

from typing import Literal

from ntkd_lib.lab.parameters import SeededParameters, Seeds, parameter


class MaskStudentParameters(SeededParameters):
    """Budgets of students for masks and of their teacher."""

    seeds: Seeds = parameter([0, 1, 2], "Seeds of the students; methods that are compared share them.")
    data: Literal["carvana", "drawn-cars"] = parameter("carvana", "Data set; drawn-cars is of this project.")
    steps: int = parameter(400, "Training steps of every student.", unit="steps", ge=8, le=1_000_000)
    long_steps: int = parameter(
        750, "Steps of the control that trains as long as NTKD takes.", unit="steps", ge=8, le=1_000_000
    )
    teacher_steps: int = parameter(560, "Training steps of the teacher.", unit="steps", ge=8, le=1_000_000)
    batch: int = parameter(4, "Images per training step.", unit="images", ge=2, le=256)
    kernel_batch: int = parameter(
        4, "Images whose kernel enters a step's loss; at most kernel_images.", unit="images", ge=2, le=256
    )
    kernel_every: int = parameter(
        25, "The kernel loss enters every so many steps, as many times heavier.", unit="steps", ge=1, le=1000
    )
    kernel_images: int = parameter(
        128, "Training images whose kernel students match; all if fewer.", unit="images", ge=8, le=4064
    )
    kernel_outputs: int = parameter(
        4, "Outputs that summarise the logits of a mask in kernels.", unit="outputs", ge=1, le=96
    )
    landmarks: int = parameter(32, "Images with the teacher's exact kernel.", unit="images", ge=4, le=1024)
    many: int = parameter(500, "Random PSFs of the second column of Table 5.", unit="PSFs", ge=9, le=1000)
    device: Literal["cpu", "cuda"] = parameter("cpu", "Device of the cells.")
