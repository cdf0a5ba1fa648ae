"""Cache a decoded segmentation data set: decoded once, then mapped into memory by every process."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from ntkd_lib.data import mask_pairs
from ntkd_lib.data.download import scratch_folder
from ntkd_lib.data.files import file_hash
from ntkd_lib.data.mask_pairs import PARTS, MaskDataset, Pair, Part, find_pairs, read_pair
from ntkd_lib.data.settings import DataError
from ntkd_lib.lab import sha256_file, write_json

ARRAYS = ("images.npy", "masks.npy")


@dataclass(frozen=True)
class MaskArrays:
    """One part of a decoded data set."""

    images: UInt8[np.ndarray, "n 3 h w"]  # from 0 to 255
    masks: Bool[np.ndarray, "n h w"]  # whether a pixel belongs to the object
    cars: tuple[str, ...]


def prepare_arrays(dataset: MaskDataset, folder: Path, sha256: str, cache_root: Path) -> Path:
    """Decode all pairs into the cache once, with a progress bar; nothing is left unless all were read."""
    decoder = sha256_file(Path(mask_pairs.__file__))[:8]
    target = cache_root / f"{dataset.name}-{dataset.width}x{dataset.height}-{sha256[:16]}-{decoder}"
    if (target / "pairs.json").is_file():
        return target
    pairs = find_pairs(dataset, folder)
    with scratch_folder(cache_root, dataset.name) as scratch:
        _write(dataset, pairs, scratch / "arrays")
        if not target.exists():  # another process may have been faster
            (scratch / "arrays").rename(target)
    return target


def _write(dataset: MaskDataset, pairs: list[Pair], into: Path) -> None:
    from tqdm import tqdm

    into.mkdir()
    shape = (len(pairs), 3, dataset.height, dataset.width)
    images = np.lib.format.open_memmap(into / ARRAYS[0], "w+", np.uint8, shape)
    masks = np.lib.format.open_memmap(into / ARRAYS[1], "w+", np.bool_, (len(pairs), *shape[2:]))
    for i, pair in enumerate(tqdm(pairs, desc=dataset.name, unit="pair", disable=None, leave=False)):
        images[i], masks[i] = read_pair(dataset, pair)
    images.flush()
    masks.flush()
    write_json(
        into / "pairs.json",
        {
            "parts": {part: sum(pair.part == part for pair in pairs) for part in PARTS},
            "cars": [pair.car for pair in pairs],
            "sha256": {name: sha256_file(into / name) for name in ARRAYS},
        },
    )


def read_arrays(folder: Path, part: Part) -> MaskArrays:
    """Map one part of a decoded data set into memory."""
    index = json.loads((folder / "pairs.json").read_text("utf-8"))
    hashes = {name: file_hash(folder / name) for name in ARRAYS if (folder / name).is_file()}
    if changed := next((name for name in ARRAYS if hashes.get(name) != index["sha256"][name]), None):
        raise DataError(f"{folder.name}/{changed} in the cache is damaged; delete {folder}")
    counts = [index["parts"][name] for name in PARTS]
    first = sum(counts[: PARTS.index(part)])
    rows = slice(first, first + counts[PARTS.index(part)])
    images, masks = (np.load(folder / name, mmap_mode="c")[rows] for name in ARRAYS)
    return MaskArrays(images, masks, tuple(index["cars"][rows]))
