"""Decoding: exact on good bytes, one line on bad ones, no code ever run from a pickle."""

import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ntkd_lib.data.files import parse_batch, parse_idx
from ntkd_lib.data.settings import DataError
from tests.data.conftest import cifar_batch

SHAPES = st.one_of(
    st.tuples(st.integers(0, 7)), st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(0, 5))
)


def as_bytes(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return np.frombuffer(header + array.tobytes(), np.uint8)


@given(arrays(np.uint8, SHAPES))
def test_idx_round_trip(array):
    parsed = parse_idx(as_bytes(array), "f")
    assert parsed.shape == array.shape
    assert np.array_equal(parsed, array)


@given(arrays(np.uint8, SHAPES), st.integers(1, 9))
def test_truncated_idx_is_refused(array, lost):
    data = as_bytes(array)
    with pytest.raises(DataError, match=r"^f "):
        parse_idx(data[: max(0, data.size - lost)], "f")


@pytest.mark.parametrize(
    "header", [[0, 0, 9, 1], [1, 0, 8, 1], [0, 0, 8, 2], [0, 0, 8, 0], [31, 139, 8, 8], []]
)
def test_foreign_header_is_refused(header):
    with pytest.raises(DataError, match=r"^f is not an idx file of unsigned bytes$"):
        parse_idx(np.array([*header, 0, 0, 0, 0] if header else [], np.uint8), "f")


def test_idx_with_more_values_than_its_header_says():
    data = np.concatenate([as_bytes(np.zeros(3, np.uint8)), np.zeros(2, np.uint8)])
    with pytest.raises(DataError, match=r"^f holds 5 values, its header says 3$"):
        parse_idx(data, "f")


PIXELS = np.arange(2 * 3072, dtype=np.uint32).astype(np.uint8).reshape(2, 3072)


@pytest.mark.parametrize("rows", [1, 2, 255, 256, 1003])
def test_batch_round_trip(rows):
    pixels, labels = np.resize(PIXELS, (rows, 3072)), [i % 10 for i in range(rows)]
    raw = cifar_batch(pixels, labels)
    images, parsed = parse_batch(raw, "b")
    assert images.shape == (rows, 3, 32, 32)
    assert np.array_equal(images.reshape(rows, 3072), pixels)
    assert parsed.tolist() == labels
    loaded = pickle.loads(raw, encoding="latin1")  # ours, so that it may be loaded
    assert (loaded["labels"], len(loaded["filenames"])) == (labels, rows)
    assert np.array_equal(loaded["data"], pixels)


def test_red_plane_comes_first():
    pixels = np.concatenate([np.full(1024, value, np.uint8) for value in (10, 20, 30)])[None]
    images, _ = parse_batch(cifar_batch(pixels, [0]), "b")
    assert images[0, :, 5, 7].tolist() == [10, 20, 30]


class Evil:
    def __init__(self, call, *arguments):
        self.what = (call, arguments)

    def __reduce__(self):
        return self.what


def altered(old, new):
    raw = cifar_batch(PIXELS, [3, 9])
    assert old in raw
    return raw.replace(old, new, 1)


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("call", [(os.system, "touch {}"), (np.fromfile, "{}"), (np.ndarray, "{}")])
def test_no_other_pickle_is_read(tmp_path, call, protocol):
    mark = tmp_path / "mark"
    evil = pickle.dumps(Evil(call[0], call[1].format(mark)), protocol)
    inside = altered(b"filenamesq\x0c]", b"filenamesq\x0c" + evil[2:-1] + b"]")
    for raw in (evil, inside, pickle.dumps({"data": PIXELS, "labels": [3, 9]}, protocol)):
        with pytest.raises(DataError, match=r"^b is not a CIFAR batch: its pickle is built otherwise than"):
            parse_batch(raw, "b")
    assert not mark.exists()


HEADED = {
    "an object in place of bytes": (b"U\x02u1", b"U\x02O8"),
    "a structured type": (b"U\x01|NNN", b"U\x01|N]N"),
    "another function": (b"_reconstruct", b"scalar"),
    "another class": (b"numpy\nndarray", b"builtins\neval"),
    "a label of 10": (b"K\x03K\x09e", b"K\x03K\x0ae"),
    "a negative label": (b"K\x03K\x09e", b"K\x03J\xff\xff\xff\xffe"),
    "rows of another length": (b"M\x00\x0c\x86", b"M\x01\x0c\x86"),
    "columns first": (b"\x89T", b"\x88T"),
    "4 GB of pixels": (b"T\x00\x18\x00\x00", b"T\xff\xff\xff\xff"),
    "the fourth protocol": (b"\x80\x02}", b"\x80\x04}"),
    "no end": (b"eu.", b"e"),
}


@pytest.mark.parametrize("fault", HEADED)
def test_any_other_opcode_is_refused(fault):
    with pytest.raises(
        DataError, match=r"^b is not a CIFAR batch: its pickle is built otherwise than the off"
    ):
        parse_batch(altered(*HEADED[fault]), "b")


@pytest.mark.parametrize("raw", [b"", b"garbage", cifar_batch(PIXELS, [3, 9])[:-9], cifar_batch(PIXELS, [])])
def test_broken_batches_are_refused(raw):
    with pytest.raises(DataError, match=r"^b is not a CIFAR batch: its pickle"):
        parse_batch(raw, "b")


@pytest.mark.parametrize("labels, rows", [([3], 2), ([3, 4, 5], 2), ([3, 9], 7)])
def test_sizes_agree(labels, rows):
    raw = cifar_batch(PIXELS, labels).replace(b"(K\x01K\x02M", b"(K\x01K" + bytes([rows]) + b"M")
    with pytest.raises(
        DataError, match=rf"^b is not a CIFAR batch: {rows} rows, {len(labels)} labels, 6,144 b"
    ):
        parse_batch(raw, "b")


def test_hostile_repetition_is_refused_at_once():
    raw = cifar_batch(PIXELS, [3, 9])
    for bomb in (raw[:80] + b"(K\x01e" * 200_000, raw.replace(b"a title", b"q\x03U\x06labels" * 20_000)):
        with pytest.raises(DataError, match=r"^b is not a CIFAR batch"):
            parse_batch(bomb, "b")
