"""Load a data set as tensors."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from ntkd_lib.data.catalogue import EmbeddedDataset, OfficialDataset, find_dataset
from ntkd_lib.data.files import parse_batch, parse_idx, read_content
from ntkd_lib.data.mask_pairs import MaskDataset
from ntkd_lib.data.pictures import PictureDataset, read_pictures
from ntkd_lib.data.registry import DataError, DataLocation, locate
from ntkd_lib.data.settings import check_known
from ntkd_lib.data.standins import standin

Split = Literal["train", "test"]


@dataclass(frozen=True)
class LabelledImages:
    """Images, labels and their origin."""

    images: UInt8[Tensor, "n c h w"]  # from 0 to 255
    labels: Int64[Tensor, " n"]
    classes: tuple[str, ...]  # names of the labels 0, 1, …
    located: DataLocation

    def __len__(self) -> int:
        return len(self.labels)


def load(name: str, split: Split, expect: str | None = None) -> LabelledImages:
    """Load the training or the test part of a data set, which may be expected to have a digest."""
    check_known("split", split, get_args(Split))
    dataset, located = find_dataset(name), locate_expected(name, expect)
    if isinstance(dataset, OfficialDataset) and dataset.layout == "files":
        raise DataError(f"{name} has no labelled images; read its files through ntkd_lib.data.signals")
    if isinstance(dataset, MaskDataset):
        raise DataError(f"{name} has masks and no labels; read it through ntkd_lib.data.masks")
    if located.kind == "standin" or isinstance(dataset, EmbeddedDataset):
        small = standin(name)
        return _wrap(small.images[split].copy(), small.labels[split], small.classes, located)
    images, labels = _read(dataset, located, split)
    return _wrap(images, labels, dataset.classes, located)


def locate_expected(name: str, expect: str | None) -> DataLocation:
    """Locate a data set and check the digest that it is expected to have; None for any."""
    located = locate(name)
    if expect is not None and expect != located.sha256:
        actual = f"{located.sha256[:12]} ({located.kind}, {located.source})"
        raise DataError(f"{name}: expected data {expect[:12]}, found {actual}")
    return located


def _wrap(
    images: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], located: DataLocation
) -> LabelledImages:
    if len(images) != len(labels):
        raise DataError(f"{located.name}: {len(images)} images but {len(labels)} labels")
    codes = torch.from_numpy(labels.astype(np.int64))
    return LabelledImages(torch.from_numpy(images), codes, classes, located)


def _read(
    dataset: OfficialDataset | PictureDataset, located: DataLocation, split: Split
) -> tuple[np.ndarray, np.ndarray]:
    folder = Path(located.path or "")
    if isinstance(dataset, PictureDataset):
        return read_pictures(dataset, folder, split)
    contents = [content for content in dataset.contents if content.split == split]
    arrays = {content.name: read_content(folder, content) for content in contents}
    if dataset.layout == "idx":
        images, labels = (parse_idx(array, name) for name, array in arrays.items())
        return images[:, None], labels
    batches = [parse_batch(array.tobytes(), name) for name, array in arrays.items()]
    images, labels = map(np.concatenate, zip(*batches, strict=True))
    return images, labels


def train_validation_split(
    n: int, seed: int, share: float = 0.1
) -> tuple[Int64[Tensor, " train"], Int64[Tensor, " validation"]]:
    """Draw which of `n` training images are held out for tuning; at least one falls on each side.

    The two parts are disjoint and cover everything; the first `n` alone and the seed decide, so that all
    methods of one seed tune on the same images.
    """
    if n < 2 or not 0 < share < 1:
        raise ValueError(f"cannot split n={n} with share={share}; allowed: n >= 2 and 0 < share < 1")
    held = min(max(round(n * share), 1), n - 1)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    return order[held:].sort().values, order[:held].sort().values
