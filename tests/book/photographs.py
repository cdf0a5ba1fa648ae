"""Look for photographs that may not be passed on among all images of a built book."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from ntkd_lib.data.catalogue import CARVANA
from ntkd_lib.data.mask_pairs import PARTS

ROWS, COLUMNS = 16, 24
ALIKE = 0.97
RASTER = (".png", ".jpg", ".jpeg", ".webp", ".gif")
TEXT = (".html", ".svg", ".css", ".js", ".json", ".ipynb", ".txt", ".md")
_DRAWING = re.compile(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)")
_EMBEDDED = re.compile(r"data:image/(?:png|jpe?g|webp|gif);base64,([A-Za-z0-9+/=\s]+)")
Thumbnails = Float[np.ndarray, "n 384"]


def thumbnails(images: UInt8[np.ndarray, "n 3 h w"]) -> Thumbnails:
    """Reduce images to grey means of 16 x 24 cells, centred and of unit length."""
    n, _, h, w = images.shape
    cells = images.reshape(n, 3, ROWS, h // ROWS, COLUMNS, w // COLUMNS)
    return _unit(cells.mean((1, 3, 5)).reshape(n, -1))


def _unit(rows: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    centred = rows - rows.mean(1, keepdims=True)
    return centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)


def site_images(html: Path) -> Iterator[tuple[str, bytes]]:
    """List the raster images of a built book: files, and images inside pages and drawings."""
    for path in sorted(html.rglob("*")):
        if path.suffix.lower() in RASTER:
            yield path.name, path.read_bytes()
        elif path.suffix.lower() in TEXT:
            for image in _within(path.read_text(encoding="utf-8", errors="replace")):
                yield path.name, image


def _within(text: str) -> Iterator[bytes]:
    for drawing in _DRAWING.findall(text):
        yield from _within(base64.b64decode(drawing).decode("utf-8", errors="replace"))
    for image in _EMBEDDED.findall(text):
        yield base64.b64decode(image)


def find_photographs(html: Path, known: Thumbnails) -> list[str]:
    """Compare every raster image of a built book with photographs, by correlation of thumbnails.

    A figure of several panels is published as a drawing too, in which each panel is an image of its own.
    """
    from PIL import Image, UnidentifiedImageError

    problems = []
    for name, encoded in site_images(html):
        try:
            grey = Image.open(io.BytesIO(encoded)).convert("RGB").convert("L").resize((COLUMNS, ROWS))
        except UnidentifiedImageError:
            continue
        rows = np.asarray(grey, np.float64)
        both_ways = _unit(
            np.stack([rows, rows[::-1]]).reshape(2, -1)
        )  # drawings may hold an image upside down
        likeness = float((known @ both_ways.T).max())
        if likeness > ALIKE:
            problems.append(f"{name}: an image is a photograph of {CARVANA.name} (likeness {likeness:.3f})")
    return problems


def check_photographs(html: Path) -> list[str]:
    """Check that a built book shows none of the user's own photographs of Carvana."""
    from ntkd_lib.data.masks import load_masks
    from ntkd_lib.data.registry import locate

    if locate(CARVANA.name).kind != "real":
        return []
    rows = [thumbnails(load_masks(CARVANA.name, part).images.numpy()) for part in PARTS]
    return find_photographs(html, np.concatenate(rows))
