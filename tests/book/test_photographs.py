"""A photograph that may not be passed on is found wherever a built book could hide it; drawings are not."""

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from ntkd_lib.data.cars import draw_cars
from ntkd_lib.lab.layout import tier_layout
from tests.book import fake
from tests.book.photographs import (
    check_photographs,
    find_photographs,
    site_images,
    thumbnails,
)


@pytest.fixture(scope="module")
def photographs():
    """Images that stand for the user's photographs, and others that do not."""
    mine, others = (draw_cars(3, 4, seed=seed).parts["train"].images for seed in (1, 2))
    return mine, others


def as_png(image):
    buffer = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).resize((120, 80)).save(buffer, "png")
    return buffer.getvalue()


def as_figure(image):
    figure, axes = plt.subplots()
    axes.imshow(image.transpose(1, 2, 0))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg")
    plt.close(figure)
    return buffer.getvalue()


def address(kind, raw):
    return f"data:image/{kind};base64,{base64.b64encode(raw).decode()}"


HIDING = {
    "photo.png": as_png,
    "embedded.html": lambda image: f'<img src="{address("png", as_png(image))}">'.encode(),
    "figure.svg": as_figure,
    "page.html": lambda image: f'<img src="{address("svg+xml", as_figure(image))}">'.encode(),
}


@pytest.mark.parametrize("name", HIDING)
def test_a_photograph_is_found_and_others_are_not(tmp_path, photographs, name):
    mine, others = photographs
    known = thumbnails(mine)
    (tmp_path / name).write_bytes(HIDING[name](others[0]))
    assert len(list(site_images(tmp_path))) == 1
    assert find_photographs(tmp_path, known) == []
    (tmp_path / name).write_bytes(HIDING[name](mine[0]))
    (problem,) = find_photographs(tmp_path, known)
    assert problem.startswith(f"{name}: an image is a photograph of carvana (likeness 0.9")


def test_the_built_book_shows_no_photograph(built, photographs):
    html = tier_layout(fake.TIER).html
    assert list(site_images(html))
    assert find_photographs(html, thumbnails(photographs[0])) == []
    assert check_photographs(html) == []


def test_thumbnails_correlate_with_themselves():
    images = np.random.default_rng(0).integers(0, 256, (3, 3, 160, 240), np.uint8)
    likeness = thumbnails(images) @ thumbnails(images).T
    assert np.allclose(likeness.diagonal(), 1)
    assert np.abs(likeness - np.eye(3)).max() < 0.5
