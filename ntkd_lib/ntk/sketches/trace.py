"""Features of the trace kernel: the classes of a sketch joined under random signs."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkd_lib.ntk.sketches.hashing import key_of, signs
from ntkd_lib.ntk.sketches.stream import Sketch, sketched_batches


def join_classes(features: Float[Tensor, "n c k"], seed: int = 0) -> Float[Tensor, "n k"]:
    """Join the features of all classes: ``psi = sum_c s_c o phi_c``.

    ``E psi . psi' = sum_c phi_c . phi_c'``. The signs ``s_c`` are independent, so products of different
    classes have mean zero. The joined features take a ``c``-th of the room, and an entry's variance is that
    of one sketch of the gradients of all classes put end to end: about ``theta(x, x) theta(x', x') / k``.
    """
    drawn = signs(key_of(seed, "classes"), tuple(features.shape[1:]))
    return (features * drawn.to(features)).sum(1)


@torch.no_grad()
def trace_features(
    model: nn.Module,
    inputs: Float[Tensor, "n ..."],
    sketch: Sketch,
    seed: int = 0,
    chunk: int = 32,
    *,
    probe: bool = True,
) -> Float[Tensor, "n k"]:
    """Sketch the tangent features of images once, for the trace kernel of any batch of them.

    Args:
        sketch: Sketch of ``k`` features per class.
        seed: Seed by which classes are joined.
        probe: As for `sketched_features`.
    """
    parts = sketched_batches(model, inputs, sketch, chunk, probe=probe)
    return torch.cat([join_classes(part, seed) for part in parts])
