"""Optics: our propagation against torchoptics' own, and seconds of designs."""

import resource
import time

import torch
from scipy.fft import next_fast_len
from torchoptics import Field

from benchmarks.timing import interleaved, report
from ntkd_lib.optics.design import DesignOptions, design_widths, plane_psfs
from ntkd_lib.optics.geometry import PUBLISHED, SCALED, Geometry
from ntkd_lib.optics.propagation import PropagationStep, propagate, window_transfer
from ntkd_lib.optics.psf import binned, psf_cosine, target_psfs

WAVELENGTH = 0.532


def fields(geometry: Geometry) -> dict[str, torch.Tensor]:
    """Draw a random phase mask in single and double precision."""
    torch.manual_seed(0)
    phase = 2 * torch.pi * torch.rand(geometry.cells, geometry.cells, dtype=torch.float64)
    double = torch.polar(torch.ones_like(phase), phase)
    return {"complex64": double.to(torch.complex64), "complex128": double}


def step_seconds(geometry: Geometry, rounds: int, window: int | None = None) -> None:
    """Time a forward and backward step of one colour; torchoptics in its defaults, and in its best forms.

    Args:
        window: Cells per side of the plane to return; all when left out.
    """
    drawn, cells = fields(geometry), geometry.cells
    window = cells if window is None else window
    step = PropagationStep(WAVELENGTH, geometry.pitch, geometry.distance, next_fast_len(2 * cells + window))
    transfer = window_transfer(step, next_fast_len(cells + window))

    def ours() -> None:
        field = drawn["complex64"].clone().requires_grad_()
        propagate(field, transfer, window).abs().square().sum().backward()

    def theirs(kind: str, shape: int, **options: object) -> None:
        data = drawn[kind].clone().requires_grad_()
        field = Field(data, wavelength=WAVELENGTH, z=0, spacing=geometry.pitch)
        field.propagate(shape, geometry.distance, geometry.pitch, **options).intensity().sum().backward()

    padded = {"asm_pad": cells // 2, "propagation_method": "ASM"}
    ways = {
        "ours, complex64": ours,
        "torchoptics, its defaults": lambda: theirs("complex128", window),
        "torchoptics, complex64": lambda: theirs("complex64", window),
        "torchoptics, complex64, ASM on 2N": lambda: theirs("complex64", window, **padded),
        "torchoptics, complex64, DIM": lambda: theirs("complex64", window, propagation_method="DIM"),
    }
    title = f"one step, N = {cells}, one colour, {window} x {window} cells of the sensor plane"
    report(title, interleaved(ways, rounds), "ours, complex64")


def agreement(geometry: Geometry) -> None:
    """Compare fields on the sensor with torchoptics' direct integration, on masks of their own."""
    torch.manual_seed(1)
    line = (torch.arange(geometry.cells, dtype=torch.float64) - (geometry.cells - 1) / 2) * geometry.pitch
    smooth = torch.exp(-(line[:, None].square() + line.square()) / 12.0**2)
    masks = {"random mask": fields(geometry)["complex128"], "Gaussian beam": smooth.to(torch.complex128)}
    for name, mask in masks.items():
        errors = [_disagreement(mask, wavelength, geometry) for wavelength in geometry.wavelengths]
        print(f"{name}, N = {geometry.cells}: relative error " + ", ".join(f"{e:.1e}" for e in errors))


def _disagreement(mask: torch.Tensor, wavelength: float, geometry: Geometry) -> float:
    field = Field(mask, wavelength=wavelength, z=0, spacing=geometry.pitch)
    exact = field.propagate_to_z(geometry.distance, propagation_method="DIM").data
    step = PropagationStep(wavelength, geometry.pitch, geometry.distance, 3 * geometry.cells)
    ours = propagate(mask.to(torch.complex64), window_transfer(step, 2 * geometry.cells))
    return ((ours - exact).norm() / exact.norm()).item()


def design_seconds(filters: int = 16, steps: int = 60) -> None:
    """Time the design of colour filters in the scaled geometry.

    Args:
        filters: Signed colour filters, two metasurfaces each.
    """
    torch.manual_seed(0)
    noise = torch.randn(filters, 3, 9, 9)
    targets, _ = target_psfs(torch.nn.functional.avg_pool2d(noise, 3, 1))
    started = time.process_time()
    widths = design_widths(targets, SCALED, DesignOptions(steps=steps))
    seconds = time.process_time() - started
    cosines = psf_cosine(binned(plane_psfs(widths, SCALED), SCALED, 7), targets)
    worst = ", ".join(f"{value:.4f}" for value in cosines.amin(0))
    print(f"{filters} colour filters, N = 200, {steps} steps: {seconds:.1f} s CPU; smallest cosines {worst}")


def published_step() -> None:
    """Run one design step of one metasurface in the published geometry, three colours."""
    torch.manual_seed(0)
    targets, _ = target_psfs(torch.randn(1, 3, 7, 7))
    started = time.process_time()
    design_widths(targets[:1], PUBLISHED, DesignOptions(steps=1))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    seconds = time.process_time() - started
    print(f"one step, published geometry, three colours: {seconds:.1f} s CPU, {memory:.1f} GiB")


def main() -> None:
    """Print all reports."""
    agreement(SCALED)
    step_seconds(SCALED, rounds=7)
    step_seconds(PUBLISHED, rounds=2)
    step_seconds(PUBLISHED, rounds=2, window=PUBLISHED.taps * PUBLISHED.pixel)
    design_seconds()
    published_step()


if __name__ == "__main__":
    main()
