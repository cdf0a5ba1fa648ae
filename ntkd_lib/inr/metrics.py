"""Quality of a fitted signal, and the time to a target."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ntkd_lib.distill.mask_scores import check_booleans
from ntkd_lib.imports import extra
from ntkd_lib.inr.training import psnr

__all__ = ["crossing", "intersection_over_union", "psnr", "si_snr", "ssim", "value_at"]
SUSTAINED = 3


def si_snr(estimate: Float[Tensor, "n 1"], target: Float[Tensor, "n 1"]) -> float:
    """Scale-invariant signal-to-noise ratio of sound, dB, from -120 to 120.

    With means removed and ``s`` the projection of the estimate on the target:
    ``10 log10(|s|^2 / |estimate - s|^2)``.

    Source: Le Roux et al. (2019), Eq. 3.

    >>> tone = torch.sin(torch.arange(100.0))[:, None]
    >>> si_snr(3 * tone + 1, tone)  # neither loudness nor offset counts
    120.0
    """
    a, b = (t.double().flatten() - t.double().mean() for t in (estimate, target))
    part = (a @ b) / (b @ b).clamp_min(1e-30) * b
    ratio = part.square().sum() / (a - part).square().sum().clamp_min(1e-30)
    return float(torch.clamp(10 * torch.log10(ratio.clamp_min(1e-30)), -120, 120))


def intersection_over_union(estimate: Shaped[Tensor, "..."], target: Shaped[Tensor, "..."]) -> float:
    """Share of points inside both shapes among those inside either, percent; 100 if both are empty.

    Raises:
        ValueError: Tensors that are not boolean, or of different shapes.

    >>> intersection_over_union(torch.tensor([True, True, False]), torch.tensor([True, False, False]))
    50.0
    """
    check_booleans(estimate=estimate, target=target)
    either = (estimate | target).sum().item()
    return 100.0 if either == 0 else 100 * (estimate & target).sum().item() / either


def ssim(estimate: Float[np.ndarray, "*a"], target: Float[np.ndarray, "*b"]) -> float:
    """Structural similarity, at most 1, of a fitted image, clipped, to one with values from 0 to 1.

    Source: Wang et al. (2004), with their Gaussian window, by scikit-image.

    Raises:
        ValueError: Images of different shapes, or a target with other values than 0 to 1.
    """
    if estimate.shape != target.shape or estimate.ndim not in (2, 3):
        raise ValueError(f"images of {estimate.shape} and {target.shape}; allowed: equal (h, w) or (h, w, c)")
    if not 0 <= target.min() <= target.max() <= 1:
        raise ValueError(f"target: got values from {target.min():g} to {target.max():g}, needs 0 to 1")
    with extra("inr"):
        from skimage.metrics import structural_similarity

    estimate, target = (image.reshape(*image.shape[:2], -1) for image in (estimate, target))
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    images = (np.clip(estimate, 0, 1), target)
    return float(structural_similarity(*images, data_range=1.0, channel_axis=2, **window))


def crossing(
    quality: Sequence[float], axis: Sequence[float], target: float, sustained: int = SUSTAINED
) -> float | None:
    """Find where a curve reaches a target and stays for several evaluations: None if it does not.

    That is between the first of several consecutive evaluations above it and the one before, interpolated.

    Args:
        quality: Quality at each evaluation, in the unit of the target.
        axis: Steps, seconds or forward-equivalents at each.
        sustained: Evaluations in a row that must be above.

    >>> crossing([10, 20, 30, 31, 32], [0, 1, 2, 3, 4], target=25)
    1.5
    """
    above = np.asarray(quality) >= target
    for i in range(len(above) - sustained + 1):
        if above[i : i + sustained].all():
            if i == 0:
                return float(axis[0])
            share = (target - quality[i - 1]) / (quality[i] - quality[i - 1])
            return float(axis[i - 1] + min(max(share, 0), 1) * (axis[i] - axis[i - 1]))
    return None


def value_at(quality: Sequence[float], axis: Sequence[float], place: float) -> float:
    """Interpolate a curve linearly over a rising axis; beyond its end its last value.

    >>> value_at([10, 20], [0, 4], place=1)
    12.5
    """
    return float(np.interp(place, axis, quality))
