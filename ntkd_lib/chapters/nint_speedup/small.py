"""The contract's `small` protocol: 128 × 128 images, SIREN 5 × 64, 1,000 steps, five seeds.

It takes about 50 minutes of one CPU core, more than a live run may: ``ntkd record 07 small --workers 1``.
"""

from __future__ import annotations

from ntkd_lib.chapters.nint_speedup.cells import Setup, entrant
from ntkd_lib.chapters.nint_speedup.methods import XI
from ntkd_lib.chapters.nint_speedup.settings import tuned
from ntkd_lib.lab.cells import Cell

IMAGES = ("div2k-512-01", "div2k-512-02", "div2k-512-03")
SIDE, WIDTH, HIDDEN, STEPS, EVERY = 128, 64, 4, 1000, 50
FIXED = ("nint", "error_mix", "released")
TIMED = ("nint", "uniform", "error_memory")
LOOK = 400


def small(sha256: str) -> Setup:
    """Give what all cells of the protocol share."""
    network = {"name": "siren", "width": WIDTH, "hidden": HIDDEN}
    return Setup("small", network, STEPS, EVERY, sha256, second=1.4e-2)


def cells(part: str, seed: int, sha256: str) -> tuple[Cell, ...]:
    """List the cells of one part and seed, one per image."""
    setup = small(sha256)
    subjects = [{"kind": "image", "name": name, "side": SIDE} for name in IMAGES]
    if part == "leverage":
        return tuple(setup.leverage(subject, seed, (0, 50, LOOK)) for subject in subjects)
    names = {"fixed": FIXED, "xi": tuple(name for name in XI if name != "nint"), "timed": TIMED}[part]
    entrants = [entrant(name, **(tuned(name) if part == "timed" else {})) for name in names]
    leader = "nint" if part == "timed" else None
    return tuple(setup.race(subject, seed, entrants, tag=part, leader=leader) for subject in subjects)
