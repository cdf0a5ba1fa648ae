"""Labels only: the paper's "no transfer"."""

from ntkd_lib.distill.objective import Objective, Settings, Teacher, label_loss


def build(settings: Settings, teacher: Teacher) -> Objective:
    """Build ``L = CE(f(x), y)``, in nats. Source: NTKD paper, Eq. 5."""
    del settings, teacher
    return lambda student, batch: label_loss(student(batch.images), batch.labels)
