"""Small official data sets, and a local server that misbehaves on request."""

import gzip
import hashlib
import http.server
import io
import pickle
import tarfile
import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ntkd_lib.data import download, registry
from ntkd_lib.data.catalogue import DATASETS, Content, Download, EmbeddedDataset, OfficialDataset
from ntkd_lib.data.mask_pairs import MaskDataset, files_digest, find_pairs
from ntkd_lib.data.pictures import PictureDataset, pictures_digest
from tests.data.small_cars import SMALL, write_reduced

TRAIN, TEST = 20, 10


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch, tmp_path):
    """Start each test with an empty cache, no user folder, no memory of hosts, and a network."""
    for name in ("NTKD_DATA", "DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NTKD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NTKD_OFFLINE", "0")
    monkeypatch.setattr(download, "PAUSE", 0.0)
    registry.forget()
    download._ANSWERED.clear()
    yield
    registry.forget()
    download._ANSWERED.clear()


def _idx(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + array.tobytes()


def _download(name, data, url):
    return Download(
        name, len(data), hashlib.md5(data).hexdigest(), hashlib.sha256(data).hexdigest(), (f"{url}/{name}",)
    )


def _images_and_labels(seed):
    generator = np.random.default_rng(seed)
    for split, count in (("train", TRAIN), ("t10k", TEST)):
        yield f"{split}-images-idx3-ubyte", generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        yield f"{split}-labels-idx1-ubyte", generator.integers(0, 10, count, dtype=np.uint8)


@pytest.fixture
def idx_dataset(server):
    """A data set of 20 + 10 images in MNIST's form, named mnist."""
    arrays = dict(_images_and_labels(seed=1))
    raw = {name: _idx(array) for name, array in arrays.items()}
    packed = {f"{name}.gz": gzip.compress(data, mtime=0) for name, data in raw.items()}
    contents = tuple(
        Content(
            name,
            hashlib.sha256(data).hexdigest(),
            "train" if name.startswith("train") else "test",
            _download(f"{name}.gz", packed[f"{name}.gz"], server.url),
        )
        for name, data in raw.items()
    )
    real = DATASETS["mnist"]
    assert isinstance(real, OfficialDataset)
    dataset = replace(real, contents=contents, downloads=tuple(content.packed for content in contents))
    server.files.update(packed)
    return SimpleNamespace(dataset=dataset, arrays=arrays, raw=raw, packed=packed)


def _tar(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _memo(place):
    return b"q" + bytes([place]) if place < 256 else b"r" + place.to_bytes(4, "little")


def _appended(items):
    """Write the items of a list, a thousand at a time."""
    return b"".join(b"(" + b"".join(items[i : i + 1000]) + b"e" for i in range(0, len(items), 1000))


def cifar_batch(pixels, labels):
    """Write what Python 2 wrote, and what the official batches are: byte strings, old module names."""
    rows = len(pixels)
    names = [b"U\x05" + f"{i % 10}.png".encode() + _memo(14 + i) for i in range(rows)]
    parts = [
        b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x07a titleq\x03U\x06labelsq\x04]q\x05",
        _appended([b"K" + bytes([label]) for label in labels]),
        b"U\x04dataq\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08",
        b"K\x00\x85U\x01b\x87Rq\x09(K\x01",
        b"K" + bytes([rows]) if rows < 256 else b"M" + rows.to_bytes(2, "little"),
        b"M" + pixels.shape[1].to_bytes(2, "little") + b"\x86cnumpy\ndtype\nq\x0aU\x02u1K\x00K\x01\x87Rq\x0b",
        b"(K\x03U\x01|NNN" + b"J\xff\xff\xff\xff" * 2 + b"K\x00tb\x89T" + pixels.nbytes.to_bytes(4, "little"),
        pixels.tobytes() + b"tbU\x09filenamesq\x0c]q\x0d" + _appended(names) + b"u.",
    ]
    return b"".join(parts)


@pytest.fixture
def cifar_dataset(server):
    """A data set of five batches of 4 images and a test batch of 10, named cifar-10."""
    generator = np.random.default_rng(2)
    arrays, raw = {}, {"batches.meta": pickle.dumps({"label_names": []}, 3)}
    for name in [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]:
        count = TEST if name == "test_batch" else TRAIN // 5
        pixels = generator.integers(0, 256, (count, 3072), dtype=np.uint8)
        labels = generator.integers(0, 10, count).tolist()
        arrays[name] = (pixels, labels)
        raw[name] = cifar_batch(pixels, labels)
    archive = _tar(raw)
    splits = {"batches.meta": "", "test_batch": "test"}
    real = DATASETS["cifar-10"]
    assert isinstance(real, OfficialDataset)
    dataset = replace(
        real,
        contents=tuple(
            Content(name, hashlib.sha256(data).hexdigest(), splits.get(name, "train"))
            for name, data in raw.items()
        ),
        downloads=(_download("cifar-10-python.tar.gz", archive, server.url),),
    )
    server.files["cifar-10-python.tar.gz"] = archive
    return SimpleNamespace(dataset=dataset, arrays=arrays, raw=raw, archive=archive)


@pytest.fixture
def catalogue(monkeypatch, idx_dataset, cifar_dataset):
    """Let the names mnist and cifar-10 mean the small data sets; leave no address of another host."""
    fashion = replace(idx_dataset.dataset, name="fashion-mnist", folder="FashionMNIST/raw")
    for dataset in (idx_dataset.dataset, cifar_dataset.dataset, fashion):
        monkeypatch.setitem(DATASETS, dataset.name, dataset)
    return SimpleNamespace(idx=idx_dataset, cifar=cifar_dataset)


@pytest.fixture
def brought(monkeypatch, tmp_path):
    """Let every data set that only its user can bring be one small file, there in the cache."""
    for name, dataset in list(DATASETS.items()):
        if (
            not isinstance(dataset, EmbeddedDataset)
            and not getattr(dataset, "downloads", ())
            and dataset.folder
        ):
            monkeypatch.setitem(DATASETS, name, _brought(dataset, tmp_path / "cache" / dataset.folder))
    pictures_digest.cache_clear()
    yield
    pictures_digest.cache_clear()


def _brought(dataset, folder):
    if isinstance(dataset, MaskDataset):
        write_reduced(folder)
        return replace(SMALL, sha256=files_digest(tuple(find_pairs(SMALL, folder)), folder))
    folder.mkdir(parents=True)
    (folder / "one").write_bytes(b"one")
    if not isinstance(dataset, PictureDataset):
        return replace(dataset, contents=(Content("one", hashlib.sha256(b"one").hexdigest(), ""),))
    index = b"image,split,label\none,train,0\n"
    (folder / "index.csv").write_bytes(index)
    return replace(dataset, index_sha256=hashlib.sha256(index).hexdigest(), sha256=pictures_digest(folder))


@pytest.fixture
def fill():
    """Write files into a folder."""

    def _fill(folder, files):
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
        return folder

    return _fill


class _Handler(http.server.BaseHTTPRequestHandler):
    """Serve files in the way that `server.faults` says, one fault a request."""

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.send_response(200)
        self.end_headers()

    def do_GET(self):
        name = self.path.rsplit("/", 1)[-1]
        state = self.server.state
        state.requests.append(name)
        faults = state.faults.get(name, [])
        fault = faults.pop(0) if faults else "none"
        data = state.files.get(name)
        if data is None or fault.isdigit():
            self.send_error(int(fault) if fault.isdigit() else 404)
            return
        self._send(data, fault, state)

    def _send(self, data, fault, state):
        half = data[: len(data) // 2]
        body = {"half": half, "cut": half, "hang": half, "long": data + b"x", "wrong": data[::-1]}.get(
            fault, data
        )
        self.send_response(200)
        self.send_header("Content-Length", str(len(data) if fault in ("cut", "hang") else len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        if fault == "hang":
            state.hanging.set()
            state.release.wait(30)


@pytest.fixture
def server():
    """A server on this machine: `files`, `faults` per file name, `requests` so far, `url`."""
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    httpd.state = SimpleNamespace(
        files={},
        faults={},
        requests=[],
        hanging=threading.Event(),
        release=threading.Event(),
        url=f"http://127.0.0.1:{httpd.server_address[1]}",
    )
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield httpd.state
    httpd.state.release.set()
    httpd.shutdown()
    httpd.server_close()
    thread.join()
