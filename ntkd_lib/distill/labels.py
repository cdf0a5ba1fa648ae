"""Labels only: the paper's "no transfer"."""

from torch.nn.functional import cross_entropy

from ntkd_lib.distill.objective import Objective, Settings, Teacher


def build(settings: Settings, teacher: Teacher) -> Objective:
    """Build ``L = CE(f(x), y)``, in nats. Source: NTKD paper, Eq. 5."""
    del settings, teacher
    return lambda student, batch: cross_entropy(student(batch.images), batch.labels)
