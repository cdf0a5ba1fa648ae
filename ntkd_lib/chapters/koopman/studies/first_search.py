"""The first search of notebook 04: settings of every method, on a seed that is not reported."""

from collections.abc import Iterable, Mapping
from typing import Any

from ntkd_lib.chapters.koopman import NOTEBOOK, methods
from ntkd_lib.chapters.koopman.parameters import GARMENTS, KoopmanParameters
from ntkd_lib.chapters.koopman.work import LinearFit, Objective
from ntkd_lib.lab import Cell, Data, RunCells, Search, derive_seed, draw, spaces

# Every student gets as many trials: points of an even sequence at a small size, then at every size the best
# loss settings with two ridges. Least squares is solved for its whole grid.
POINTS, TRIALS, TUNING_SEED = 8, 6, 1000  # POINTS: of a method's sequence
SEARCH_TOLERANCE = 1e-3
FIRST_SIZE = {1: 40, 2: 20, 3: 10}  # components of the first trials
# at degree 3 smaller ridges would take several times as long
SECOND_RIDGES = {1: (1e-6, 1e-5), 2: (3e-6, 3e-5), 3: (3e-5, 1e-4)}
RADIAL_WIDTHS = (0.5, 1.0, 2.0)
Trial = dict[str, Any]


def draw_settings(method: methods.StudentMethod, trial: int) -> dict[str, float]:
    """Draw the settings of a first trial: a point of a scrambled Sobol sequence, and the fixed ones."""
    drawn = draw(method.space, derive_seed("search", method.name), trial, points=POINTS)
    return {**method.fixed, **drawn}


def conduct(data: Mapping[str, Data], run: RunCells) -> dict[str, Any]:
    """Run both stages of the search on every data set, on a seed that is not reported."""
    parameters = KoopmanParameters(tier="cpu")
    ridges = {str(degree): list(pair) for degree, pair in SECOND_RIDGES.items()}
    return {
        "budget": {"trials": TRIALS, "ridges": ridges, "seed": TUNING_SEED},
        "parameters": parameters.model_dump(),
        "space": spaces([*methods.STUDENTS.values(), methods.PIXELS]),
        "trials": [row for name in parameters.datasets for row in _trials(parameters, data[name], run)],
    }


def _trials(p: KoopmanParameters, data: Data, run: RunCells) -> list[Trial]:
    rows: list[Trial] = []
    for degree in methods.DEGREES:
        names = list(methods.STUDENTS) if degree == 2 else ["kd", "ce"]
        first = [
            _trial(degree, name, FIRST_SIZE[degree], draw_settings(methods.STUDENTS[name], number))
            for name in names
            for number in range(TRIALS)
        ]
        rows += _evaluate(p, data, first, run)
        second = [
            _trial(degree, name, d, {**_best_settings(rows, name, degree), "ridge": ridge})
            for name in names
            for d in p.sizes(degree)
            for ridge in SECOND_RIDGES[degree]
        ]
        rows += _evaluate(p, data, second, run)
        rows += _evaluate_linear(p, data, degree, run)
    small = [row for row in rows if row["components"] == FIRST_SIZE[2]]
    best = _best_settings(small, "kd", 2)
    radial = [
        _trial(2, methods.RADIAL, FIRST_SIZE[2], {**best, "ridge": ridge, "width": width})
        for width in RADIAL_WIDTHS
        for ridge in SECOND_RIDGES[2]
    ]
    drawn = (draw_settings(methods.PIXELS, number) for number in range(TRIALS))
    pixels = [_trial(1, methods.PIXELS.name, 784, settings) for settings in drawn]
    return rows + _evaluate(p, data, [*pixels, *radial], run)


def _trial(degree: int, method: str, components: int, settings: Mapping[str, float]) -> Trial:
    return {"degree": degree, "method": method, "components": components, "settings": dict(settings)}


def _best_settings(trials: Iterable[Trial], method: str, degree: int) -> dict[str, float]:
    candidates = (t for t in trials if t["method"] == method and t["degree"] == degree)
    return max(candidates, key=methods.VALIDATION)["settings"]


def _evaluate(p: KoopmanParameters, data: Data, trials: list[Trial], run: RunCells) -> list[Trial]:
    records = run([_trial_cell(p, data, **trial) for trial in trials])
    return [
        {"data": data.name, **trial, "validation": record.values["validation"]}
        for trial, record in zip(trials, records, strict=True)
    ]


def _trial_cell(
    p: KoopmanParameters, data: Data, degree: int, method: str, components: int, settings: dict[str, float]
) -> Cell:
    common = {"seed": TUNING_SEED, "objective": Objective(**settings), "tolerance": SEARCH_TOLERANCE}
    if method == methods.PIXELS.name:
        return methods.pixel_cell(p, data, **common)
    return methods.student_cell(p, data, method, degree=degree, components=components, **common)


def _evaluate_linear(p: KoopmanParameters, data: Data, degree: int, run: RunCells) -> list[Trial]:
    fits = [
        LinearFit(method, d, ridge, rank)
        for method in methods.LEAST_SQUARES
        for d in p.sizes(degree)
        for ridge in (methods.RIDGES if method != "naive_published" else (0.0,))
        for rank in {"naive": methods.RANKS, "naive_published": (d,)}.get(method, (0,))
    ]
    (record,) = run([methods.linear_cell(p, data, TUNING_SEED, degree, fits)])
    rows = []
    for fit in record.values["fits"]:
        settings = {"ridge": fit["ridge"], "rank": fit["rank"]}
        trial = _trial(degree, fit["method"], fit["components"], settings)
        rows.append({"data": data.name, **trial, "validation": fit["validation"]})
    return rows


SEARCH = Search(NOTEBOOK, ("mnist", GARMENTS), conduct)
