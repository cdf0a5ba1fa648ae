"""Independent checks at the end of notebook 03: another way to the same numbers."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from scipy.signal import convolve2d

from ntkd_lib.chapters.fabrication_recovery.made import TAPS, restore_design
from ntkd_lib.chapters.fabrication_recovery.summary import design_record
from ntkd_lib.chapters.run import Run
from ntkd_lib.data.load import load
from ntkd_lib.lab.cells import Record
from ntkd_lib.optics.captured import read_out
from ntkd_lib.optics.device import Device
from ntkd_lib.optics.layout import read_gds, write_gds
from ntkd_lib.optics.pillars import pillar_phase
from ntkd_lib.optics.propagation import sensor_intensity


def read_out_error(run: Run, images: int = 2) -> float:
    """Read images out by SciPy's convolution in float64, capture by capture, and compare."""
    design = restore_design(_design(run))
    psfs = Device().psfs(design.widths, design.geometry, TAPS)
    scenes = load(run.parameters.data, "test").images[:images].float() / 255
    fast = read_out(next(Device().frames(scenes, psfs)), design.gains)[:, 0].numpy()
    slow = np.stack([_slow(scene[0], psfs[:, 0], design.gains[:, 0]) for scene in scenes.double().numpy()])
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
    design = restore_design(_design(run))
    geometry, window = design.geometry, design.geometry.taps * design.geometry.pixel
    phase = pillar_phase(design.widths[:1], geometry.wavelengths)
    fast = sensor_intensity(phase, geometry, window).double()
    slow = sensor_intensity(phase.double(), geometry, window, padding=3 * geometry.cells)
    return ((fast - slow).norm() / slow.norm()).item()


def gds_round_trip(run: Run) -> tuple[int, int]:
    """Write one designed metasurface as GDSII, and read it back."""
    design = restore_design(_design(run))
    widths = design.widths[0].double().numpy()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metasurface.gds"
        pillars = write_gds(path, widths, design.geometry)
        back = read_gds(path, design.geometry)
    return pillars, int((np.abs(back - widths) > 1e-6).sum())


def _design(run: Run) -> Record:
    return design_record(run, "ntkd", run.parameters.all_seeds[0])
