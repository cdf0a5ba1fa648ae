"""Files in a folder: which forms count, and that nothing is read whose hash is wrong."""

import os

import pytest

from ntkd_lib.data import files
from ntkd_lib.data.files import check_folder, file_hash, read_content
from ntkd_lib.data.settings import DataError


@pytest.mark.parametrize("form", ["raw", "packed", "both"])
def test_either_form_will_do(tmp_path, idx_dataset, fill, form):
    both = {**idx_dataset.raw, **idx_dataset.packed}
    fill(tmp_path, {"raw": idx_dataset.raw, "packed": idx_dataset.packed, "both": both}[form])
    assert check_folder(idx_dataset.dataset, tmp_path).complete
    for content in idx_dataset.dataset.contents:
        assert read_content(tmp_path, content).tobytes() == idx_dataset.raw[content.name]


def test_what_is_read_may_be_changed_by_the_reader(tmp_path, idx_dataset, fill):
    content = idx_dataset.dataset.contents[0]
    for folder, form in ((tmp_path / "a", idx_dataset.raw), (tmp_path / "b", idx_dataset.packed)):
        data = read_content(fill(folder, form), content)
        data[:] = 0
        assert read_content(folder, content).any()


def test_a_right_form_makes_up_for_a_damaged_one(tmp_path, idx_dataset, fill):
    content = idx_dataset.dataset.contents[0]
    fill(tmp_path, {**idx_dataset.packed, **idx_dataset.raw, content.name: b"damaged"})
    assert check_folder(idx_dataset.dataset, tmp_path).complete
    assert read_content(tmp_path, content).tobytes() == idx_dataset.raw[content.name]


def test_missing_and_damaged_are_told_apart(tmp_path, idx_dataset, fill):
    kept = dict(idx_dataset.raw)
    del kept["t10k-labels-idx1-ubyte"]
    flipped = bytearray(kept["train-images-idx3-ubyte"])
    flipped[1000] ^= 1
    fill(tmp_path, {**kept, "train-images-idx3-ubyte": bytes(flipped)})
    state = check_folder(idx_dataset.dataset, tmp_path)
    assert state.missing == ("t10k-labels-idx1-ubyte",)
    assert state.damaged == (tmp_path / "train-images-idx3-ubyte",)
    assert not state.complete


@pytest.mark.parametrize("data", [None, b"", b"half"])
def test_wrong_file_is_never_read(tmp_path, idx_dataset, fill, data):
    content = idx_dataset.dataset.contents[0]
    fill(tmp_path, {} if data is None else {content.name: data})
    with pytest.raises(
        DataError, match=r"train-images-idx3-ubyte is missing or damaged; delete it and run again$"
    ):
        read_content(tmp_path, content)


def test_file_that_cannot_be_read_is_one_line(tmp_path, idx_dataset, fill, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(files, "sha256_file", refuse)
    fill(tmp_path, idx_dataset.raw)
    with pytest.raises(
        DataError, match=r"^mnist: .*/train-images-idx3-ubyte cannot be read \(Permission denied\)$"
    ):
        check_folder(idx_dataset.dataset, tmp_path)


def test_a_file_is_hashed_once_until_it_changes(tmp_path, monkeypatch):
    hashed = []

    def counted(path):
        hashed.append(path)
        return str(len(hashed))

    monkeypatch.setattr(files, "sha256_file", counted)
    path = tmp_path / "file"
    path.write_bytes(b"one")
    assert [file_hash(path), file_hash(path)] == ["1", "1"]
    os.utime(path, ns=(1, 1))
    assert file_hash(path) == "2"
    path.write_bytes(b"longer")
    assert file_hash(path) == "3"
