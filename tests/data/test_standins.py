"""Stand-ins: the same every time, apart from each other, learnable yet not trivial."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from ntkd_lib.data import standins
from ntkd_lib.data.catalogue import DATASETS
from ntkd_lib.data.settings import DataError
from ntkd_lib.data.standins import (
    draw_garments,
    draw_textures,
    package_file,
    read_integer_table,
    standin,
)

NAMES = ["mnist-5k", "digits", "fashion-mnist", "cifar-10"]


def pixels(images):
    return images.reshape(len(images), -1) / 255


def linear_accuracy(small, features, count=2000):
    """Ridge regression on one-hot labels: the plainest linear classifier."""
    x, x_test = (np.c_[part, np.ones(len(part))] for part in map(features, small.images.values()))
    x, y = x[:count], small.labels["train"][:count]
    weights = np.linalg.solve(x.T @ x + 10 * np.eye(x.shape[1]), x.T @ np.eye(10)[y])
    return np.mean((x_test @ weights).argmax(1) == small.labels["test"])


@pytest.mark.parametrize("name", NAMES)
def test_classes_are_even_and_parts_share_no_image(name):
    small = standin(name)
    shares = [np.bincount(small.labels[split], minlength=10) for split in ("train", "test")]
    assert all(share.max() <= 1.1 * share.min() for share in shares)
    train, test = ({image.tobytes() for image in small.images[split]} for split in ("train", "test"))
    assert not train & test


@pytest.mark.parametrize("name", NAMES)
def test_classes_are_mixed_so_that_a_first_part_holds_them_all(name):
    assert set(standin(name).labels["train"][:100].tolist()) == set(range(10))


@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_cannot_be_changed(name):
    with pytest.raises(ValueError, match="read-only"):
        standin(name).images["train"][0] = 0


@pytest.mark.parametrize(
    "name, low, high", [("mnist-5k", 0.75, 0.92), ("digits", 0.85, 0.97), ("fashion-mnist", 0.7, 0.93)]
)
def test_a_linear_classifier_learns_but_does_not_solve_them(name, low, high):
    assert low < linear_accuracy(standin(name), pixels) < high


def texture_features(images):
    """Mean colour and strength of the low frequencies: what a small convolution could see."""
    grey = images.mean(1)
    power = np.log1p(np.abs(np.fft.fft2(grey - grey.mean((1, 2), keepdims=True))) ** 2)
    bands = [power[:, :9, :9], power[:, :9, -9:]]
    return np.c_[images.mean((2, 3)) / 30, *(band.reshape(len(images), -1) for band in bands)]


def test_textures_need_more_than_pixels():
    small = standin("cifar-10")
    assert 0.15 < linear_accuracy(small, lambda images: pixels(images[:, :, ::2, ::2])) < 0.45
    assert 0.75 < linear_accuracy(small, texture_features) < 0.99


@pytest.mark.parametrize("draw", [draw_garments, draw_textures])
def test_drawing_is_a_function_of_count_and_seed(draw):
    assert draw(50).sha256 == draw(50).sha256
    assert draw(50).sha256 != draw(50, seed=1).sha256
    assert draw(50).sha256 != draw(60).sha256


def test_another_process_draws_the_same():
    code = "from ntkd_lib.data.standins import *; print(draw_garments(50).sha256, draw_textures(50).sha256)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [draw_garments(50).sha256, draw_textures(50).sha256]


def test_digest_covers_pixels_and_labels():
    small = draw_garments(50)
    labels = np.concatenate([small.labels["train"], small.labels["test"]])
    images = np.concatenate([small.images["train"], small.images["test"]])
    digests = {
        standins._small(images, labels, small.classes, None, "").sha256,
        standins._small(images, (labels + 1) % 10, small.classes, None, "").sha256,
        standins._small(images ^ 1, labels, small.classes, None, "").sha256,
    }
    assert len(digests) == 3


@pytest.mark.parametrize("text", ["1,2\n3\n", "1,1.5\n", "a,b\n", "1\n2\n", "1,2,\n", "1;2\n", "1,\n"])
def test_other_tables_are_refused(text, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=r"^t.csv is not a table of integers with 2 columns$"):
        read_integer_table(path, 2)


@pytest.mark.parametrize("change", [{"package": "no_such_package"}, {"file": "no/such/file"}])
def test_missing_package_is_one_line(change):
    with pytest.raises(DataError, match=r"^digits: the package \w+ has no .*; install it again$"):
        package_file(replace(DATASETS["digits"], **change))
