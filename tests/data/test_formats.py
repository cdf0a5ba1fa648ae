"""Decoding: exact on good bytes, one line on bad ones, no code ever run from a pickle."""

import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ntkd_lib.data.formats import parse_batch, parse_idx
from ntkd_lib.data.settings import DataError

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


def batch(**changes):
    pixels = np.arange(2 * 3072, dtype=np.uint32).astype(np.uint8).reshape(2, 3072)
    return {"data": pixels, "labels": [3, 9], **changes}


@pytest.mark.parametrize("protocol", [3, 4])
def test_batch_round_trip(protocol):
    images, labels = parse_batch(pickle.dumps(batch(), protocol), "b")
    assert images.shape == (2, 3, 32, 32)
    assert np.array_equal(images.reshape(2, 3072), batch()["data"])
    assert labels.tolist() == [3, 9]


def python_2_pickle(pixels, labels):
    """Write what Python 2 wrote, and what the official batches are: byte strings, old module names."""
    return b"".join(
        [
            b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n",
            b"K\x00\x85U\x01b\x87R(K\x01K" + bytes([len(pixels)]) + b"M\x00\x0c\x86",
            b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNN" + b"J\xff\xff\xff\xff" * 2 + b"K\x00tb",
            b"\x89T" + pixels.size.to_bytes(4, "little") + pixels.tobytes() + b"tb",
            b"U\x06labels](" + b"".join(b"K" + bytes([label]) for label in labels) + b"eu.",
        ]
    )


def test_batch_of_python_2():
    images, labels = parse_batch(python_2_pickle(batch()["data"], [3, 9]), "b")
    assert np.array_equal(images.reshape(2, 3072), batch()["data"])
    assert labels.tolist() == [3, 9]


def test_red_plane_comes_first():
    pixels = np.concatenate([np.full(1024, value, np.uint8) for value in (10, 20, 30)])[None]
    images, _ = parse_batch(pickle.dumps(batch(data=pixels, labels=[0]), 3), "b")
    assert images[0, :, 5, 7].tolist() == [10, 20, 30]


class Evil:
    def __init__(self, call, *arguments):
        self.what = (call, arguments)

    def __reduce__(self):
        return self.what


@pytest.mark.parametrize(
    "evil",
    [
        lambda path: Evil(os.system, f"touch {path}"),
        lambda path: Evil(eval, f"open({str(path)!r}, 'w')"),
        lambda path: Evil(getattr, np.ndarray, "tofile"),
        lambda path: Evil(np.fromfile, str(path)),
    ],
    ids=["os.system", "eval", "getattr", "numpy.fromfile"],
)
def test_no_code_runs_from_a_pickle(tmp_path, evil):
    mark = tmp_path / "mark"
    with pytest.raises(
        DataError, match=r"^b cannot be unpickled: it asks for .*; only NumPy arrays are allowed$"
    ):
        parse_batch(pickle.dumps(batch(extra=evil(mark)), 3), "b")
    assert not mark.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": [3]},
        {"labels": [3, 10]},
        {"labels": [3, -1]},
        {"labels": [3, [4]]},
        {"labels": None},
        {"data": [1, 2]},
        {"data": np.zeros((2, 3071), np.uint8)},
        {"data": np.zeros((2, 3072), np.float32)},
        {"data": np.zeros(3072, np.uint8)},
    ],
)
def test_other_contents_are_refused(changes):
    with pytest.raises(DataError, match=r"^b is not a CIFAR batch: (data|labels) must be"):
        parse_batch(pickle.dumps(batch(**changes), 3), "b")


@pytest.mark.parametrize("data", [b"", b"garbage", pickle.dumps(batch(), 3)[:-9]])
def test_broken_pickle_is_one_line(data):
    with pytest.raises(DataError, match=r"^b cannot be unpickled: ") as caught:
        parse_batch(data, "b")
    assert "\n" not in str(caught.value)


def test_a_pickle_of_something_else():
    with pytest.raises(DataError, match=r"^b is not a CIFAR batch"):
        parse_batch(pickle.dumps([1, 2], 3), "b")
