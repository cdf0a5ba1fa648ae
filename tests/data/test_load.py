"""Loading: the very pixels and labels of the files, as tensors of the caller's own."""

import hashlib
import inspect
import os
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from ntkd_lib.data import registry
from ntkd_lib.data.catalogue import DATASETS
from ntkd_lib.data.load import load
from ntkd_lib.data.registry import DataError, locate

REAL = os.environ.get("NTKD_DATA", "")


@pytest.mark.parametrize("split, prefix", [("train", "train"), ("test", "t10k")])
def test_idx_pixels_and_labels(catalogue, split, prefix):
    loaded = load("mnist", split)
    assert np.array_equal(loaded.images[:, 0].numpy(), catalogue.idx.arrays[f"{prefix}-images-idx3-ubyte"])
    assert loaded.labels.tolist() == catalogue.idx.arrays[f"{prefix}-labels-idx1-ubyte"].tolist()
    assert (loaded.images.dtype, loaded.labels.dtype) == (torch.uint8, torch.int64)
    assert loaded.classes == tuple("0123456789")
    assert loaded.located.kind == "real"
    assert len(loaded) == len(loaded.labels)


def test_batches_are_joined_in_order(catalogue):
    names = [f"data_batch_{k}" for k in range(1, 6)]
    pixels = np.concatenate([catalogue.cifar.arrays[name][0] for name in names])
    labels = [label for name in names for label in catalogue.cifar.arrays[name][1]]
    loaded = load("cifar-10", "train")
    assert np.array_equal(loaded.images.numpy(), pixels.reshape(-1, 3, 32, 32))
    assert loaded.labels.tolist() == labels
    assert np.array_equal(
        load("cifar-10", "test").images.flatten(1).numpy(), catalogue.cifar.arrays["test_batch"][0]
    )


@pytest.mark.parametrize("name", ["mnist", "cifar-10", "digits"])
def test_what_is_loaded_may_be_changed(catalogue, name):
    first = load(name, "test")
    kept = first.images.clone(), first.labels.clone()
    first.images.zero_()
    first.labels.zero_()
    again = load(name, "test")
    assert torch.equal(again.images, kept[0])
    assert torch.equal(again.labels, kept[1])


def test_expected_data_are_loaded(catalogue):
    assert len(load("mnist", "train", expect=locate("mnist").sha256)) == 20


def test_other_data_than_expected_are_one_line(catalogue, monkeypatch):
    real = locate("mnist").sha256
    monkeypatch.setenv("NTKD_OFFLINE", "1")
    monkeypatch.setenv("NTKD_CACHE", "/nowhere")
    with pytest.raises(
        DataError, match=rf"^mnist: expected data {real[:12]}, found [0-9a-f]{{12}} \(standin, package\)$"
    ):
        load("mnist", "train", expect=real)


def test_unknown_split_is_one_line():
    with pytest.raises(DataError, match=r"^unknown split 'valid'; allowed: train, test$"):
        inspect.unwrap(load)("mnist", "valid")  # past the type checker of the tests


def test_file_that_changed_after_it_was_found_is_not_read(catalogue):
    path = locate("cifar-10").path / "data_batch_2"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match=r"data_batch_2 is missing or damaged; delete it and run again$"):
        load("cifar-10", "train")


def test_images_without_labels_are_one_line(catalogue, tmp_path, monkeypatch, fill):
    labels = bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 7])
    dataset = catalogue.idx.dataset
    contents = [
        replace(content, sha256=hashlib.sha256(labels).hexdigest())
        if "train-labels" in content.name
        else content
        for content in dataset.contents
    ]
    monkeypatch.setitem(DATASETS, "mnist", replace(dataset, contents=tuple(contents)))
    fill(tmp_path / "cache/MNIST/raw", {**catalogue.idx.raw, "train-labels-idx1-ubyte": labels})
    with pytest.raises(DataError, match=r"^mnist: 20 images but 2 labels$"):
        load("mnist", "train")


@pytest.mark.parametrize(
    "name, shape, count",
    [
        ("mnist", (1, 28, 28), (4000, 1000)),
        ("fashion-mnist", (1, 28, 28), (4000, 1000)),
        ("cifar-10", (3, 32, 32), (4000, 1000)),
        ("imagenette", (3, 128, 128), (800, 200)),
        ("mnist-5k", (1, 28, 28), (4000, 1000)),
        ("digits", (1, 8, 8), (1438, 359)),
    ],
)
def test_stand_ins_have_the_shape_of_the_real_thing(monkeypatch, name, shape, count):
    monkeypatch.setenv("NTKD_OFFLINE", "1")
    for split, expected in zip(("train", "test"), count, strict=True):
        loaded = load(name, split)
        assert tuple(loaded.images.shape) == (expected, *shape)
        assert loaded.images.min() == 0
        assert loaded.images.max() == 255
        assert loaded.labels.unique().tolist() == list(range(10))
        assert len(loaded.classes) == 10
        assert loaded.located.kind == "standin"


@pytest.fixture
def real_data(monkeypatch):
    monkeypatch.setenv("NTKD_DATA", REAL)
    monkeypatch.setenv("NTKD_OFFLINE", "1")
    registry.forget()


@pytest.mark.real_data
@pytest.mark.skipif(not REAL, reason="NTKD_DATA is not set")
@pytest.mark.parametrize(
    "name, means, first",
    [
        # mean pixel of the training images, as published with common normalisations
        ("mnist", [0.1307], [5, 0, 4, 1, 9]),
        ("fashion-mnist", [0.2860], [9, 0, 0, 3, 0]),
        ("cifar-10", [0.4914, 0.4822, 0.4465], [6, 9, 9, 4, 1]),
    ],
)
def test_real_data_are_what_everybody_knows(real_data, name, means, first):
    train, test = load(name, "train"), load(name, "test")
    assert train.located.source == "NTKD_DATA"
    assert (len(train), len(test)) == (50_000 if name == "cifar-10" else 60_000, 10_000)
    assert (train.images.double().mean((0, 2, 3)) / 255).tolist() == pytest.approx(means, abs=5e-5)
    assert train.labels[:5].tolist() == first


@pytest.mark.real_data
@pytest.mark.skipif(not REAL, reason="NTKD_DATA is not set")
def test_second_load_of_mnist_takes_less_than_half_a_second(real_data):
    load("mnist", "train")
    start = time.process_time()
    load("mnist", "train")
    assert time.process_time() - start < 0.5


@pytest.mark.real_data
@pytest.mark.skipif(not REAL, reason="NTKD_DATA is not set")
def test_embedded_images_are_mnist_training_images(real_data):
    known = {image.numpy().tobytes() for image in load("mnist", "train").images}
    embedded = [
        image.numpy().tobytes() for split in ("train", "test") for image in load("mnist-5k", split).images
    ]
    assert len(set(embedded)) == 5000
    assert set(embedded) <= known
