"""Labels only, with filters perturbed anew at every step: error-aware ("vaccinated") training."""

from torch import Tensor

from ntkd_lib.distill.kernel_draws import own_generator
from ntkd_lib.distill.objective import Batch, Objective, Settings, Teacher, label_loss
from ntkd_lib.ntk.functional import call_with
from ntkd_lib.optics.strength import perturb_filters
from ntkd_lib.optics.student import HybridStudent


def build(settings: Settings, teacher: Teacher) -> Objective:
    """Build ``L = CE(f(x; k + delta), y)`` with a new draw of ``delta`` for each batch.

    Source: V-D2NN, arXiv 2005.11464; filters are drawn by `perturb_filters`.

    Args:
        settings: ``strength``, share of the full extent of errors.
    """
    del teacher
    strength, generator = settings["strength"], own_generator()

    def objective(student: HybridStudent, batch: Batch) -> Tensor:
        filters = perturb_filters(student.front.filters, strength, generator)
        logits = call_with(student, {"front.filters": filters}, (batch.images,))
        return label_loss(logits, batch.labels)

    return objective
