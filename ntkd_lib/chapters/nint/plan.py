"""The plan of notebook 07: races on images, then the cells of each study."""

from collections.abc import Mapping

from ntkd_lib.chapters.nint.methods import TUNED, entrant, race_cell, tuned
from ntkd_lib.chapters.nint.parameters import NintParameters
from ntkd_lib.chapters.nint.studies import costs, full_size, leverage, networks, settings, signals, spectrum
from ntkd_lib.lab import Cell, Data, ParameterError

IMAGES = ("div2k-512-01", "div2k-512-02", "div2k-512-03", "kodim03")
RACE = (
    "full", "uniform", "nint", "released", "code", "error_mix", "ntk_kept", "alignment", "leverage",
    "last_layer", "int_dense", "int_incremental", "evos", "egra", "expansive", "soft_mining", "error_memory",
)  # fmt: skip


def plan(parameters: NintParameters, data: Mapping[str, Data]) -> list[Cell]:
    """List the cells of a run."""
    for name in ("steps", "side_steps"):
        if parameters.every * 4 > getattr(parameters, name):
            came = f"every = {parameters.every} is too much for {name} = {getattr(parameters, name)}"
            raise ParameterError(f"07_nint_speedup: {came}; allowed: at most a quarter of it")
    located = data["signals"]
    return [
        *races(parameters, located),
        *leverage.cells(parameters, located, IMAGES),
        *settings.cells(parameters, located, IMAGES),
        *networks.cells(parameters, located, IMAGES[0]),
        *spectrum.cells(parameters),
        *signals.cells(parameters, located),
        *costs.cells(parameters),
        *full_size.cells(parameters, located),
    ]


def races(p: NintParameters, signals: Data) -> list[Cell]:
    """Describe races with the paper's settings and for equal time; visits are counted for the first seed."""
    windows = [max(1, p.steps // 20), p.steps // 5, p.steps]
    forms = {
        "race": ([entrant(name) for name in RACE], None),
        "timed": ([entrant(name, **tuned(name)) for name in TUNED], "nint"),
    }
    return [
        race_cell(p, study, signals, name, seed, entrants, steps=p.steps, leader=leader, windows=counted)
        for study, (entrants, leader) in forms.items()
        for seed in p.all_seeds
        for counted in [windows if study == "race" and seed == p.all_seeds[0] else []]
        for name in IMAGES
    ]
