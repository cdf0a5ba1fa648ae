"""Single signals: real files by their pins, stand-ins that say so, errors in words."""

import hashlib
import io
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from ntkd_lib.data.catalogue import DATASETS
from ntkd_lib.data.load import load
from ntkd_lib.data.registry import DataError, locate
from ntkd_lib.data.signals import IMAGES, MESHES, SOUNDS, chirp, load_image, load_mesh, load_sound

PLY = b"""ply
format ascii 1.0
element vertex 3
property float x
property float y
property float z
element face 1
property list uchar int vertex_indices
end_header
0 0 0
1 0 0
0 1 0
3 0 1 2
"""


def sound():
    buffer = io.BytesIO()
    soundfile.write(buffer, np.array([[0.5, 0], [-0.25, 0]]), 8000, format="WAV", subtype="FLOAT")
    return buffer.getvalue()


def picture():
    buffer = io.BytesIO()
    Image.fromarray(np.arange(24, dtype=np.uint8).reshape(2, 4, 3)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def real(monkeypatch, tmp_path):
    """Let the data set be three files of our own in the user's folder."""
    files = {
        f"images/{IMAGES[0]}.png": picture(),
        f"audio/{SOUNDS['bach']}": sound(),
        f"meshes/{MESHES['bunny']}": PLY,
    }
    contents = []
    for content in DATASETS["signals"].contents:
        data = files.get(content.name)
        if data is not None:
            path = tmp_path / "signals" / content.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            contents.append(replace(content, sha256=hashlib.sha256(data).hexdigest()))
    monkeypatch.setitem(DATASETS, "signals", replace(DATASETS["signals"], contents=tuple(contents)))
    monkeypatch.setenv("NTKD_DATA", str(tmp_path))


@pytest.mark.usefixtures("real")
def test_real_files_are_read():
    assert locate("signals").kind == "real"
    assert load_image(IMAGES[0]).flatten().tolist() == list(range(24))
    samples, rate = load_sound("bach")
    assert (samples.tolist(), rate) == ([0.5, -0.25], 8000)
    vertices, faces = load_mesh("bunny")
    assert vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert faces.tolist() == [[0, 1, 2]]


@pytest.mark.usefixtures("real")
def test_other_data_than_expected_are_refused():
    with pytest.raises(DataError, match=r"signals: expected data 000000000000, found"):
        load_image(IMAGES[0], expect="0" * 64)


def test_stand_ins_are_made_where_files_are_missing():
    located = locate("signals")
    assert located.kind == "standin"
    assert located.note.startswith("stand-in: 4 images that scikit-image ships")
    assert "there is no official download of the whole" in located.note
    images = [load_image(name) for name in IMAGES[:4]]
    assert all(image.shape == (512, 512, 3) for image in images)
    assert len({image.numpy().tobytes() for image in images}) == 4
    assert load_sound("bach")[0].abs().max() <= 1
    vertices, faces = load_mesh("bunny")
    assert faces.max() == len(vertices) - 1


def test_a_chirp_rises():
    tone = chirp(8000)
    early, late = (torch.fft.rfft(part).abs().argmax() for part in (tone[:1000], tone[-1000:]))
    assert early < late


@pytest.mark.parametrize("read, name", [(load_image, "lena"), (load_sound, "noise"), (load_mesh, "cow")])
def test_unknown_signals_are_one_line(read, name):
    with pytest.raises(DataError, match=rf"^unknown signal '{name}'; allowed: "):
        read(name)


def test_signals_are_no_labelled_images():
    with pytest.raises(DataError, match=r"^signals has no labelled images; read its files through"):
        load("signals", "train")
