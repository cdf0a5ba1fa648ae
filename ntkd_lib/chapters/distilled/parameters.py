"""Parameters of notebook 06."""

from typing import Literal

from ntkd_lib.lab.parameters import SeededParameters, Seeds, parameter


class DistilledParameters(SeededParameters):
    """Parameters of notebook 06."""

    seeds: Seeds = parameter(
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "Seeds of the digits: every one trains, distils and clusters."
    )
    thorough: int = parameter(
        2, "Of these seeds, how many also get the exact kernel and all other methods.", unit="seeds", ge=1
    )
    colour_seeds: Seeds = parameter([0, 1], "Seeds of the colour images; all are thorough.")
    data: Literal["mnist", "mnist-5k"] = parameter("mnist", "Digits; mnist-5k ships with a dependency.")
    colour: Literal["cifar-10", "imagenette"] = parameter(
        "cifar-10", "Colour images: cifar-10 with a small network, imagenette with a ResNet-18."
    )
    images: int = parameter(
        2000, "Training images, all of them in the exact kernel.", unit="images", ge=200, le=60_000
    )
    tests: int = parameter(1000, "Test images; all if there are fewer.", unit="images", ge=50, le=10_000)
    per_class: int = parameter(50, "Distilled images per class.", unit="images", ge=11, le=100)
    epochs: int = parameter(12, "Passes over the digits in training.", unit="epochs", ge=2, le=1000)
    colour_epochs: int = parameter(14, "Passes over the colour images.", unit="epochs", ge=2, le=1000)
    distil_steps: int = parameter(40, "Steps of the distillation of images.", unit="steps", ge=0, le=10_000)
    energy_steps: int = parameter(4, "Steps that tune landmarks to the kernel.", unit="steps", ge=1, le=1000)
    sketch: int = parameter(1024, "Features a class of a sketched gradient.", unit="features", ge=64, le=8192)
    draws: int = parameter(60, "Draws of each sketch whose error is held against its bound.", ge=50, le=1000)
    device: Literal["cpu", "cuda"] = parameter("cpu", "Device of the cells.")

    @property
    def datasets(self) -> tuple[str, ...]:
        """Name the data sets of a run: digits, then colour images."""
        return (self.data, self.colour)

    def epochs_of(self, data: str) -> int:
        """Return the passes over a data set."""
        return self.epochs if data == self.data else self.colour_epochs

    def seeds_of(self, data: str) -> list[int]:
        """List the seeds of a data set."""
        if data == self.data:
            return self.all_seeds
        return list(self.colour_seeds) if self.seed is None else [self.seed]

    def thorough_seeds(self, data: str) -> list[int]:
        """List the seeds of a data set that get the exact kernel and all other methods."""
        return self.seeds_of(data)[: self.thorough if data == self.data else None]


PARAMETERS = DistilledParameters
