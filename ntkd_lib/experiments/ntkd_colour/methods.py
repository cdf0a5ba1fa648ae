"""The students on colour images: optics, back end, objective, teacher and tuned space."""

from collections.abc import Mapping

from ntkd_lib.experiments.ntkd_classification.methods import TANGENT, Method, Range

HIDDEN = (360, 200)
SPEED: Mapping[str, Range] = {"lr": (5e-4, 1e-2, "log"), "weight_decay": (1e-4, 1.0, "log")}
SINGLE: Mapping[str, Range] = {"lr": (5e-4, 5e-2, "log"), "weight_decay": (1e-4, 1.0, "log")}
SOFT: Mapping[str, Range] = {"temperature": (1.0, 10.0, "log"), "weight": (0.3, 1.0, "linear")}
BOTH: Mapping[str, Range] = {
    "temperature": (1.0, 10.0, "log"),
    "soft_weight": (0.3, 1.0, "linear"),
    **TANGENT,
}
FORMS = ("ntkd_raw", "ntkd_normalised", "ntkd_cosine")


def _student(name: str, label: str, extra: Mapping[str, Range] | None = None, **fields: object) -> Method:
    tuned = {"hidden": HIDDEN, "space": {**SPEED, **(extra or {})}, "settings_of": name}
    return Method(name, label, **{**tuned, **fields})


def _like(name: str, label: str, other: str, **fields: object) -> Method:
    return _student(name, label, space=None, settings_of=other, **fields)


def _kernel(name: str, label: str, objective: str, **fields: object) -> Method:
    return _student(name, label, TANGENT, objective=objective, teacher="trained", **fields)


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        _student("none", "labels only"),
        _student("kd", "soft-label KD", SOFT, objective="soft_labels", teacher="trained"),
        _kernel("ntkd_raw", "NTKD, raw", "tangent_raw"),
        _kernel("ntkd_normalised", "NTKD, trace-normalised", "tangent_normalised"),
        _kernel("ntkd_cosine", "NTKD, centred cosine", "tangent_cosine"),
        _student("ntkd_kd", "NTKD + KD", BOTH, objective="tangent_soft", teacher="trained"),
        _kernel("ideal_lens", "ideal lens, NTKD", "tangent_normalised", optics="lens"),
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
CORE = ("none", "kd", "ntkd_kd", "f8")  # and the chosen form of NTKD
FEW_LABELS = (0.01, 0.1)
FEW_LABEL_STUDENTS = ("none", "kd", "ntkd")


def strong_twin(form: str) -> Method:
    """Give the student that hears the stronger teacher by the same kernel loss.

    Args:
        form: Method that stands for NTKD.

    Returns:
        The student.
    """
    return _like(
        "ntkd_strong_teacher",
        "NTKD, stronger teacher",
        form,
        objective=METHODS[form].objective,
        teacher="strong",
    )
