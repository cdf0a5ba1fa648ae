"""What samplers leave of a sound and of a shape in the CPU time of full batch."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d.art3d import Poly3DCollection

from ntkd_lib.chapters.nint.methods import LABELS, entrant, race_cell
from ntkd_lib.chapters.nint.parameters import NintParameters
from ntkd_lib.chapters.nint.studies.networks import FEW
from ntkd_lib.chapters.nint.work import Subject, make_signal, mesh, race
from ntkd_lib.chapters.run import Run
from ntkd_lib.data.signals import load_sound
from ntkd_lib.inr.shapes import chamfer, surface, surface_samples
from ntkd_lib.lab import Cell, Data, Record
from ntkd_lib.show import BLUE, GREEN, PURPLE, Column

SOUND, MESH = "bach", "bunny-small"
DRAWN = {"full": BLUE, "nint": GREEN, "error_memory": PURPLE}
DISTANCES = (Column("Sampler", "{label}"), Column("Chamfer distance", "{chamfer:.3g}"))


def cells(p: NintParameters, signals: Data) -> list[Cell]:
    """Describe the races of the first seed."""
    side = min(128, max(12, 3 * p.side // 8))
    subjects: list[tuple[Subject, Cell | None]] = [
        (Subject("sound", 2 * p.side**2, SOUND), None),
        (Subject("mesh", side, MESH), mesh.cell(data=signals, name=MESH, side=side)),
    ]
    entrants, form = [entrant(method, 5e-4) for method in FEW], {"windows": [p.side_steps], "leader": "full"}
    return [
        race_cell(p, "signals", signals, subject, p.all_seeds[0], entrants, signal=sampled, **form)
        for subject, sampled in subjects
    ]


def _record(run: Run, subject: str) -> Record:
    return run.select(race, study="signals", subject=subject)[0]


def waveform(run: Run) -> pd.DataFrame:
    """List a piece of the first sound and of its fits, against milliseconds."""
    signals = run.data("signals")
    true = make_signal(Subject("sound", 2 * run.parameters.side**2, SOUND), signals).values.numpy()[:, 0]
    middle = slice(len(true) // 2, len(true) // 2 + min(400, len(true) // 2))
    time = np.arange(middle.stop - middle.start) * 1e3 / load_sound(SOUND, signals.sha256)[1]
    arrays = _record(run, SOUND).arrays
    fits = {method: arrays[f"fitted.{method}"][middle, 0] for method in DRAWN}
    return pd.DataFrame({"time": time, "true": true[middle], **fits})


def draw_waveform(wave: pd.DataFrame) -> Figure:
    """Draw a piece of sound and the residuals of its fits."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(7.2, 3.8), sharex=True)
    above.plot(wave["time"], wave["true"], color=plt.rcParams["axes.edgecolor"], linewidth=1)
    above.set_ylabel("amplitude")
    for name, colour in DRAWN.items():
        below.plot(wave["time"], wave[name] - wave["true"], color=colour, linewidth=1, label=LABELS[name])
    below.set(ylabel="residual", xlabel="time (ms)")
    figure.legend(*below.get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return figure


def surfaces(run: Run) -> dict[str, np.ndarray | None]:
    """Extract triangles of the sampled and the fitted meshes by marching cubes; None for an empty surface."""
    (sampled,) = run.select(mesh)
    arrays = _record(run, MESH).arrays
    fields = {"true": sampled.arrays["values"]} | {method: arrays[f"fitted.{method}"] for method in DRAWN}
    pairs = {name: surface(field.reshape(sampled.values["shape"])) for name, field in fields.items()}
    return {name: None if pair is None else pair[1] for name, pair in pairs.items()}


def distances(triangles: Mapping[str, np.ndarray | None], samples: int = 5000) -> pd.DataFrame:
    """Measure fitted surfaces against the true one; NaN for an empty surface."""
    true = surface_samples(triangles["true"], samples)
    return pd.DataFrame(
        {
            "method": name,
            "label": LABELS[name],
            "chamfer": np.nan if fit is None else chamfer(surface_samples(fit, samples, seed=1), true),
        }
        for name, fit in triangles.items()
        if name != "true"
    )


def draw_surfaces(triangles: Mapping[str, np.ndarray | None]) -> Figure:
    """Draw surfaces."""
    figure = plt.figure(figsize=(7.2, 2.4))
    for place, (name, parts) in enumerate(triangles.items(), 1):
        axes = figure.add_subplot(1, len(triangles), place, projection="3d")
        if parts is not None:
            axes.add_collection3d(_shade(parts))
        axes.set(xlim=(-0.9, 0.9), ylim=(-0.9, 0.9), zlim=(-0.9, 0.9))
        axes.set_axis_off()
        axes.set_box_aspect((1, 1, 1), zoom=1.4)
        axes.view_init(elev=90, azim=-90)
        axes.set_title(LABELS.get(name, "the mesh"), fontsize=9, loc="center")
    return figure


def _shade(triangles: np.ndarray) -> Poly3DCollection:
    """Shade triangles by how much they face the viewer."""
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True).clip(1e-12)
    light = np.abs((normals / lengths) @ np.array([0.3, 0.5, 0.81]))
    colours = plt.cm.viridis(0.15 + 0.75 * light)
    return Poly3DCollection(triangles, facecolors=colours, edgecolors="none", rasterized=True)
