"""Compared samplers of notebook 07, and the search for their settings at equal time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ntkd_lib.chapters.nint import NOTEBOOK
from ntkd_lib.chapters.nint.parameters import NintParameters
from ntkd_lib.chapters.nint.work import Entrant, NetworkShape, Subject, race
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab import Cell, Data, Range, RunCells, Search, derive_seed, draw, read_search

Curve = Mapping[str, Any]
LR, SHARE = 1e-4, 0.2  # the paper's
TUNED = ("full", "uniform", "nint", "expansive", "error_memory")
TUNING_IMAGES = ("kodim05", "kodim08")
TRIALS, TUNING_SEED, TUNING_STEPS = 8, 1000, 1000
TRIED = [(method, trial) for method in TUNED for trial in range(TRIALS)]
SPACE: Mapping[str, Range] = {"lr": (1e-4, 3e-3, "log"), "share": (0.05, 0.4, "log")}


@dataclass(frozen=True)
class SamplingMethod:
    """One sampler with its settings."""

    name: str
    label: str
    sampler: str
    settings: Mapping[str, Any] = field(default_factory=dict)


METHODS: Mapping[str, SamplingMethod] = {
    method.name: method
    for method in (
        SamplingMethod("full", "full batch", "full"),
        SamplingMethod("uniform", "uniform", "uniform"),
        SamplingMethod("nint", "NINT, as written", "nint"),
        SamplingMethod("released", "NINT, released score", "nint", {"score": "prediction"}),
        SamplingMethod("code", "NINT, released code", "nint", {"score": "prediction", "staircase": True}),
        SamplingMethod("error_mix", "30 % error, no NTK", "error_mix"),
        SamplingMethod("ntk_kept", "30 % NTK, no decay", "nint", {"lam": 0.0}),
        SamplingMethod("alignment", "30 % alignment", "nint", {"lam": 0.0, "score": "alignment"}),
        SamplingMethod("leverage", "30 % self-leverage", "nint", {"lam": 0.0, "score": "leverage"}),
        SamplingMethod("last_layer", "30 % last-layer NTK", "nint", {"lam": 0.0, "score": "last_layer"}),
        SamplingMethod("int_dense", "INT, dense", "int_teaching"),
        SamplingMethod("int_incremental", "INT, incremental", "int_teaching", {"incremental": True}),
        SamplingMethod("evos", "EVOS-like", "evos"),
        SamplingMethod("egra", "EGRA", "egra"),
        SamplingMethod("expansive", "expansive supervision", "expansive"),
        SamplingMethod("soft_mining", "soft mining", "soft_mining"),
        SamplingMethod("error_memory", "error memory (ours)", "error_memory"),
        SamplingMethod("xi5", "NINT, ξ = 0.5", "nint", {"xi": 0.5}),
        SamplingMethod("xi6", "NINT, ξ = 0.6", "nint", {"xi": 0.6}),
        SamplingMethod("xi8", "NINT, ξ = 0.8", "nint", {"xi": 0.8}),
        SamplingMethod("xi9", "NINT, ξ = 0.9", "nint", {"xi": 0.9}),
        SamplingMethod("alpha5", "NINT, α = 5", "nint", {"alpha": 5}),
        SamplingMethod("alpha40", "NINT, α = 40", "nint", {"alpha": 40}),
        SamplingMethod("lam05", "NINT, λ = 0.5", "nint", {"lam": 0.5}),
        SamplingMethod("lam2", "NINT, λ = 2", "nint", {"lam": 2.0}),
    )
}
LABELS = {name: method.label for name, method in METHODS.items()}


def entrant(method: str, lr: float = LR, share: float = SHARE, name: str = "") -> Entrant:
    """Describe a method in a race."""
    return Entrant(name or method, METHODS[method].sampler, METHODS[method].settings, lr, share)


def race_cell(
    p: NintParameters,
    study: str,
    data: Data | None,
    subject: str | Subject,
    seed: int,
    entrants: list[Entrant],
    labels: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Cell:
    """Describe a race: a side study's steps, the run's SIREN, an image of its size, unless changed."""
    subject = Subject("image", p.side, subject) if isinstance(subject, str) else subject
    usual = {"steps": p.side_steps, "every": p.every, "network": NetworkShape("siren", p.width)}
    arguments = {**usual, "device": p.device, **changes}
    own = {"study": study, **(labels or {})}
    return race.cell(own, data=data, subject=subject, seed=seed, entrants=entrants, **arguments)


def finished_races(run: Run, **labels: Any) -> pd.DataFrame:
    """List the races with these labels; refuse those that a loss without a number has stopped."""
    table = run.frame(race, **labels)
    for row in table.itertuples():
        for name, curve in row.curves.items():
            if curve["stopped"]:
                raise ValueError(f"race on {row.subject}: {name} stopped: {curve['stopped']}")
    return table


def in_order(curves: Mapping[str, Curve]) -> list[tuple[str, Curve]]:
    """List the curves of a race in the order of the methods."""
    return [(name, curves[name]) for name in METHODS if name in curves]


def trial_rows() -> list[dict[str, Any]]:
    """List the trials of the recorded search."""
    return read_search(NOTEBOOK)["trials"]


def tuned(method: str) -> dict[str, float]:
    """Read the settings of a method's best trial (the first of equals)."""
    best = max((t for t in trial_rows() if t["method"] == method), key=lambda t: sum(t["quality"]))
    return {"lr": best["lr"], "share": best["share"]}


def trial_name(method: str, trial: int) -> str:
    """Name the entrant of a trial, by which its curve is read again."""
    return f"{method}/{trial}"


def draw_settings(trial: int) -> dict[str, float]:
    """Draw the settings of a trial, the same for every sampler: a point of a scrambled Sobol sequence."""
    return draw(SPACE, derive_seed("search", "nint"), trial, points=TRIALS)


def search_cells(signals: Data) -> list[Cell]:
    """Describe one race per image, all trials for as long as NINT takes at the paper's settings."""
    entrants = [entrant("nint", name="nint/paper")]
    entrants += [entrant(m, **draw_settings(t), name=trial_name(m, t)) for m, t in TRIED]
    return [
        race.cell(
            {"study": "search"},
            data=signals,
            subject=Subject("image", 64, name),
            seed=TUNING_SEED,
            network=NetworkShape("siren", 32),
            entrants=entrants,
            steps=TUNING_STEPS,
            every=TUNING_STEPS,
            leader="nint/paper",
        )
        for name in TUNING_IMAGES
    ]


def conduct(data: Mapping[str, Data], run: RunCells) -> dict[str, Any]:
    """Run the same trials for every sampler at equal time, on images that no other run reads."""
    races = [record.values["curves"] for record in run(search_cells(data["signals"]))]
    trials = []
    for method, trial in TRIED:
        curves = [curves[trial_name(method, trial)] for curves in races]
        ends = {"quality": [c["quality"][-1] for c in curves], "steps": [c["step"][-1] for c in curves]}
        trials.append({"method": method, **draw_settings(trial), **ends})
    budget = {"trials": TRIALS, "seed": TUNING_SEED, "images": list(TUNING_IMAGES), "steps": TUNING_STEPS}
    space = {n: [low, high] for n, (low, high, _) in SPACE.items()}
    return {"budget": budget, "space": space, "trials": trials}


SEARCHES = (Search(NOTEBOOK, ("signals",), conduct),)
