"""The objectives of classifiers by name."""

from collections.abc import Callable, Mapping
from functools import partial

from ntkd_lib.distill import kernel_losses, labels, soft_labels, tangent_sap, tangent_soft, vaccinated
from ntkd_lib.distill.objective import Objective, Settings, Teacher
from ntkd_lib.distill.tangent import tangent_objective

OBJECTIVES: Mapping[str, Callable[[Settings, Teacher], Objective]] = {
    "labels": labels.build,
    "soft_labels": soft_labels.build,
    "tangent_raw": partial(tangent_objective, loss=kernel_losses.raw),
    "tangent_normalised": partial(tangent_objective, loss=kernel_losses.normalised),
    "tangent_cosine": partial(tangent_objective, loss=kernel_losses.cosine),
    "tangent_trace": partial(tangent_objective, loss=kernel_losses.trace),
    "tangent_sap": tangent_sap.build,
    "tangent_soft": tangent_soft.build,
    "vaccinated": vaccinated.build,
}
