"""The students on colour images: optics, back end, objective, teacher and tuned space.

Of the kernel losses only the trace-normalised one is here: it won on the digits, and three forms with a
search each would give NTKD three times the trials of soft labels.
"""

from collections.abc import Mapping

from ntkd_lib.chapters.ntkd_classification.methods import Method
from ntkd_lib.lab.search import Range

HIDDEN = (360, 200)
SPEED: Mapping[str, Range] = {"lr": (4e-4, 4e-3, "log"), "weight_decay": (1e-2, 1.0, "log")}
SINGLE: Mapping[str, Range] = {"lr": (5e-4, 5e-2, "log"), "weight_decay": (1e-4, 1.0, "log")}
TANGENT: Mapping[str, Range] = {"weight": (1e-3, 1.0, "log")}
SOFT: Mapping[str, Range] = {"weight": (0.5, 1.0, "linear"), "temperature": (1.0, 8.0, "log")}
BOTH: Mapping[str, Range] = {
    "soft_weight": (0.5, 1.0, "linear"),
    "temperature": (1.0, 8.0, "log"),
    **TANGENT,
}
FORM = "tangent_normalised"


def _student(name: str, label: str, extra: Mapping[str, Range] | None = None, **fields: object) -> Method:
    tuned = {"hidden": HIDDEN, "space": {**SPEED, **(extra or {})}, "settings_of": name}
    return Method(name, label, **{**tuned, **fields})


def _like(name: str, label: str, other: str, **fields: object) -> Method:
    return _student(name, label, space=None, settings_of=other, **fields)


def _kernel(name: str, label: str, **fields: object) -> Method:
    return _student(name, label, TANGENT, objective=FORM, teacher="trained", **fields)


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        _student("none", "labels only"),
        _student("kd", "soft-label KD", SOFT, objective="soft_labels", teacher="trained"),
        _kernel("ntkd", "NTKD"),
        _student("ntkd_kd", "NTKD + KD", BOTH, objective="tangent_soft", teacher="trained"),
        _like("ideal_lens", "ideal lens, NTKD", "ntkd", objective=FORM, teacher="trained", optics="lens"),
        _like("random_frozen", "random signed filters, trained back end", "none", optics="random"),
        _like("linear", "no ReLU", "none", rectified="none"),
        _student(
            "f8",
            "8 random PSFs, one dense layer",
            optics="random-positive",
            hidden=(),
            length="single",
            space=SINGLE,
        ),
        _student(
            "f8_centred",
            "8 random PSFs, captures centred",
            optics="random-centred",
            hidden=(),
            length="single",
            space=SINGLE,
        ),
    )
}
COMPARED = ("kd", "ntkd", "ntkd_kd")  # train at the learning rate and weight decay of labels alone
CORE = ("none", "kd", "ntkd", "f8")
FEW_LABELS = (0.01, 0.1)
FEW_LABEL_STUDENTS = ("none", "kd", "ntkd")


STRONG_TWIN = _like("ntkd_strong_teacher", "NTKD, stronger teacher", "ntkd", objective=FORM, teacher="strong")
RENAMED = {"f8": "ntkd.random.cifar10.f8.accuracy", "f8_centred": "ntkd.random.cifar10.f8_centred.accuracy"}


def of_labels(share: float) -> str:
    """Say how many labels a student knows.

    >>> of_labels(0.1)
    ', 10 % of labels'
    """
    return "" if share == 1 else f", {100 * share:g} % of labels"


def metric_name(method: str, share: float = 1) -> str:
    """Name the metric of a student's test accuracy."""
    if share < 1:
        return f"ntkd.cifar10.{method}.labels_{share}.accuracy"
    return RENAMED.get(method, f"ntkd.cifar10.{method}.accuracy")
