"""Masks only: the paper's "no transfer" for dense outputs."""

from ntkd_lib.distill.dense import DenseTeacher, MaskObjective, Settings, pixel_loss


def build(settings: Settings, teacher: DenseTeacher) -> MaskObjective:
    """Build ``L = BCE(f(x), y)``, mean over pixels. Source: NTKD paper, Eq. 5."""
    del settings, teacher
    return lambda student, batch: pixel_loss(student(batch.images), batch.masks)
