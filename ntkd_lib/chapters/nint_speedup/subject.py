"""What a cell of notebook 07 fits: a signal from its description, and how its quality is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from ntkd_lib.data.signals import load_image, load_sound
from ntkd_lib.inr.metrics import intersection_over_union, psnr, si_snr
from ntkd_lib.inr.signals import Signal, crop, from_pixels, from_samples, torus_distance, waves


def make_signal(subject: Mapping[str, Any], sha256: str) -> Signal:
    """Make a signal of its description."""
    if subject["kind"] not in _MAKERS:
        raise ValueError(f"unknown kind {subject['kind']!r}; allowed: {', '.join(_MAKERS)}")
    return _MAKERS[subject["kind"]](subject, sha256)


_MAKERS: dict[str, Callable[[Mapping[str, Any], str], Signal]] = {
    "image": lambda s, sha256: from_pixels(load_image(s["name"], sha256), s["side"]),
    "crop": lambda s, sha256: from_pixels(crop(load_image(s["name"], sha256), s["side"])),
    "sound": lambda s, sha256: from_samples(load_sound(s["name"], sha256)[0], s["length"]),
    "torus": lambda s, sha256: torus_distance(s["side"]),  # noqa: ARG005
    "waves": lambda s, sha256: waves(s["side"], tuple(s["frequencies"])),  # noqa: ARG005
}


def quality_of(signal: Signal, kind: str) -> Callable[[Tensor], float]:
    """Choose how residuals of a signal are judged."""
    if kind == "sound":
        return lambda residuals: si_snr(residuals + signal.values, signal.values)
    if kind in ("torus", "mesh"):
        return lambda residuals: intersection_over_union(residuals + signal.values <= 0, signal.values <= 0)
    return psnr


def restored(values: Any, shape: Any) -> Signal:
    """Make a signal of a record's array."""
    return Signal(torch.as_tensor(values), tuple(shape))
