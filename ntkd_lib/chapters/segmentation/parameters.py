"""Parameters of notebook 02."""

from ntkd_lib.chapters.optical_students.mask_parameters import MaskStudentParameters
from ntkd_lib.lab.parameters import parameter

DRAWINGS = "drawn-cars"


class SegmentationParameters(MaskStudentParameters):
    """Parameters of notebook 02."""

    show_images: bool = parameter(
        False, "Draw photographs of the data set in panels; only for a page that is not redistributed."
    )

    @property
    def shown_data(self) -> str:
        """Return the data set whose images a page may show."""
        return self.data if self.show_images else DRAWINGS

    @property
    def datasets(self) -> tuple[str, ...]:
        """List the data set and the drawings that replace its images on the page."""
        return tuple(dict.fromkeys((self.data, self.shown_data)))


PARAMETERS = SegmentationParameters
