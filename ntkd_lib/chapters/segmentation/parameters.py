"""Parameters of notebook 02."""

from ntkd_lib.chapters.optical_students.mask_parameters import MaskStudentParameters
from ntkd_lib.lab.parameters import parameter

DRAWN = "drawn-cars"


class SegmentationParameters(MaskStudentParameters):
    """What notebook 02 can be asked for."""

    show_images: bool = parameter(
        False, "Draw photographs of the data set in panels; only for a page that is not passed on."
    )

    @property
    def shown_data(self) -> str:
        """Name the data set whose images a page may show."""
        return self.data if self.show_images else DRAWN

    @property
    def datasets(self) -> tuple[str, ...]:
        """Name the data set, and the drawings that stand for its images on the page."""
        return tuple(dict.fromkeys((self.data, self.shown_data)))


PARAMETERS = SegmentationParameters
