"""Decode a photograph and its mask, and reduce both to the size used here."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, UInt8

from ntkd_lib.data.mask_pairs import MaskDataset, Pair
from ntkd_lib.data.settings import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

HALF = 128  # of 255: a reduced mask pixel is set if at least half of its area was


def read_pair(dataset: MaskDataset, pair: Pair) -> tuple[UInt8[np.ndarray, "3 h w"], Bool[np.ndarray, "h w"]]:
    """Decode one pair, reduced with a Lanczos filter and by areas; damage and other sizes are refused."""
    image, mask = _opened(dataset, pair.image), _opened(dataset, pair.mask)
    frames = getattr(mask, "n_frames", 1)
    if frames != 1:
        raise DataError(f"{dataset.name}: mask {pair.mask.name} has {frames} frames, needs one")
    if image.size != mask.size:
        raise DataError(
            f"{dataset.name}: {pair.image.name} has {_size(image)} pixels, its mask {_size(mask)}; "
            "both must be the same"
        )
    with _blamed(dataset, pair.image):
        pixels = _reduced_image(image, dataset)
    with _blamed(dataset, pair.mask):
        return pixels, _reduced_mask(mask, dataset)


def _opened(dataset: MaskDataset, path: Path) -> Image:
    from PIL import Image

    with _blamed(dataset, path):
        return Image.open(io.BytesIO(path.read_bytes()))


@contextmanager
def _blamed(dataset: MaskDataset, path: Path) -> Iterator[None]:
    """Convert Pillow's errors and warnings on a file into one line that names the file."""
    from PIL.Image import DecompressionBombError, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    except (OSError, SyntaxError, Warning, DecompressionBombError) as error:
        text = (str(error).splitlines() or [type(error).__name__])[0]
        reason = "it is no image" if isinstance(error, UnidentifiedImageError) else text
        raise DataError(f"{dataset.name}: {path.name} is damaged or cut short: {reason}") from None


def _size(picture: Image) -> str:
    return f"{picture.width} x {picture.height}"


def _reduced_image(picture: Image, dataset: MaskDataset) -> UInt8[np.ndarray, "3 h w"]:
    from PIL.Image import Resampling

    target = (dataset.width, dataset.height)
    if picture.size != target:
        # a JPEG is decoded at half size if that leaves three pixels per side for each wanted one
        picture.draft("RGB", (3 * dataset.width, 3 * dataset.height))
        picture = picture.convert("RGB").resize(target, Resampling.LANCZOS)
    return np.asarray(picture.convert("RGB")).transpose(2, 0, 1)


def _reduced_mask(picture: Image, dataset: MaskDataset) -> Bool[np.ndarray, "h w"]:
    from PIL.Image import Resampling

    grey = picture.convert("L").point(lambda value: 255 * (value > 127))
    if grey.size != (dataset.width, dataset.height):
        grey = grey.resize((dataset.width, dataset.height), Resampling.BOX)
    return np.asarray(grey) >= HALF
