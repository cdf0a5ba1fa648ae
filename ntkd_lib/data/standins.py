"""Make small substitutes for missing data sets, never evidence: packaged digits, drawn garments, textures."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64, UInt8

from ntkd_lib.data.cars import DrawnMasks, draw_cars
from ntkd_lib.data.catalogue import DATASETS, EmbeddedDataset
from ntkd_lib.data.settings import DataError
from ntkd_lib.lab.digest import digest_json, sha256_bytes

TEST_SHARE = 0.2
PHOTOGRAPHS = ("astronaut", "camera", "brick", "gravel")
DRAWN = 5_000

# Parts of a garment: centre x, centre y, half width, half height, slant (width lost towards the top).
# Coordinates run from -1 to 1, y downwards. Neighbouring garments share parts, so that they are confused.
_SLEEVES = ((-0.6, -0.35, 0.2, 0.2, 0.0), (0.6, -0.35, 0.2, 0.2, 0.0))
_LONG_SLEEVES = ((-0.62, 0.05, 0.14, 0.6, 0.0), (0.62, 0.05, 0.14, 0.6, 0.0))
_SHAPES: dict[str, tuple[tuple[float, ...], ...]] = {
    "T-shirt/top": ((0.0, 0.05, 0.45, 0.65, 0.0), *_SLEEVES),
    "Trouser": ((-0.22, 0.1, 0.17, 0.8, 0.0), (0.22, 0.1, 0.17, 0.8, 0.0), (0.0, -0.65, 0.38, 0.15, 0.0)),
    "Pullover": ((0.0, 0.05, 0.48, 0.62, 0.0), *_LONG_SLEEVES),
    "Dress": ((0.0, 0.0, 0.42, 0.85, 0.5),),
    "Coat": ((0.0, 0.1, 0.48, 0.78, 0.1), *_LONG_SLEEVES),
    "Sandal": ((0.0, 0.45, 0.8, 0.1, 0.0), (-0.4, 0.15, 0.12, 0.25, 0.0), (0.35, 0.2, 0.12, 0.2, 0.0)),
    "Shirt": ((0.0, 0.05, 0.44, 0.68, 0.1), (-0.58, -0.15, 0.16, 0.4, 0.0), (0.58, -0.15, 0.16, 0.4, 0.0)),
    "Sneaker": ((0.0, 0.35, 0.8, 0.22, 0.0), (0.35, 0.1, 0.4, 0.2, 0.0)),
    "Bag": ((0.0, 0.25, 0.65, 0.45, 0.1), (-0.3, -0.4, 0.07, 0.3, 0.0), (0.3, -0.4, 0.07, 0.3, 0.0)),
    "Ankle boot": ((-0.1, 0.45, 0.75, 0.2, 0.0), (0.35, 0.0, 0.28, 0.55, 0.0)),
}

# Texture classes: two palettes by five patterns; neither alone tells the class.
_PATTERNS: dict[str, Callable[..., np.ndarray]] = {  # of coordinates and phase
    "vertical stripes": lambda x, _, phase: np.sin(10 * x + phase),
    "horizontal stripes": lambda _, y, phase: np.sin(10 * y + phase),
    "diagonal stripes": lambda x, y, phase: np.sin(7 * (x + y) + phase),
    "checks": lambda x, y, phase: np.sin(10 * x + phase) * np.sin(10 * y - phase),
    "rings": lambda x, y, phase: np.sin(11 * np.sqrt(x * x + y * y) + phase),
}
_PALETTES = (("warm", (0.75, 0.45, 0.3)), ("cold", (0.35, 0.5, 0.7)))
TEXTURES = tuple(f"{palette} {pattern}" for palette, _ in _PALETTES for pattern in _PATTERNS)


@dataclass(frozen=True)
class SmallDataset:
    """A small data set in memory, read-only."""

    images: dict[str, UInt8[np.ndarray, "_ c h w"]]  # from 0 to 255, by split
    labels: dict[str, Int64[np.ndarray, " _"]]  # by split
    classes: tuple[str, ...]
    path: Path | None  # None if it was drawn
    sha256: str  # of all pixels and labels
    note: str

    def __post_init__(self) -> None:
        for array in (*self.images.values(), *self.labels.values()):
            array.setflags(write=False)


def package_file(dataset: EmbeddedDataset) -> Path:
    """Find the file of an embedded data set without importing its package."""
    spec = importlib.util.find_spec(dataset.package)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = Path(folder) / dataset.file
        if path.is_file():
            return path
    raise DataError(f"{dataset.name}: the package {dataset.package} has no {dataset.file}; install it again")


def read_integer_table(path: Path, columns: int) -> Int64[np.ndarray, "rows columns"]:
    """Read comma-separated integers, one row per line, packed or not."""
    try:
        table = np.loadtxt(path, np.int64, delimiter=",", ndmin=2)
    except ValueError:
        table = np.empty((0, 0), np.int64)
    if table.shape[1] != columns:
        raise DataError(f"{path.name} is not a table of integers with {columns} columns")
    return table


def _split(
    images: UInt8[np.ndarray, "n c h w"], labels: Int64[np.ndarray, " n"]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Split the last fifth of each class off as test part and shuffle both parts."""
    order = np.random.default_rng(0).permutation(len(labels))
    rank = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        rank[members] = np.arange(len(members)) >= round(len(members) * (1 - TEST_SHARE))
    parts = {"train": order[rank[order] == 0], "test": order[rank[order] == 1]}
    return ({k: images[i] for k, i in parts.items()}, {k: labels[i] for k, i in parts.items()})


def _small(
    images: UInt8[np.ndarray, "n c h w"],
    labels: Int64[np.ndarray, " n"],
    classes: tuple[str, ...],
    path: Path | None,
    note: str,
) -> SmallDataset:
    parts = _split(images, labels)
    arrays = {f"{kind} {split}": a for kind, p in zip("xy", parts, strict=True) for split, a in p.items()}
    sha256 = digest_json({name: [sha256_bytes(a.tobytes()), *a.shape] for name, a in arrays.items()})
    return SmallDataset(*parts, classes, path, sha256, note)


def _embedded(name: str) -> SmallDataset:
    dataset = DATASETS[name]
    path = package_file(dataset)
    table = read_integer_table(path, dataset.side**2 + 1)
    pixels = ((table[:, :-1] * 255 + dataset.peak // 2) // dataset.peak).astype(np.uint8)
    images = pixels.reshape(-1, 1, dataset.side, dataset.side)
    note = f"{len(images):,} real images that {dataset.package} ships"
    return _small(images, table[:, -1].copy(), dataset.classes, path, note)


def _soft_box(
    x: Float[np.ndarray, "n h w"], y: Float[np.ndarray, "n h w"], part: tuple[float, ...]
) -> Float[np.ndarray, "n h w"]:
    centre_x, centre_y, half_width, half_height, slant = part
    width = half_width * (1 + slant * np.clip((y - centre_y) / half_height, -1, 1))
    inside = np.minimum(width - np.abs(x - centre_x), half_height - np.abs(y - centre_y))
    return np.clip(0.5 + 9 * inside, 0, 1)


def _grid(
    count: int, side: int, generator: np.random.Generator, jitter: float
) -> tuple[np.ndarray, np.ndarray]:
    """Compute each image's sampling grid: shifted, scaled and turned a little."""
    y, x = np.meshgrid(*2 * [np.linspace(-1, 1, side, dtype=np.float32)], indexing="ij")
    drawn = jitter * generator.standard_normal((5, count, 1, 1), np.float32)
    shift_x, shift_y, scale_x, scale_y, angle = drawn
    turned_x, turned_y = x + angle * y + shift_x, y - angle * x + shift_y
    return turned_x * (1 + scale_x), turned_y * (1 + scale_y)


def draw_garments(count: int = DRAWN, seed: int = 0) -> SmallDataset:
    """Draw silhouettes of the ten garments, 28 × 28, jittered, unevenly lit and noisy."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 10
    x, y = _grid(count, 28, generator, 0.12)
    masks = np.zeros((count, 28, 28), np.float32)
    garments = tuple(_SHAPES)
    for label, name in enumerate(garments):
        mine = labels == label
        masks[mine] = np.max([_soft_box(x[mine], y[mine], part) for part in _SHAPES[name]], axis=0)
    light, tilt, phase = generator.uniform(-1, 1, (3, count, 1, 1)).astype(np.float32)
    cloth = 0.6 + 0.25 * light + 0.2 * tilt * x + 0.12 * np.sin(9 * (x * tilt + y) + 3 * phase)
    noise = generator.standard_normal(masks.shape, np.float32)
    pixels = masks * np.clip(cloth + 0.12 * noise, 0, 1)
    images = np.round(255 * pixels).astype(np.uint8)[:, None]
    return _small(images, labels, garments, None, f"{count:,} drawn silhouettes of garments")


def draw_textures(count: int = DRAWN, seed: int = 0) -> SmallDataset:
    """Draw ten kinds of coloured texture, 32 × 32, with random phase, contrast, hue and noise."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count, dtype=np.int64) % 10
    x, y = _grid(count, 32, generator, 0.15)
    phase = generator.uniform(0, 2 * np.pi, (count, 1, 1)).astype(np.float32)
    waves = np.empty((count, 32, 32), np.float32)
    for index, wave in enumerate(_PATTERNS.values()):
        mine = labels % 5 == index
        waves[mine] = wave(x[mine], y[mine], phase[mine])
    hue = np.array([colour for _, colour in _PALETTES], np.float32)[labels // 5][:, :, None, None]
    hue = hue + 0.15 * generator.standard_normal((count, 3, 1, 1), np.float32)
    contrast = generator.uniform(0.08, 0.3, (count, 1, 1, 1)).astype(np.float32)
    noise = generator.standard_normal((count, 3, 32, 32), np.float32)
    pixels = np.clip(hue + contrast * waves[:, None] + 0.12 * noise, 0, 1)
    note = f"{count:,} drawn colour textures"
    return _small(np.round(255 * pixels).astype(np.uint8), labels, TEXTURES, None, note)


def packaged_photographs() -> SmallDataset:
    """Read four images that scikit-image ships, the stand-in of the single signals; grey becomes colour."""
    from PIL import Image

    spec = importlib.util.find_spec("skimage")
    folder = Path((spec.submodule_search_locations or [""])[0] if spec else "") / "data"
    images = [np.asarray(Image.open(folder / f"{name}.png").convert("RGB")) for name in PHOTOGRAPHS]
    pixels = np.stack(images).transpose(0, 3, 1, 2).copy()
    labels = np.zeros(len(pixels), np.int64)
    sha256 = digest_json({"images": sha256_bytes(pixels.tobytes()), "shape": list(pixels.shape)})
    note = f"{len(pixels)} images that scikit-image ships, a chirp and a torus"
    return SmallDataset({"train": pixels}, {"train": labels}, (), folder, sha256, note)


def _enlarged(small: SmallDataset, times: int) -> SmallDataset:
    """Repeat each pixel, for networks that look at larger images."""
    images = {split: part.repeat(times, 2).repeat(times, 3) for split, part in small.images.items()}
    note = f"{small.note}, enlarged {times} times"
    return SmallDataset(images, small.labels, small.classes, None, small.sha256, note)


_MAKERS: dict[str, Callable[[], SmallDataset | DrawnMasks]] = {
    "mnist": lambda: standin("mnist-5k"),
    "mnist-5k": lambda: _embedded("mnist-5k"),
    "digits": lambda: _embedded("digits"),
    "fashion-mnist": draw_garments,
    "cifar-10": draw_textures,
    "signals": packaged_photographs,
    "carvana": lambda: standin("drawn-cars"),
    "drawn-cars": draw_cars,
    "imagenette": lambda: _enlarged(draw_textures(1_000), 4),
}


@cache
def standin(name: str) -> SmallDataset | DrawnMasks:
    """Make the small substitute of a real data set, once per process."""
    return _MAKERS[name]()
