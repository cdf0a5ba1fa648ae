"""The plan of notebook 05: networks by shape, size and seed, what is made of them, and the certificates."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from ntkd_lib.chapters.spectral_overfitting.grid import Setting, jobs, large_settings, small_settings
from ntkd_lib.chapters.spectral_overfitting.networks import NETWORKS
from ntkd_lib.chapters.spectral_overfitting.parameters import SpectralParameters
from ntkd_lib.chapters.spectral_overfitting.problems import Problem
from ntkd_lib.chapters.spectral_overfitting.settings import chosen_rate
from ntkd_lib.data.tables import TABLES
from ntkd_lib.lab.cells import Cell
from ntkd_lib.lab.parameters import ParameterError

PACKAGE = "ntkd_lib.chapters.spectral_overfitting"
SIX, CHECKPOINTS, VALIDATION = 16, 8, 500
RATE = 3e-3  # of the grid and the small tables, for all networks: their epochs are to mean the same
SPEED = {"rows": 200, "replicates": 16, "epochs": 8}


def plan(parameters: SpectralParameters) -> list[Cell]:
    """List the cells of a run."""
    _check(parameters)
    seeds = parameters.all_seeds
    cells = [cell for seed in seeds for cell in _six(parameters, seed)]
    cells += [cell for seed in seeds for cell in _grid(parameters, seed)]
    cells += [cell for seed in seeds for cell in _tables(parameters, seed)]
    cells += [_null(parameters, seed) for seed in seeds]
    return [*cells, *_single(parameters, {cell.name: cell for cell in cells})]


def grid_sizes(parameters: SpectralParameters, seed: int) -> dict[int, list[Setting]]:
    """List the settings of a seed by sample size."""
    large = parameters.all_seeds.index(seed) < parameters.large_seeds
    sizes = {parameters.grid_rows: small_settings()}
    return sizes | (dict.fromkeys(parameters.large_rows, large_settings()) if large else {})


def search_cell(parameters: SpectralParameters, network: str, rate: float, seed: int) -> Cell:
    """Make the cell of a trial: one network on the problem of the six, with samples for validation only."""
    sizes = {"rows": parameters.rows, "test": 1, "validation": 4 * VALIDATION, "checkpoints": SIX}
    arguments = {"seed": seed, "jobs": jobs([Setting(Problem())]), **sizes, "rate": rate, "falling": True}
    arguments |= {"widths": list(NETWORKS[network].widths), "epochs": parameters.epochs}
    return _cell(
        f"search/{network}/rate={rate:g}/seed={seed}", "fits:train", arguments, cost=_cost(arguments)
    )


def _check(parameters: SpectralParameters) -> None:
    if min([parameters.grid_rows + 1, *parameters.large_rows]) <= parameters.grid_rows:
        raise ParameterError(
            f"05_spectral_overfitting: large_rows = {parameters.large_rows} does not exceed grid_rows = "
            f"{parameters.grid_rows}; allowed: sample sizes above grid_rows"
        )


def _six(parameters: SpectralParameters, seed: int) -> Iterator[Cell]:
    sizes = {"rows": parameters.rows, "test": parameters.test_points, "validation": VALIDATION}
    common = {"seed": seed, "jobs": jobs([Setting(Problem())]), "checkpoints": SIX, "falling": True, **sizes}
    epochs = dict.fromkeys(NETWORKS, parameters.epochs)
    rates = {name: chosen_rate(name) for name in NETWORKS}
    yield from _measured("six", f"seed={seed}", common, epochs, rates, "study:study")


def _grid(parameters: SpectralParameters, seed: int) -> Iterator[Cell]:
    for rows, settings in grid_sizes(parameters, seed).items():
        sizes = {"rows": rows, "test": parameters.grid_test_points, "validation": 0}
        common = {"seed": seed, "jobs": jobs(settings), "checkpoints": CHECKPOINTS, "falling": False, **sizes}
        epochs = {name: max(8, round(net.share * parameters.epochs)) for name, net in NETWORKS.items()}
        rates = dict.fromkeys(NETWORKS, RATE)
        yield from _measured("grid", f"n={rows}/seed={seed}", common, epochs, rates, "diagnosis:diagnose")


def _measured(
    what: str,
    where: str,
    common: dict[str, Any],
    epochs: dict[str, int],
    rates: dict[str, float],
    work: str,
) -> Iterator[Cell]:
    """Give the fits of the six networks and the cell that measures them."""
    needs = {}
    for name, network in NETWORKS.items():
        arguments = {**common, "widths": list(network.widths), "epochs": epochs[name], "rate": rates[name]}
        needs[name] = _cell(f"fits/{what}/{name}/{where}", "fits:train", arguments, cost=_cost(arguments))
    yield from needs.values()
    yield _cell(f"{what}/{where}", work, common, needs=needs, cost=3.0)


def _cost(arguments: dict[str, Any]) -> float:
    """Guess the seconds of fits from the number of multiplications."""
    layers = [14, *arguments["widths"], 1]
    weights = sum(a * b for a, b in pairwise(layers))
    return 0.5 + 1e-10 * weights * arguments["rows"] * arguments["epochs"] * len(arguments["jobs"])


def _tables(parameters: SpectralParameters, seed: int) -> Iterator[Cell]:
    for name, divisor in (("diabetes", 1), ("digits", 8)):
        epochs = max(8, parameters.epochs // divisor)
        arguments = {"seed": seed, "epochs": epochs, "rate": RATE, "sha256": TABLES[name]}
        yield _cell(f"{name}/seed={seed}", f"bundled:{name}", arguments, cost=3.0)


def _null(parameters: SpectralParameters, seed: int) -> Cell:
    arguments = {"seed": seed, "rows": 200, "replicates": parameters.null_replicates}
    return _cell(f"null/seed={seed}", "null:matched_null", arguments, cost=2.0)


def _single(parameters: SpectralParameters, cells: dict[str, Cell]) -> list[Cell]:
    seed = parameters.all_seeds[0]
    needs = {"study": cells[f"six/seed={seed}"], "digits": cells[f"digits/seed={seed}"]}
    sizes = {
        "exact_rows": parameters.exact_rows,
        "low_rank_rows": parameters.low_rank_rows,
        "landmarks": parameters.landmarks,
    }
    return [
        _cell("coverage", "coverage:cover", {"trials": parameters.trials}, needs=needs, cost=10.0),
        _cell("scaling", "scaling:scale", {"seed": seed, **sizes}, cost=20.0),
        _cell("speed", "speed:compare", SPEED, cost=10.0),
    ]


def _cell(name: str, work: str, arguments: dict[str, Any], **rest: Any) -> Cell:
    return Cell(name=name, work=f"{PACKAGE}.{work}", arguments=arguments, **rest)
