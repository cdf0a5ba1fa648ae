"""The ways of fitting the linear map that notebook 04 compares, and what their search draws from."""

from collections.abc import Mapping
from dataclasses import dataclass

from ntkd_lib.lab.search import Range

RIDGE: Mapping[str, Range] = {"ridge": (1e-6, 1e-3, "log")}
TEMPERATURE: Mapping[str, Range] = {"temperature": (1.0, 8.0, "log")}
SHARE: Mapping[str, Range] = {"alpha": (0.1, 0.9, "linear")}


@dataclass(frozen=True)
class Method:
    """One way of fitting.

    Attributes:
        name: Short name, used in metrics and cells.
        label: What tables and figures call it.
        space: What its search draws from; empty for least squares, where a whole grid is cheap.
        fixed: Settings of the loss that it does not search for.
    """

    name: str
    label: str
    space: Mapping[str, Range]
    fixed: Mapping[str, float]


STUDENTS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method("kd", "distilled (KL + CE)", {**RIDGE, **TEMPERATURE, **SHARE}, {}),
        Method("ce", "cross-entropy, no teacher", RIDGE, {"alpha": 0.0, "temperature": 1.0}),
        Method("kd_only", "KL to the teacher alone", {**RIDGE, **TEMPERATURE}, {"alpha": 1.0}),
    )
}
PIXELS = Method("pixels", "cross-entropy on raw pixels", RIDGE, {"alpha": 0.0, "temperature": 1.0})
LEAST_SQUARES: Mapping[str, str] = {
    "naive": "EDMD, best ridge and rank",
    "naive_published": "EDMD, pseudo-inverse, d' = d",
    "ls_logits": "least squares to teacher logits",
    "ls_onehot": "least squares to labels",
}
LABELS = {
    **{method.name: method.label for method in (*STUDENTS.values(), PIXELS)},
    **LEAST_SQUARES,
}
RIDGES = (0.0, 1e-8, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
RANKS = (10, 20, 40, 64)
