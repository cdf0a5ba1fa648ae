"""The objectives of classifiers by name."""

from collections.abc import Callable, Mapping

from ntkd_lib.distill import (
    labels,
    soft_labels,
    tangent_cosine,
    tangent_normalised,
    tangent_raw,
    tangent_sap,
    tangent_soft,
    tangent_trace,
    vaccinated,
)
from ntkd_lib.distill.objective import Objective, Settings, Teacher

OBJECTIVES: Mapping[str, Callable[[Settings, Teacher], Objective]] = {
    "labels": labels.build,
    "soft_labels": soft_labels.build,
    "tangent_raw": tangent_raw.build,
    "tangent_normalised": tangent_normalised.build,
    "tangent_cosine": tangent_cosine.build,
    "tangent_trace": tangent_trace.build,
    "tangent_sap": tangent_sap.build,
    "tangent_soft": tangent_soft.build,
    "vaccinated": vaccinated.build,
}
