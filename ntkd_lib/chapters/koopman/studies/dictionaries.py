"""Would other functions do as well as products? Dictionaries of about as many functions, tuned alike.

Decided before any run: each dictionary gets as many trials of ridge and scale, on two tuning seeds and
validation images, and is judged on ten other seeds. Students have no teacher.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd
import torch

from ntkd_lib.chapters.koopman import NOTEBOOK
from ntkd_lib.chapters.koopman.inputs import Inputs, read_inputs
from ntkd_lib.chapters.koopman.methods import scores_cell
from ntkd_lib.chapters.koopman.parameters import GARMENTS, KoopmanParameters
from ntkd_lib.chapters.koopman.work import TOLERANCE, Objective, pose_problem, solve
from ntkd_lib.koopman.dictionaries import Dictionary, Monomials, radial_functions, random_features
from ntkd_lib.lab import Arm, Cell, CellResult, Range, Record, derive_seed, deterministic, recorded_metrics
from ntkd_lib.lab.frame import seed_rows, summarise
from ntkd_lib.lab.search import RunCells, Search, SearchedMethod, best_of, by_name, draw, run_trials, spaces
from ntkd_lib.lab.trials import searched_trials
from ntkd_lib.lab.work import Data, work
from ntkd_lib.optics.absorber import transmitted
from ntkd_lib.show import INTERVAL, Column

NAME = "04_dictionaries"
RUN = KoopmanParameters(tier="cpu")
TRIALS, TUNING_SEEDS, SEARCH_TOLERANCE = 12, (1000, 1001), 1e-3
RIDGE: Mapping[str, Range] = {"ridge": (1e-7, 1e-2, "log")}
SCALED: Mapping[str, Range] = {**RIDGE, "scale": (0.3, 10.0, "log")}
FUNCTIONS, COMPONENTS = 231, 20  # as many as monomials of degree 2 in 20 scores
PRIMITIVES = {"intensity": torch.square, "absorber": lambda u: transmitted(u.square()), "relu": torch.relu}


@dataclass(frozen=True)
class Entrant(SearchedMethod):
    """A dictionary: monomials of a degree, Gaussians, or a primitive of random projections."""

    components: int = COMPONENTS
    degree: int | None = None


ENTRANTS = by_name(
    Entrant("degree_2", "products, degree 2, 20 scores", RIDGE, 20, 2),
    Entrant("degree_3", "products, degree 3, 9 scores", RIDGE, 9, 3),
    Entrant("degree_4", "products, degree 4, 6 scores", RIDGE, 6, 4),
    # much wider ones are so alike that single precision does not tell them apart
    Entrant("gaussians", "Gaussians around inputs", {**RIDGE, "scale": (0.1, 1.5, "log")}),
    Entrant("intensity", "detector: squares of random projections", SCALED),
    Entrant("absorber", "detector behind a saturable absorber", SCALED),
    Entrant("relu", "rectified random projections", SCALED),
)
COLUMNS = (
    *(Column("Functions", "{label}"), Column("Number", "{functions}"), Column("Data", "{data}")),
    *(Column("Test accuracy", "{mean:.2f} %"), INTERVAL, Column("Seeds", "{seeds}")),
)


def build(entrant: Entrant, inputs: Inputs, scale: float, seed: int) -> Dictionary:
    """Build a dictionary; random parts depend on the seed alone."""
    if entrant.degree is not None:
        return Monomials(entrant.components, entrant.degree)
    generator = torch.Generator().manual_seed(derive_seed("dictionary", seed))
    if entrant.name == "gaussians":
        return radial_functions(inputs.train.scores, FUNCTIONS, scale, generator)
    primitive = PRIMITIVES[entrant.name]
    return random_features(inputs.train.scores, FUNCTIONS, primitive, scale, generator)


@work(cost=lambda **_: 3)
def dictionary_student(
    seed: int, *, name: str, ridge: float, scale: float, inputs: Record, tolerance: float = TOLERANCE
) -> CellResult:
    """Fit logistic regression on a dictionary to its certified optimum, and test it once."""
    deterministic(seed)
    parts = read_inputs(inputs, ENTRANTS[name].components)
    dictionary = build(ENTRANTS[name], parts, scale, seed)
    return solve(parts, pose_problem(dictionary, parts, Objective(0.0, 1.0, ridge), None), tolerance)


def _cell(data: Data, entrant: Entrant, seed: int, settings: Mapping[str, float], **more: Any) -> Cell:
    labels = {"data": data.name, "method": entrant.name}
    scores = scores_cell(RUN, data, seed)
    settings = {"scale": 1.0, **settings}
    return dictionary_student.cell(labels, seed=seed, name=entrant.name, inputs=scores, **settings, **more)


def conduct(data: Mapping[str, Data], run: RunCells) -> dict[str, Any]:
    """Run the trials of all dictionaries on both data sets; no test images are read."""
    rows = [
        {"data": name, **row}
        for name, place in data.items()
        for row in run_trials(
            ENTRANTS.values(),
            TRIALS,
            TUNING_SEEDS,
            lambda entrant, n: draw(entrant.space, derive_seed("search", NAME, entrant.name), n, points=16),
            partial(_cell, place, tolerance=SEARCH_TOLERANCE),
            run,
        )
    ]
    budget = {"trials": TRIALS, "seeds": list(TUNING_SEEDS)}
    return {"budget": budget, "space": spaces(ENTRANTS.values()), "trials": rows}


def arms(data: str, parameters: Mapping[str, Any], seed: int, sha256: str) -> dict[str, Arm]:
    """Fit every dictionary at the settings that its trials chose."""
    if parameters != {"data": data, "functions": FUNCTIONS, "search": NAME}:
        raise ValueError(f"parameters {parameters}; allowed: {data}, {FUNCTIONS} functions, {NAME}")
    trials = [row for row in searched_trials(NOTEBOOK, NAME) if row["data"] == data]
    place = Data(data, sha256)
    return {
        metric_name(data, name): Arm((_cell(place, each, seed, best_of(trials, name)["settings"]),))
        for name, each in ENTRANTS.items()
    }


def metric_name(data: str, name: str) -> str:
    """Name the metric of a dictionary."""
    return f"koopman.dictionaries.{data.removesuffix('-mnist')}.{name}.accuracy"


def recorded_scores() -> pd.DataFrame:
    """Read the recorded accuracies of all dictionaries, none where nothing is recorded."""
    names = {
        (data, name, each.label): metric_name(data, name)
        for data in ("mnist", GARMENTS)
        for name, each in ENTRANTS.items()
    }
    metrics = recorded_metrics("04_dictionaries_mnist") | recorded_metrics(f"04_dictionaries_{GARMENTS}")
    by = ["data", "method", "label"]
    table = summarise(seed_rows(metrics, names, [*by, "seed", "accuracy"]), "accuracy", by)
    if len(table):
        table = table.assign(functions=[_count(ENTRANTS[name]) for name in table["method"]])
    return table


def _count(entrant: Entrant) -> int:
    return FUNCTIONS if entrant.degree is None else Monomials(entrant.components, entrant.degree).count


SEARCH = Search(NAME, ("mnist", GARMENTS), conduct)
