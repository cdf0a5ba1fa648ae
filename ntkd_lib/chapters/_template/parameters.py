"""Parameters of notebook 08_my_paper."""

from ntkd_lib.lab.parameters import SeededParameters, parameter


class DigitsParameters(SeededParameters):
    """Parameters of notebook 08_my_paper."""

    train: int = parameter(600, "Training images, drawn by the seed.", unit="images", ge=20, le=1400)
    width: int = parameter(128, "Hidden units of the network.", unit="units", ge=4, le=1024)
    ridge: float = parameter(0.01, "Ridge, relative to the kernel's mean diagonal.", gt=0, le=1)


PARAMETERS = DigitsParameters
