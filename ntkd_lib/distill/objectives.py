"""The objectives of classifiers by name."""

from collections.abc import Callable, Mapping
from functools import partial

from ntkd_lib.distill import labels, soft_labels, tangent_sap, tangent_soft, vaccinated
from ntkd_lib.distill.kernel_losses import KERNEL_LOSSES
from ntkd_lib.distill.objective import Objective, Settings, Teacher
from ntkd_lib.distill.tangent import tangent_objective
from ntkd_lib.optics.tangent import student_conjugate_kernel

Builder = Callable[[Settings, Teacher], Objective]
OBJECTIVES: Mapping[str, Builder] = {
    "labels": labels.build,
    "soft_labels": soft_labels.build,
    **{f"tangent_{form}": partial(tangent_objective, loss=loss) for form, loss in KERNEL_LOSSES.items()},
    **{
        f"conjugate_{form}": partial(tangent_objective, loss=loss, kernel=student_conjugate_kernel)
        for form, loss in KERNEL_LOSSES.items()
    },
    "tangent_sap": tangent_sap.build,
    "tangent_soft": tangent_soft.build,
    **{f"tangent_soft_{name}": partial(tangent_soft.build, loss=k) for name, k in KERNEL_LOSSES.items()},
    "vaccinated": vaccinated.build,
}
