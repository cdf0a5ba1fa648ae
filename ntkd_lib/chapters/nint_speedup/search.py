"""The search that gives each sampler its learning rate and share for equal-time comparisons.

Every sampler gets the same trials and the same seconds, on images that no other run reads. Run as
``python -m ntkd_lib.chapters.nint_speedup.search``; writes the recorded search.
"""

from __future__ import annotations

from collections.abc import Mapping

import click

from ntkd_lib.chapters.nint_speedup import NOTEBOOK
from ntkd_lib.chapters.nint_speedup.cells import Setup, entrant
from ntkd_lib.chapters.trials import open_search
from ntkd_lib.lab.cells import Cell, Record
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.layout import cell_root
from ntkd_lib.lab.provenance import snapshot
from ntkd_lib.lab.search import Range, draw
from ntkd_lib.lab.searches import save_search
from ntkd_lib.lab.seeds import derive_seed
from ntkd_lib.lab.store import CellStore

TUNED = ("full", "uniform", "nint", "expansive", "error_memory")
IMAGES = ("kodim05", "kodim08")
TRIALS = 8
SEED = 1000
STEPS = 1000
SPACE: Mapping[str, Range] = {"lr": (1e-4, 3e-3, "log"), "share": (0.05, 0.4, "log")}


def draw_settings(trial: int) -> dict[str, float]:
    """Give the settings of a trial, the same for every sampler: a point of a scrambled Sobol sequence."""
    return draw(SPACE, derive_seed("search", "nint"), trial, points=TRIALS)


def cells(sha256: str) -> list[Cell]:
    """Make one race an image, in which all trials get the time of NINT with the paper's settings."""
    setup = Setup("search", {"name": "siren", "width": 32, "hidden": 4}, STEPS, STEPS, sha256)
    trials = [
        entrant(method, **draw_settings(t), name=f"{method}/{t}") for method in TUNED for t in range(TRIALS)
    ]
    entrants = [entrant("nint", name="nint/paper"), *trials]
    return [
        setup.race(
            {"kind": "image", "name": name, "side": 64}, SEED, entrants, tag="trials", leader="nint/paper"
        )
        for name in IMAGES
    ]


def report(records: list[Record]) -> list[dict[str, object]]:
    """List the trials with the quality that each reached in the given time."""
    return [
        {
            "method": method,
            **draw_settings(trial),
            "quality": [record.values["curves"][f"{method}/{trial}"]["quality"][-1] for record in records],
            "steps": [record.values["curves"][f"{method}/{trial}"]["step"][-1] for record in records],
        }
        for method in TUNED
        for trial in range(TRIALS)
    ]


@click.command()
def main() -> None:
    """Run the search and record it."""
    located = open_search("signals")["signals"]
    planned = cells(located.sha256)
    records = run_cells(planned, CellStore(cell_root()), workers=2)
    save_search(
        NOTEBOOK,
        {
            "budget": {"trials": TRIALS, "seed": SEED, "images": list(IMAGES), "steps": STEPS},
            "data": {"signals": located.sha256},
            "space": {name: [low, high] for name, (low, high, _) in SPACE.items()},
            "provenance": snapshot(["python", "-m", "ntkd_lib.chapters.nint_speedup.search"]),
            "trials": report([records[cell.name] for cell in planned]),
        },
    )


if __name__ == "__main__":
    main()
