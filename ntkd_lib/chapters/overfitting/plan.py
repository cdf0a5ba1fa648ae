"""The plan of notebook 05: networks by shape, size and seed, their students, and side studies."""

from collections.abc import Mapping

from ntkd_lib.chapters.overfitting import NOTEBOOK, problems
from ntkd_lib.chapters.overfitting.parameters import OverfittingParameters
from ntkd_lib.chapters.overfitting.search import SCORES, six_cells, six_sizes
from ntkd_lib.chapters.overfitting.studies.certificates import try_certificates
from ntkd_lib.chapters.overfitting.studies.costs import compare_speed, decompose_large
from ntkd_lib.chapters.overfitting.studies.grid import diagnosis
from ntkd_lib.chapters.overfitting.studies.null import matched_null
from ntkd_lib.chapters.overfitting.studies.real_tables import score_diabetes, score_digits
from ntkd_lib.chapters.overfitting.studies.students import distil_six
from ntkd_lib.chapters.overfitting.studies.tables import table_arms
from ntkd_lib.data.tables import TABLES
from ntkd_lib.lab import Cell, Data, ParameterError, Protocol

RATE = 3e-3  # of the grid and the small tables, for all networks: their epochs are to mean the same
PROTOCOLS = (Protocol("real tables", NOTEBOOK, "", table_arms, "05_real_tables"),)


def plan(parameters: OverfittingParameters, _: Mapping[str, Data]) -> list[Cell]:
    """List the cells of a run."""
    if not all(parameters.grid_rows < rows <= 5000 for rows in parameters.large_rows):
        came = f"large_rows = {parameters.large_rows} with grid_rows = {parameters.grid_rows}"
        raise ParameterError(f"{NOTEBOOK}: {came}; allowed: sample sizes above grid_rows, at most 5000")
    seeds, replicates = parameters.all_seeds, parameters.null_replicates
    six = [_six(parameters, seed) for seed in seeds]
    epochs = {"digits": max(8, parameters.epochs // 8), "diabetes": parameters.epochs}
    digests = {name: TABLES[name]["sha256"] for name in epochs}
    digits, diabetes = (
        [each.cell(seed=seed, epochs=epochs[name], rate=RATE, sha256=digests[name]) for seed in seeds]
        for each, name in ((score_digits, "digits"), (score_diabetes, "diabetes"))
    )
    return [
        *six,
        *(_grid(parameters, seed, rows) for seed in seeds for rows in grid_sizes(parameters, seed)),
        *diabetes,
        *digits,
        *(matched_null.cell(seed=seed, rows=200, replicates=replicates) for seed in seeds),
        try_certificates.cell(trials=parameters.trials, students=six[0], digits=digits[0]),
        decompose_large.cell(
            seed=seeds[0],
            exact_rows=parameters.exact_rows,
            low_rank_rows=parameters.low_rank_rows,
            landmarks=parameters.landmarks,
        ),
        compare_speed.cell(samples=200, replicates=16, epochs=8),
    ]


def grid_sizes(parameters: OverfittingParameters, seed: int) -> dict[int, list[problems.GridSetting]]:
    """List the settings of a seed by sample size."""
    large = parameters.all_seeds.index(seed) < parameters.large_seeds
    sizes = {parameters.grid_rows: problems.small_settings()}
    return sizes | {n: [problems.GridSetting(problems.Problem())] for n in parameters.large_rows if large}


def _six(parameters: OverfittingParameters, seed: int) -> Cell:
    fits = {use: six_cells(parameters, seed, use) for use in SCORES}
    return distil_six.cell(seed=seed, sizes=six_sizes(parameters), **fits)


def _grid(parameters: OverfittingParameters, seed: int, rows: int) -> Cell:
    settings, sizes = grid_sizes(parameters, seed)[rows], problems.Sizes(rows, parameters.grid_test_points)
    return diagnosis({"part": "grid", "rows": rows}, seed, settings, sizes, parameters.epochs, RATE)
