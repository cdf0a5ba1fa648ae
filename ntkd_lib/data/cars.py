"""Draw photographs of imaginary cars with their masks, no matter of colour alone: the stand-in of Carvana."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from ntkd_lib.data.mask_arrays import MaskArrays
from ntkd_lib.data.mask_pairs import PARTS, Part, split_cars
from ntkd_lib.lab.digest import digest_json, sha256_bytes

CARS, VIEWS = 30, 8
HEIGHT, WIDTH = 160, 240
FINE = 2  # edges are drawn on a grid this many times finer
Y, X = (np.mgrid[:HEIGHT, :WIDTH] / HEIGHT).astype(np.float32)
Outline = Float[np.ndarray, "_ 2"]


@dataclass(frozen=True)
class DrawnMasks:
    """Drawn images with masks in memory, read-only; `path` is None, for they come from no file."""

    parts: dict[Part, MaskArrays]
    path: None
    sha256: str
    note: str


@dataclass(frozen=True)
class _Car:
    """Shape and colours of one car, lengths in units of the image's height."""

    length: float
    body: float
    roof: float
    cabin: tuple[float, float]
    wheel: float
    paint: Float[np.ndarray, " 3"]
    wall: Float[np.ndarray, " 3"]
    floor: Float[np.ndarray, " 3"]


def draw_cars(cars: int = CARS, views: int = VIEWS, seed: int = 0) -> DrawnMasks:
    """Draw cars, 160 x 240 pixels."""
    names = [f"drawn{number:03}" for number in range(cars)]
    part_of = split_cars(names)
    drawn: dict[Part, list[tuple[str, np.ndarray, np.ndarray]]] = {part: [] for part in PARTS}
    for number, name in enumerate(names):
        generator = np.random.default_rng([seed, number])
        car = _random_car(generator)
        drawn[part_of[name]] += [(name, *_view(car, v / views, generator)) for v in range(views)]
    parts = {part: _decoded(rows) for part, rows in drawn.items()}
    digests = {part: [sha256_bytes(d.images.tobytes() + d.masks.tobytes())] for part, d in parts.items()}
    note = f"{cars * views} drawings of {cars} cars"
    return DrawnMasks(parts, None, digest_json(digests), note)


def _decoded(rows: list[tuple[str, np.ndarray, np.ndarray]]) -> MaskArrays:
    cars, images, masks = zip(*rows, strict=True)
    decoded = MaskArrays(np.stack(images), np.stack(masks), cars)
    decoded.images.setflags(write=False)
    decoded.masks.setflags(write=False)
    return decoded


def _random_car(generator: np.random.Generator) -> _Car:
    u = generator.uniform
    start = u(0.12, 0.3)
    wall = (u(0.45, 0.85) + u(-0.05, 0.05, 3)).astype(np.float32)
    return _Car(
        length=u(0.85, 1.15),
        body=u(0.2, 0.28),
        roof=u(0.14, 0.24),
        cabin=(start, start + u(0.45, 0.6)),
        wheel=u(0.075, 0.1),
        paint=np.clip(u(0.05, 0.95) + u(-0.35, 0.35, 3), 0, 1).astype(np.float32),
        wall=wall,
        floor=wall * np.float32(u(0.6, 0.95)),
    )


def _view(
    car: _Car, turn: float, generator: np.random.Generator
) -> tuple[UInt8[np.ndarray, "3 h w"], Bool[np.ndarray, "h w"]]:
    angle = 2 * np.pi * turn
    size = generator.uniform(0.9, 1.1)
    stretch = size * (0.55 + 0.45 * abs(np.cos(angle))) * (1 if np.cos(angle) >= 0 else -1)
    middle = 0.75 + generator.uniform(-0.08, 0.08)
    ground = 0.78 + generator.uniform(-0.05, 0.03)

    def placed(outline: Outline) -> Outline:
        return np.stack([middle + stretch * outline[:, 0], ground - size * outline[:, 1]], axis=1)

    solid, windows, wheels = (_area([placed(o) for o in outlines]) for outlines in _outlines(car))
    image = _studio(car, ground, generator) * (1 - 0.5 * _area([placed(_shadow(car))]))
    image = _painted(image, solid, _shaded(car.paint, generator))
    image = _painted(image, windows, _colour(0.6 * car.wall + 0.1))
    image = _painted(image, wheels, _colour(np.full(3, 0.12, np.float32)))
    noise = generator.standard_normal((HEIGHT, WIDTH, 3), np.float32).transpose(2, 0, 1)
    pixels = image + 0.02 * noise
    mask = np.maximum(solid, wheels) >= 0.5
    return np.round(255 * np.clip(pixels, 0, 1)).astype(np.uint8), mask


def _outlines(car: _Car) -> tuple[list[Outline], list[Outline], list[Outline]]:
    """Compute the outlines of body with cabin, of windows and of wheels; x from -length / 2, y upwards."""
    half, base, top = car.length / 2, 0.6 * car.wheel, 0.6 * car.wheel + car.body
    left, right = (-half + share * car.length for share in car.cabin)
    bonnet = [(half, base), (half, base + 0.75 * car.body), (right + 0.1, top)]
    cabin = [(right - 0.04, top + car.roof), (left + 0.06, top + car.roof), (left - 0.06, top)]
    body = np.array([(-half, base), *bonnet, *cabin, (-half, base + 0.8 * car.body)])
    sill = top + 0.8 * car.roof
    windows = np.array([(right + 0.04, top), (right - 0.07, sill), (left + 0.09, sill), (left + 0.01, top)])
    circle = np.stack([f(np.linspace(0, 2 * np.pi, 24)) for f in (np.cos, np.sin)], axis=1) * car.wheel
    wheels = [circle + np.array([share * car.length, car.wheel]) for share in (-0.3, 0.3)]
    return [body], [windows], wheels


def _shadow(car: _Car) -> Outline:
    place = np.linspace(0, 2 * np.pi, 32)
    return np.stack([0.58 * car.length * np.cos(place), 0.05 * np.sin(place) - 0.01], axis=1)


def _area(outlines: list[Outline]) -> Float[np.ndarray, "h w"]:
    """Compute the share of each pixel that polygons cover; outlines in units of the image's height."""
    from PIL import Image, ImageDraw

    sheet = Image.new("L", (FINE * WIDTH, FINE * HEIGHT))
    pen = ImageDraw.Draw(sheet)
    for outline in outlines:
        pen.polygon([(float(x), float(y)) for x, y in outline * HEIGHT * FINE], fill=255)
    return np.asarray(sheet.reduce(FINE), np.float32) / 255


def _studio(car: _Car, ground: float, generator: np.random.Generator) -> Float[np.ndarray, "3 h w"]:
    light = 1 + generator.uniform(-0.12, 0.12) * (X - 0.75) + generator.uniform(-0.15, 0.05) * Y
    edge = np.clip((Y - np.float32(ground - 0.18)) / 0.06, 0, 1)
    return light.astype(np.float32) * (_colour(car.wall) * (1 - edge) + _colour(car.floor) * edge)


def _shaded(paint: Float[np.ndarray, " 3"], generator: np.random.Generator) -> Float[np.ndarray, "3 h w"]:
    wave = 0.12 * np.sin(9 * Y + 2 * X + generator.uniform(0, 2 * np.pi)) - 0.15 * (Y - 0.6)
    return np.clip(_colour(paint) + wave.astype(np.float32), 0, 1)


def _painted(image: np.ndarray, area: np.ndarray, colour: np.ndarray) -> Float[np.ndarray, "3 h w"]:
    return image * (1 - area) + colour * area


def _colour(values: Float[np.ndarray, " 3"]) -> Float[np.ndarray, "3 1 1"]:
    return values[:, None, None]
