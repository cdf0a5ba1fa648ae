"""Load images with masks: the user's copy of the real data set, else drawings."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from ntkd_lib.data.catalogue import find_dataset
from ntkd_lib.data.load import locate_expected
from ntkd_lib.data.mask_arrays import MaskArrays, prepare_arrays, read_arrays
from ntkd_lib.data.mask_pairs import MaskDataset, Part
from ntkd_lib.data.registry import DataLocation
from ntkd_lib.data.settings import DataError, read_settings
from ntkd_lib.data.standins import drawn_masks


@dataclass(frozen=True)
class MaskedImages:
    """Images, their masks and their origin.

    Attributes:
        images: pixels from 0 to 255.
        masks: whether a pixel belongs to the object.
    """

    images: UInt8[Tensor, "n 3 h w"]
    masks: Bool[Tensor, "n h w"]
    cars: tuple[str, ...]
    located: DataLocation


def load_masks(name: str, part: Part, expect: str | None = None) -> MaskedImages:
    """Load one part of a data set with masks.

    Args:
        part: ``train``, ``val`` or ``test``; no object is in two of them.
        expect: digest that the data must have, as a cell of work recorded it.

    Returns:
        Tensors; real images are mapped from the cache and take memory as they are read.

    Raises:
        DataError: unknown name, a data set without masks, pairs that are refused, or other data than
            expected.
    """
    dataset, located = find_dataset(name), locate_expected(name, expect)
    if not isinstance(dataset, MaskDataset):
        raise DataError(f"{name} has labels and no masks; read it through ntkd_lib.data.load")
    decoded = _decoded(dataset, located, part)
    images, masks = (torch.from_numpy(_writable(a)) for a in (decoded.images, decoded.masks))
    return MaskedImages(images, masks, decoded.cars, located)


def _decoded(dataset: MaskDataset, located: DataLocation, part: Part) -> MaskArrays:
    if located.kind == "standin":
        return drawn_masks(dataset.name).parts[part]
    folder = prepare_arrays(dataset, Path(located.path or ""), located.sha256, read_settings().cache_root)
    return read_arrays(folder, part)


def _writable(array: np.ndarray) -> np.ndarray:
    return array if array.flags.writeable else array.copy()
