"""NTK distillation for dense outputs: the tangent kernel of a few numbers that summarise all logits.

A mask has tens of thousands of logits, and the paper does not say whose kernel its segmentation students
match. Here it is the kernel of pooled or of randomly projected logits, the same for teacher and student.
"""

from jaxtyping import Float
from torch import Tensor, nn

from ntkd_lib.distill.dense import DenseTeacher, MaskBatch, MaskObjective, Settings, pixel_loss
from ntkd_lib.distill.kernel_losses import KERNEL_LOSSES
from ntkd_lib.distill.tangent import kernel_term
from ntkd_lib.ntk.assembly import tiled_kernel
from ntkd_lib.ntk.empirical import empirical_ntk, find_fault, warn_slow
from ntkd_lib.ntk.tiles import LoopTiles


def build(settings: Settings, teacher: DenseTeacher) -> MaskObjective:
    """Build ``L = BCE(f(x), y) + weight * loss(Theta_student, Theta_teacher)``.

    The second part is a `kernel_term`, of the kernels of ``g(f(x))`` with ``g`` the teacher's ``summary``.

    Source: NTKD paper, Eq. 8-9.

    Args:
        settings: ``weight``, ``form``, ``kernel_batch`` and ``kernel_every``.
        teacher: With ``images``, ``features``, ``diagonal`` and ``summary``.
    """
    loops: bool | None = None  # whether the slow loop takes over, as the probe of the first kernel decides

    def trace_kernel(student: nn.Module, images: Tensor) -> Float[Tensor, "m m"]:
        nonlocal loops
        network = nn.Sequential(student, teacher.summary)
        if loops is None and (loops := (fault := find_fault(network, images)) is not None):
            warn_slow(fault)
        if loops:
            return tiled_kernel(LoopTiles(network, "trace"), "trace", images, None, None)
        return empirical_ntk(network, images, kind="trace", method="structured", probe=False)

    term = kernel_term(settings, teacher, KERNEL_LOSSES[settings["form"]], trace_kernel)

    def objective(student: nn.Module, batch: MaskBatch) -> Tensor:
        return pixel_loss(student(batch.images), batch.masks) + term(student, batch.step)

    return objective
