"""Load images with masks: the user's copy of the real data set, else drawings."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from ntkd_lib.data.catalogue import find_dataset
from ntkd_lib.data.load import locate_expected
from ntkd_lib.data.mask_arrays import prepare_arrays, read_arrays
from ntkd_lib.data.mask_pairs import PARTS, MaskDataset, Part
from ntkd_lib.data.registry import DataLocation
from ntkd_lib.data.settings import DataError, check_known, read_settings
from ntkd_lib.data.standins import standin


@dataclass(frozen=True)
class MaskedImages:
    """Images, their masks and their origin."""

    images: UInt8[Tensor, "n 3 h w"]  # from 0 to 255
    masks: Bool[Tensor, "n h w"]  # whether a pixel belongs to the object
    cars: tuple[str, ...]
    located: DataLocation


def load_masks(name: str, part: Part, expect: str | None = None) -> MaskedImages:
    """Load one part of a data set with masks; real images are mapped, and take memory as they are read."""
    check_known("part", part, PARTS)
    dataset, located = find_dataset(name), locate_expected(name, expect)
    if not isinstance(dataset, MaskDataset):
        raise DataError(f"{name} has labels and no masks; read it through ntkd_lib.data.load")
    if located.kind == "standin":
        decoded = standin(name).parts[part]
    else:
        folder = prepare_arrays(dataset, Path(located.path or ""), located.sha256, read_settings().cache_root)
        decoded = read_arrays(folder, part)
    arrays = (decoded.images, decoded.masks)
    images, masks = (torch.from_numpy(a if a.flags.writeable else a.copy()) for a in arrays)
    return MaskedImages(images, masks, decoded.cars, located)
