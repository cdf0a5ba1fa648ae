"""Independent checks at the end of notebook 03: another way to the same numbers."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from scipy.signal import convolve2d

from ntkd_lib.chapters.fabrication.work import Design, design, restore_design
from ntkd_lib.chapters.run import Run
from ntkd_lib.data.load import load
from ntkd_lib.optics import Device, pillar_phase, read_gds, write_gds
from ntkd_lib.optics.captured import read_out
from ntkd_lib.optics.propagation import sensor_intensity


def read_out_error(run: Run, images: int = 2) -> float:
    """Read images out by SciPy's convolution in float64, capture by capture, and compare."""
    own = first_design(run)
    psfs = own.psfs(Device())
    scenes = load(run.parameters.data, "test").images[:images].float() / 255
    fast = read_out(next(Device().frames(scenes, psfs)), own.gains)[:, 0].numpy()
    slow = np.stack([_slow(scene[0], psfs[:, 0], own.gains[:, 0]) for scene in scenes.double().numpy()])
    return float(np.abs(fast - slow).max() / np.abs(slow).max())


def _slow(scene: np.ndarray, psfs: torch.Tensor, gains: torch.Tensor) -> np.ndarray:
    captures = [
        gain * convolve2d(scene, psf, mode="same")
        for psf, gain in zip(psfs.double().numpy(), gains.double().numpy(), strict=True)
    ]
    half = len(captures) // 2
    maps = [np.maximum(p + m, 0) for p, m in zip(captures[:half], captures[half:], strict=True)]
    side = scene.shape[0] // 2
    return np.concatenate([m.reshape(side, 2, side, 2).mean(axis=(1, 3)) for m in maps])


def propagation_error(run: Run) -> float:
    """Propagate one designed metasurface in float64 with twice the padding, and compare."""
    own = first_design(run)
    geometry, window = own.geometry, own.geometry.taps * own.geometry.pixel
    phase = pillar_phase(own.widths[:1], geometry.wavelengths)
    fast = sensor_intensity(phase, geometry, window).double()
    slow = sensor_intensity(phase.double(), geometry, window, padding=3 * geometry.cells)
    return ((fast - slow).norm() / slow.norm()).item()


def gds_round_trip(run: Run) -> tuple[int, int]:
    """Write one designed metasurface as GDSII, and read it back."""
    own = first_design(run)
    widths = own.widths[0].double().numpy()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metasurface.gds"
        pillars = write_gds(path, widths, own.geometry)
        back = read_gds(path, own.geometry)
    return pillars, int((np.abs(back - widths) > 1e-6).sum())


def first_design(run: Run) -> Design:
    """Restore the design of the first NTKD student."""
    return restore_design(run.select(design, student="ntkd", seed=run.parameters.all_seeds[0])[0])
