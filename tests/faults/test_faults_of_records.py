"""Records of cells: damaged, forged or half-written ones are never taken for good."""

import errno
import io
import json
import os
import shutil
import threading
import time
import zipfile

import numpy as np
import pytest

from ntkd_lib.lab import atomic
from ntkd_lib.lab import store as store_module
from ntkd_lib.lab.cells import Cell, CellResult, cell_identity, cell_key
from ntkd_lib.lab.digest import digest_json, sha256_bytes
from ntkd_lib.lab.store import CellStore, RecordError, StoredArrays, pack_arrays

CELL = Cell("mnist/kd/seed=1", "ntkd_lib.lab.seeds:deterministic", {"x": 1})
KEY = cell_key(CELL)
OTHER = Cell("other", "ntkd_lib.lab.seeds:deterministic", {"x": 2})
RESULT = CellResult(
    {"accuracy": 0.1 + 0.2, "steps": [1, 2]},
    {"w": np.arange(6.0).reshape(2, 3), "b": np.float32(7)[()] * np.ones(2)},
)


def put(store, key, cell, result, provenance):
    return store.save(key, cell.name, cell_identity(cell), result, provenance)


@pytest.fixture
def folder(store):
    put(store, KEY, CELL, RESULT, {"seconds": 1.5})
    return store.folder(KEY)


def test_a_record_comes_back_as_it_was(store):
    for record in (put(store, KEY, CELL, RESULT, {"seconds": 1.5}), store.load(KEY)):
        assert (record.key, record.name) == (KEY, "mnist/kd/seed=1")
        assert record.values == {"accuracy": 0.1 + 0.2, "steps": [1, 2]}
        assert record.provenance == {"seconds": 1.5}
        assert sorted(record.arrays) == ["b", "w"]
        assert len(record.arrays) == 2
        np.testing.assert_array_equal(record.arrays["w"], np.arange(6.0).reshape(2, 3))
    assert store.folder(KEY) == store.root / KEY[:2] / KEY
    assert sorted(path.name for path in store.folder(KEY).iterdir()) == [
        "arrays.npz",
        "provenance.json",
        "record.json",
    ]


def test_a_rerun_gives_the_same_bytes_whatever_the_time(tmp_path):
    one, other = CellStore(tmp_path / "1"), CellStore(tmp_path / "2")
    put(one, KEY, CELL, RESULT, {"seconds": 1.0})
    time.sleep(2.1)  # more than the resolution of times in a zip archive
    put(
        other,
        KEY,
        CELL,
        CellResult(dict(reversed(RESULT.values.items())), dict(reversed(RESULT.arrays.items()))),
        {},
    )
    for name in ("record.json", "arrays.npz"):
        assert (one.folder(KEY) / name).read_bytes() == (other.folder(KEY) / name).read_bytes()


def test_arrays_keep_shape_dtype_and_bits():
    arrays = {
        "scalar": np.array(0.1, np.float32),
        "empty": np.zeros((0, 3), np.int8),
        "f": np.asfortranarray(np.eye(2)),
    }
    read = np.load(io.BytesIO(pack_arrays(arrays)))
    for name, array in arrays.items():
        assert (read[name].shape, read[name].dtype) == (array.shape, array.dtype)
        np.testing.assert_array_equal(read[name], array)


def test_a_missing_record_is_absent_and_said_in_one_line(store):
    assert not store.find(KEY)
    with pytest.raises(RecordError) as caught:
        store.load(KEY)
    assert str(caught.value) == f"record {KEY[:12]}: record.json is missing"


def _reseal(folder, **changes):
    content = {**json.loads((folder / "record.json").read_text()), **changes}
    content.pop("digest")
    (folder / "record.json").write_text(json.dumps({**content, "digest": digest_json(content)}))


DAMAGES = {
    "cut off": (lambda f: os.truncate(f / "record.json", 100), "a file of it is cut off or not plain JSON"),
    "empty": (lambda f: (f / "record.json").write_bytes(b""), "a file of it is cut off or not plain JSON"),
    "binary": (
        lambda f: (f / "record.json").write_bytes(b"\xff\xfe"),
        "a file of it is cut off or not plain JSON",
    ),
    "list": (lambda f: (f / "record.json").write_text("[]"), "record.json is not a mapping"),
    "not a number": (
        lambda f: (f / "record.json").write_text(
            (f / "record.json").read_text().replace("0.30000000000000004", "NaN")
        ),
        "a file of it is cut off or not plain JSON",
    ),
    "edited value": (
        lambda f: (f / "record.json").write_text(
            (f / "record.json").read_text().replace("0.30000000000000004", "0.9")
        ),
        "record.json was altered",
    ),
    "older schema": (lambda f: _reseal(f, schema=0), "schema 0, this version reads 1"),
    "newer schema": (lambda f: _reseal(f, schema=2), "schema 2, this version reads 1"),
    "more fields": (lambda f: _reseal(f, extra=1), "its fields are not those of a record"),
    "claims another key": (lambda f: _reseal(f, key="ab" * 32), "it belongs to the key abababababab"),
    "other arguments": (lambda f: _reseal(f, arguments={"x": 3}), f"it belongs to the key {KEY[:12]}"),
    "arrays cut off": (lambda f: os.truncate(f / "arrays.npz", 200), "arrays.npz was altered or cut off"),
    "arrays gone": (lambda f: (f / "arrays.npz").unlink(), "arrays.npz is missing"),
    "provenance gone": (lambda f: (f / "provenance.json").unlink(), "provenance.json is missing"),
    "provenance edited": (
        lambda f: (f / "provenance.json").write_text(
            (f / "provenance.json").read_text().replace("1.5", "9.5")
        ),
        "provenance.json was altered",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_record_is_never_returned_and_put_aside(store, folder, capsys, damage):
    work, reason = DAMAGES[damage]
    work(folder)
    with pytest.raises(RecordError) as caught:
        store.load(KEY)
    assert str(caught.value) == f"record {KEY[:12]}: {reason}"
    assert not store.find(KEY)
    said = f"record {KEY[:12]}: {reason}; put aside as {KEY}.1.bad, will be made again\n"
    assert capsys.readouterr().err == said
    assert not folder.exists()
    put(store, KEY, CELL, RESULT, {})
    assert store.find(KEY)


@pytest.mark.parametrize("file", ["record.json", "arrays.npz", "provenance.json"])
def test_no_flipped_bit_passes(store, folder, file):
    good = (folder / file).read_bytes()
    draw = np.random.default_rng(0)
    for place in draw.integers(0, len(good), 60):
        bad = bytearray(good)
        bad[place] ^= 1 << int(draw.integers(8))
        (folder / file).write_bytes(bytes(bad))
        try:
            record = store.load(KEY)
        except RecordError:
            continue
        # white space may flip into white space: then what is read is the same
        assert file != "arrays.npz"
        assert (record.values, record.provenance) == (RESULT.values, {"seconds": 1.5})


def test_a_record_under_a_foreign_key_is_refused(store, folder):
    foreign = store.folder(cell_key(OTHER))
    shutil.copytree(folder, foreign)
    with pytest.raises(RecordError, match=rf"it belongs to the key {KEY[:12]}$"):
        store.load(cell_key(OTHER))
    assert not store.find(cell_key(OTHER))


def test_arrays_that_change_after_the_check_are_not_returned(store, folder):
    arrays = StoredArrays(folder / "arrays.npz", "0" * 64)
    with pytest.raises(RecordError, match=r"arrays\.npz has changed since it was checked$"):
        arrays["w"]


def npz(header, body=b"", method=zipfile.ZIP_STORED):
    """Write an archive of one array whose header says what is wanted."""
    buffer, text = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(text, {"fortran_order": False, "descr": "<f8", **header})
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("w.npy", text.getvalue() + body)
    return buffer.getvalue()


CLAIMS = {
    "more memory than there is": (npz({"shape": (10**11,)}), "800,000,000,128"),
    "a value too few": (npz({"shape": (2, 3)}, bytes(40)), "176"),
    "a value too many": (npz({"shape": (2, 2)}, bytes(40)), "160"),
    "a bomb": (npz({"shape": (10**6,)}, bytes(8 * 10**6), zipfile.ZIP_DEFLATED), "8,000,128"),
}


@pytest.mark.parametrize("case", CLAIMS)
def test_arrays_are_as_large_as_their_headers_say(store, folder, case):
    packed, size = CLAIMS[case]
    (folder / "arrays.npz").write_bytes(packed)
    arrays = StoredArrays(folder / "arrays.npz", sha256_bytes(packed))
    with pytest.raises(RecordError, match=rf"^record .{{12}}: arrays\.npz: w\.npy claims {size} bytes$"):
        arrays["w"]


def test_bad_records_are_kept_side_by_side(store, folder):
    for _ in range(2):
        os.truncate(folder / "record.json", 10)
        assert not store.find(KEY)
        put(store, KEY, CELL, RESULT, {})
    assert sorted(path.name for path in folder.parent.iterdir()) == [KEY, f"{KEY}.1.bad", f"{KEY}.2.bad"]


def test_a_key_that_is_not_the_cells_is_refused(store):
    with pytest.raises(RecordError, match=r"^cell other: the key .{12} is not that of its content$"):
        put(store, KEY, OTHER, RESULT, {})
    assert not store.root.exists()


UNFIT = {
    "NaN": (CellResult({"loss": [0.5, float("nan")]}), "values.loss[1]: nan is not a finite number"),
    "a number of NumPy": (
        CellResult({"n": np.int64(3)}),
        "values.n: int64 is not plain data (None, bool, int, float, str, list, dict)",
    ),
    "an array of objects": (
        CellResult({}, {"a": np.array([{}])}),
        "arrays.a: an array of object cannot be stored, only arrays of plain dtypes",
    ),
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_result_that_cannot_be_kept_is_refused_with_its_place(store, case):
    result, text = UNFIT[case]
    with pytest.raises(RecordError) as caught:
        store.save(KEY, "c", {}, result, {})
    assert str(caught.value) == f"cell c: {text}"
    assert not store.root.exists()


@pytest.mark.parametrize("files", range(3))
def test_a_full_disk_leaves_earlier_records_and_nothing_half_done(store, folder, monkeypatch, files):
    before = {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()}
    written, write = [], atomic._write_synced

    def full(path, data):
        if len(written) == files:
            path.write_bytes(data[:10])
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        write(path, data)

    monkeypatch.setattr(atomic, "_write_synced", full)
    with pytest.raises(OSError, match="No space left"):
        put(store, cell_key(OTHER), OTHER, RESULT, {})
    assert {path: path.read_bytes() for path in store.root.rglob("*") if path.is_file()} == before
    assert store.find(KEY)
    assert not store.find(cell_key(OTHER))


def test_the_first_good_record_stays(store, folder):
    again = put(store, KEY, CELL, CellResult({"accuracy": 0.0}), {"seconds": 9.0})
    assert again.values == RESULT.values
    assert again.provenance == {"seconds": 1.5}


def test_a_save_replaces_a_bad_record(store, folder):
    os.truncate(folder / "arrays.npz", 10)
    assert put(store, KEY, CELL, RESULT, {"seconds": 2.0}).provenance == {"seconds": 2.0}


def test_many_writers_of_one_key_leave_one_good_record(store):
    errors = []

    def save():
        try:
            for _ in range(10):
                put(store, KEY, CELL, RESULT, {})
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=save) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert store.load(KEY).values == RESULT.values
    assert list((store.root / "unfinished").iterdir()) == []


def test_what_killed_processes_left_is_swept_after_an_hour(store, folder):
    old, new = store.root / "unfinished" / "old", store.root / "unfinished" / "new"
    old.mkdir()
    new.mkdir()
    os.utime(old, (0, time.time() - store_module._STALE - 60))
    put(store, cell_key(OTHER), OTHER, RESULT, {})
    assert not old.exists()
    assert new.exists()
