"""What all work on classifiers behind optics starts from: its images, and the parts of a student."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from ntkd_lib.data.load import load, train_validation_split
from ntkd_lib.distill.training import Images
from ntkd_lib.lab import Data, Record, deterministic
from ntkd_lib.nets.back_ends import dense_back_end
from ntkd_lib.optics.absorber import CoarseReadOut, DeepFrontEnd, Place
from ntkd_lib.optics.front_end import IdealLens
from ntkd_lib.optics.student import HybridStudent, Optics, Rectified, signed_front_end

DIGIT_VALIDATION = 1 / 12


@dataclass(frozen=True)
class Partition:
    """Which images a cell trains, validates and is tested on."""

    seed: int  # of the split into training and validation images
    validation: float  # share of validation images
    images: int | None = None  # training images, from the first on, a fifth as many test images; None for all

    def count(self, data: Data) -> int:
        """Count the training images, roughly."""
        return self.images or (4_000 if data.name.endswith("5k") else 60_000)


@dataclass(frozen=True)
class Hybrid:
    """What a student is made of; optics and the places of ReLUs are named as `mnist_student` names them."""

    optics: Optics = "signed"
    rectified: Rectified = "both"
    hidden: tuple[int, ...] = (32,)  # widths of the hidden dense layers
    filters: int = 8
    filter_size: int = 7  # pixels per side
    size: int = 28  # pixels per side of an image
    colours: int = 1
    spread: bool = False  # filters start at unit spread, trained ones at principal components of patches
    block: int | None = None  # read-out values per side that are averaged, if any are
    grid: tuple[int, int] = (28, 56)  # values that a lens reads out, rows and columns
    layers: int = 0  # optical layers; 0 for filters without an absorber
    absorber: Place = "none"  # where a saturable absorber is, if there are layers


@dataclass(frozen=True)
class Setting:
    """Data of one cell on its device; shared by the cells of a process, never changed."""

    train: Images  # the whole training set
    rows: Int[Tensor, " n"]  # positions to train on
    held_out: Int[Tensor, " v"]  # positions of the validation images
    test: Images  # read once, after training


def prepare(data: Data, split: Partition, seed: int, device: str = "cpu") -> Setting:
    """Fix all seeds and load the data of a cell."""
    tests = split.images and split.images // 5
    train, test = (
        _images(data.name, data.sha256, part, count, device)
        for part, count in (("train", split.images), ("test", tests))
    )
    rows, held_out = train_validation_split(len(train.labels), split.seed, split.validation)
    deterministic(seed)
    return Setting(train, rows.to(device), held_out.to(device), test)


@lru_cache(maxsize=2)
def _images(name: str, sha256: str, part: Literal["train", "test"], count: int | None, device: str) -> Images:
    data = load(name, part, expect=sha256)
    return Images(data.images[:count].to(device).float().div_(255), data.labels[:count].to(device))


def digit_partition(seed: int) -> Partition:
    """Split all digits by the seed."""
    return Partition(seed, DIGIT_VALIDATION)


def build_student(parts: Hybrid) -> HybridStudent:
    """Build a student at a random start."""
    front = _front_end(parts)
    rectify = parts.rectified in ("both", "hidden")
    return HybridStudent(front, dense_back_end((front.read_out, *parts.hidden, 10), rectify=rectify))


def _front_end(parts: Hybrid) -> nn.Module:
    if parts.layers:
        return DeepFrontEnd(parts.layers, parts.absorber)
    if parts.optics == "lens":
        return IdealLens(*parts.grid, parts.colours)
    shape = {"size": parts.size, "filter_size": parts.filter_size, "colours": parts.colours}
    front = signed_front_end(parts.optics, parts.rectified, parts.filters, **shape)
    return CoarseReadOut(front, parts.block) if parts.block else front


def restore_student(record: Record, parts: Hybrid = Hybrid()) -> HybridStudent:
    """Rebuild a trained student, that of digits unless its parts are named."""
    model = build_student(parts)
    model.load_state_dict(state_of(record))
    return model


def kernel_errors(exact: Float[Tensor, "n n"], rebuilt: Float[Tensor, "n n"]) -> dict[str, float]:
    """Compare a compressed kernel with the exact one: cosine and relative error."""
    cosine = cosine_similarity(exact.flatten(), rebuilt.flatten(), dim=0).item()
    return {"cosine": cosine, "relative_error": ((rebuilt - exact).norm() / exact.norm()).item()}


def kernel_arrays(rows: Tensor, features: Tensor, diagonal: Tensor) -> dict[str, np.ndarray]:
    """Collect a compressed kernel as arrays of a record: images by row, features, and exact diagonal."""
    arrays = {"rows": rows, "features": features, "diagonal": diagonal}
    return {name: array.cpu().numpy() for name, array in arrays.items()}


def weights_of(model: nn.Module) -> dict[str, np.ndarray]:
    """Collect the weights of a network as arrays of a record."""
    return {f"weights.{k}": v.detach().cpu().contiguous().numpy() for k, v in model.state_dict().items()}


def state_of(record: Record) -> dict[str, Tensor]:
    """Collect the weights in a record for `load_state_dict`."""
    prefix = "weights."
    arrays = {k.removeprefix(prefix): v for k, v in record.arrays.items() if k.startswith(prefix)}
    return {name: torch.tensor(array) for name, array in arrays.items()}
