"""Testing of back ends on captures, frame by frame."""

from collections.abc import Iterable, Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ntkd_lib.optics.captured import CalibratedStudent, read_out


@torch.no_grad()
def accuracy_through(
    models: Mapping[str, nn.Module],
    frames: Iterable[Float[Tensor, "n m c h w"]],
    gains: Float[Tensor, "m c"],
    labels: Int[Tensor, " n"],
) -> dict[str, float]:
    """Test several back ends on the same captures."""
    hits, start = dict.fromkeys(models, 0), 0
    for captures in frames:
        wanted = labels[start : start + len(captures)]
        seen, start = read_out(captures, gains), start + len(captures)
        for name, model in models.items():
            logits = model(captures if isinstance(model, CalibratedStudent) else seen)
            hits[name] += int((logits.argmax(1) == wanted).sum())
    return {name: 100 * count / len(labels) for name, count in hits.items()}
