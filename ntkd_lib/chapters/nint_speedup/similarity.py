"""How alike fitted images look: structural similarity, and LPIPS where its weights can be had."""

from __future__ import annotations

import pandas as pd

from ntkd_lib.chapters.nint_speedup.methods import METHODS
from ntkd_lib.chapters.nint_speedup.studies import fitted, image_of
from ntkd_lib.chapters.run import Run
from ntkd_lib.data.formats import unpickle_arrays
from ntkd_lib.data.weights import LPIPS, find_weights
from ntkd_lib.inr.metrics import ssim
from ntkd_lib.inr.perceptual import Lpips


def similarity(run: Run, methods: tuple[str, ...]) -> pd.DataFrame:
    """Measure structural similarity and perceptual distance on the first image."""
    true, found, judge = image_of(run), fitted(run, methods), perceptual()
    return pd.DataFrame(
        {
            "label": METHODS[method].label,
            "ssim": ssim(found[method], true),
            "standard": judge.distance(found[method], true) if judge else float("nan"),
            "stretched": judge.distance(found[method], true, "stretched") if judge else float("nan"),
        }
        for method in methods
    )


def perceptual() -> Lpips | None:
    """Load LPIPS."""
    located, _ = find_weights()
    if located is None or located.path is None:
        return None
    path = located.path / LPIPS.contents[0].name
    return Lpips(unpickle_arrays(path.read_bytes(), path.name))


def why_no_lpips() -> str:
    """Say why LPIPS is not available; empty where it is."""
    return find_weights()[1]
