"""Single signals for coordinate networks: images, sound, a triangle mesh."""

import io
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from ntkd_lib.data.catalogue import DATASETS, OfficialDataset
from ntkd_lib.data.files import read_content
from ntkd_lib.data.load import locate_expected
from ntkd_lib.data.settings import check_known
from ntkd_lib.data.standins import standin
from ntkd_lib.imports import extra

IMAGES = ("div2k-512-01", "div2k-512-02", "div2k-512-03", "kodim03", "kodim05", "kodim08")
SOUNDS = {
    "bach": "gt_bach.wav",
    "speech-0000": "librispeech-test-clean-121-121726-0000.flac",
    "speech-0006": "librispeech-test-clean-121-121726-0006.flac",
}
MESHES = {"bunny": "bun_zipper.ply", "bunny-small": "bun_zipper_res2.ply"}
CHIRP_RATE = 16_000


def load_image(name: str, expect: str | None = None) -> UInt8[Tensor, "h w 3"]:
    """Load one image, 0 to 255; the stand-in of it is one of four that scikit-image ships."""
    check_known("signal", name, IMAGES)
    raw = _read(f"images/{name}.png", expect)
    if raw is None:
        photographs = standin("signals").images["train"]
        pixels = photographs[IMAGES.index(name) % len(photographs)].transpose(1, 2, 0)
        return torch.from_numpy(pixels.copy())
    with extra("data"):
        from PIL import Image

    return torch.from_numpy(np.array(Image.open(io.BytesIO(raw)).convert("RGB")))


def load_sound(name: str, expect: str | None = None) -> tuple[Float32[Tensor, " n"], int]:
    """Load the first channel of a recording, and its samples per second; its stand-in is a chirp."""
    check_known("signal", name, SOUNDS)
    raw = _read(f"audio/{SOUNDS[name]}", expect)
    if raw is None:
        return chirp(CHIRP_RATE), CHIRP_RATE
    with extra("data"):
        import soundfile

    samples, rate = soundfile.read(io.BytesIO(raw), dtype="float32", always_2d=True)
    return torch.from_numpy(samples[:, 0].copy()), rate


def chirp(count: int) -> Float32[Tensor, " n"]:
    """Draw a tone that rises from 40 to 400 cycles over its length."""
    place = torch.linspace(0, 1, count, dtype=torch.float64)
    return torch.sin(2 * torch.pi * (40 * place + 180 * place**2)).float()


def load_mesh(
    name: str, expect: str | None = None
) -> tuple[Float32[np.ndarray, "v 3"], Int64[np.ndarray, "f 3"]]:
    """Load one triangle mesh."""
    with extra("data"):
        import trimesh

    check_known("signal", name, MESHES)
    raw = _read(f"meshes/{MESHES[name]}", expect)
    if raw is None:
        mesh = trimesh.creation.torus(0.55, 0.25, major_sections=48, minor_sections=24)
    else:
        mesh = trimesh.load(io.BytesIO(raw), file_type="ply", process=False)
    return np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int64)


def _read(name: str, expect: str | None) -> bytes | None:
    """Read one file of the data set; None if only the stand-in is available."""
    located = locate_expected("signals", expect)
    if located.kind == "standin":
        return None
    dataset = DATASETS["signals"]
    assert isinstance(dataset, OfficialDataset)
    content = next(content for content in dataset.contents if content.name == name)
    return read_content(Path(located.path or ""), content).tobytes()
