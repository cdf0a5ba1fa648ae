"""Weights of published networks: never committed, brought by the user."""

from functools import cache

from ntkd_lib.data.catalogue import WEIGHTS, OfficialDataset
from ntkd_lib.data.registry import DataLocation, find_real
from ntkd_lib.data.settings import read_settings

LPIPS = WEIGHTS["lpips-alexnet"]


@cache
def find_weights(weights: OfficialDataset = LPIPS) -> tuple[DataLocation | None, str]:
    """Find weights in the user's folder or the cache; None, and the reason, if they are not there."""
    reasons: list[str] = []
    located = find_real(weights, read_settings(), reasons, download=False)
    return located, "" if located else "; ".join(reasons)
