"""Cells of notebook 07: races of samplers on one signal, and a mesh as a signal."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ntkd_lib.data.load import load
from ntkd_lib.data.signals import load_image, load_mesh, load_sound
from ntkd_lib.inr import Egra, ErrorMix, Evos, ExpansiveSupervision, FullBatch, IntTeaching, Nint, UniformDraw
from ntkd_lib.inr.metrics import intersection_over_union, psnr, si_snr
from ntkd_lib.inr.network import wrap
from ntkd_lib.inr.networks import build
from ntkd_lib.inr.samplers.base import Sampler
from ntkd_lib.inr.samplers.error_memory import ErrorMemory
from ntkd_lib.inr.samplers.soft_mining import SoftMining
from ntkd_lib.inr.shapes import fit_to_cube, signed_distance
from ntkd_lib.inr.signals import Signal, crop, from_pixels, from_samples, torus_distance, waves
from ntkd_lib.inr.training import DivergedError, TrainingRun, race_for_time
from ntkd_lib.inr.training import race as race_for_steps
from ntkd_lib.lab import CellResult, Record, derive_seed, deterministic, keep_freed_memory
from ntkd_lib.lab.work import Data, work

SAMPLERS: Mapping[str, type[Sampler]] = {
    "egra": Egra,
    "error_memory": ErrorMemory,
    "error_mix": ErrorMix,
    "evos": Evos,
    "expansive": ExpansiveSupervision,
    "full": FullBatch,
    "int_teaching": IntTeaching,
    "nint": Nint,
    "soft_mining": SoftMining,
    "uniform": UniformDraw,
}
FORWARDS = {"full": 3.3, "nint": 1.8, "error_mix": 1.8, "int_teaching": 1.8}  # of a step at a share of 20 %


@dataclass(frozen=True)
class Subject:
    """A signal that is fitted: an image, a sound, a shape, or waves of known frequencies."""

    kind: str  # `mesh`, or a key of the table of makers
    size: int  # points per side; of a sound, samples
    name: str
    frequencies: tuple[int, ...] = ()  # cycles of each band of waves

    @property
    def points(self) -> int:
        """Return the number of points."""
        return self.size ** {"sound": 1, "torus": 3, "mesh": 3}.get(self.kind, 2)


@dataclass(frozen=True)
class NetworkShape:
    """Architecture, width and hidden layers of a coordinate network."""

    name: str
    width: int
    hidden: int = 4


@dataclass(frozen=True)
class Entrant:
    """A sampler in a race, with the settings of its training."""

    name: str
    sampler: str
    settings: Mapping[str, Any]
    lr: float
    share: float
    decay: float = 1.0  # of the learning rate over the race
    muon: bool = False  # for the matrices of hidden layers


def make_signal(subject: Subject, data: Data | None) -> Signal:
    """Build a signal from its description."""
    if subject.kind not in _MAKERS:
        raise ValueError(f"unknown kind {subject.kind!r}; allowed: {', '.join(_MAKERS)}")
    return _MAKERS[subject.kind](subject, data.sha256 if data else "")


_MAKERS: dict[str, Callable[[Subject, str], Signal]] = {
    "image": lambda s, sha256: from_pixels(load_image(s.name, sha256), s.size),
    "crop": lambda s, sha256: from_pixels(crop(load_image(s.name, sha256), s.size)),
    "photograph": lambda s, sha256: from_pixels(_photograph(s.name, sha256), s.size),
    "sound": lambda s, sha256: from_samples(_clip(s, sha256), s.size),
    "torus": lambda s, sha256: torus_distance(s.size),  # noqa: ARG005
    "waves": lambda s, sha256: waves(s.size, s.frequencies),  # noqa: ARG005
}


def _clip(subject: Subject, sha256: str) -> Tensor:
    """Load a recording, or a piece of it of the subject's size, as in `bach/3`."""
    name, _, piece = subject.name.partition("/")
    samples = load_sound(name, sha256)[0]
    return samples.split(subject.size)[int(piece)] if piece else samples


def _photograph(name: str, sha256: str) -> Tensor:
    """Load the first image of a class of a part of Imagenette, as in `test/3`."""
    split, label = name.split("/")
    loaded = load("imagenette", split, sha256)
    return loaded.images[(loaded.labels == int(label)).nonzero()[0, 0]]


def make_network(network: NetworkShape, signal: Signal, seed: int) -> torch.nn.Module:
    """Build a network for a signal; its initial weights depend on the seed alone."""
    torch.manual_seed(derive_seed("nint", "network", seed))
    return build(network.name, len(signal.shape), signal.values.shape[1], network.width, network.hidden).to(
        signal.values.device
    )


def pass_seconds(subject: Subject, network: NetworkShape) -> float:
    """Estimate the seconds of a forward pass over all points on one thread."""
    return 1.6e-8 * subject.points * network.width + 5e-4


@work(
    cost=lambda subject, network, entrants, steps, earlier, **_: (
        1
        + sum(FORWARDS.get(e.sampler, 0.75) for e in entrants)
        * pass_seconds(subject, network)
        * (steps - (earlier.arguments["steps"] if earlier else 0))
    )
)
def race(
    data: Data | None,
    subject: Subject,
    seed: int,
    network: NetworkShape,
    entrants: list[Entrant],
    *,
    steps: int,  # of each training, or of the leader
    every: int,  # steps between evaluations
    windows: list[int] = (),  # ends of spans of steps whose visits are counted, as arrays (span, point)
    leader: str | None = None,  # entrant whose time all get; None for equal steps
    device: Literal["cpu", "cuda"] = "cpu",
    signal: Record | None = None,  # in place of data, for a signal that a cell makes
    earlier: Record | None = None,  # the same race up to fewer steps, with its state
    state: bool = False,  # whether to keep what a longer race continues from
) -> CellResult:
    """Train one network per sampler on one signal, in turn, from the same initial weights."""
    if earlier and any(curve["stopped"] for curve in earlier.values["curves"].values()):
        return CellResult(earlier.values, earlier.arrays)
    deterministic(seed)
    keep_freed_memory()
    target = (_restore_signal(signal) if signal else make_signal(subject, data)).to(device)
    count = len(target.values)
    visits = {e.name: np.zeros((len(windows), count), np.uint16) for e in entrants} if windows else {}
    for name in visits if earlier else ():
        visits[name] += earlier.arrays[f"visits.{name}"]
    fits = {
        e.name: TrainingRun(
            wrap(make_network(network, target, seed)),
            target,
            _sampler(e, target, seed),
            e.lr,
            every,
            _quality(target, subject.kind),
            _counter(windows, visits[e.name]) if windows else None,
            muon=e.muon,
            decay=e.decay,
        )
        for e in entrants
    }
    if earlier:
        for name, fit in fits.items():
            packed = BytesIO(earlier.arrays[f"state.{name}"].tobytes())
            fit.load_state_dict(torch.load(packed, weights_only=True))
    _run_race(fits, steps, leader)
    arrays = {f"visits.{name}": counts for name, counts in visits.items()}
    if state:
        arrays |= {f"state.{name}": _pack(fit.state_dict()) for name, fit in fits.items()}
    for name in visits:
        values = fits[name].network.predict(target.coordinates)
        arrays[f"fitted.{name}"] = values.cpu().numpy().astype(np.float32)
    curves = {name: _curve(fit) | {"stopped": fit.stopped} for name, fit in fits.items()}
    return CellResult({"curves": curves, "points": count}, arrays)


def _pack(state: Mapping[str, Any]) -> np.ndarray:
    buffer = BytesIO()
    torch.save(state, buffer)
    return np.frombuffer(buffer.getvalue(), np.uint8)


def _restore_signal(record: Record) -> Signal:
    return Signal(torch.as_tensor(record.arrays["values"]), tuple(record.values["shape"]))


def _sampler(entrant: Entrant, signal: Signal, seed: int) -> Sampler:
    count = len(signal.values)
    batch = count if entrant.sampler == "full" else max(1, int(entrant.share * count))
    return SAMPLERS[entrant.sampler](signal, batch, derive_seed("nint", "draws", seed), **entrant.settings)


def _quality(signal: Signal, kind: str) -> Callable[[Tensor], float]:
    if kind == "sound":
        return lambda residuals: si_snr(residuals + signal.values, signal.values)
    if kind in ("torus", "mesh"):
        return lambda residuals: intersection_over_union(residuals + signal.values <= 0, signal.values <= 0)
    return psnr


def _counter(windows: Sequence[int], counts: np.ndarray) -> Callable[[int, Tensor], None]:
    """Build the counter of visits of each point in each span of steps."""

    def count_visits(step: int, indices: Tensor) -> None:
        counts[sum(step >= end for end in windows[:-1]), indices.cpu().numpy()] += 1

    return count_visits


def _run_race(fits: Mapping[str, TrainingRun], steps: int, leader: str | None) -> None:
    """Run the race; an entrant whose loss is no number stops, and says so."""
    runs = [*fits.values()]
    with suppress(DivergedError):
        race_for_time(runs, [*fits].index(leader), steps) if leader else race_for_steps(runs, steps)


def _curve(fit: TrainingRun) -> dict[str, Any]:
    fields = ("step", "quality", "cpu", "wall", "forwards")
    return {name: [getattr(point, name) for point in fit.curve] for name in fields}


@work(cost=lambda side, **_: 1 + 1e-3 * side**3)
def mesh(data: Data, name: str, side: int) -> CellResult:
    """Sample a mesh's signed distance on a grid of the cube, in units of half the cube's side."""
    vertices, faces = load_mesh(name, data.sha256)
    grid = Signal(torch.zeros(side**3, 1), (side, side, side)).coordinates.numpy()
    distance = signed_distance(grid, fit_to_cube(vertices), faces)
    return CellResult({"shape": [side, side, side]}, {"values": distance[:, None].astype(np.float32)})
