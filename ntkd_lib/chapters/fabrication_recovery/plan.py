"""The plan of notebook 03: designs, Table 4, sweeps, one error at a time, colours, theory."""

from ntkd_lib.chapters.fabrication_recovery.cells import RecoveryMaker
from ntkd_lib.chapters.fabrication_recovery.methods import METHODS
from ntkd_lib.chapters.fabrication_recovery.parameters import RecoveryParameters
from ntkd_lib.chapters.fabrication_recovery.settings import chosen_form, severity, training_settings
from ntkd_lib.chapters.plans import with_needs
from ntkd_lib.data.registry import locate
from ntkd_lib.lab.cells import Cell


def plan(parameters: RecoveryParameters) -> list[Cell]:
    """List the cells of a run, with the students, teachers and designs that they need."""
    maker = RecoveryMaker(parameters, locate(parameters.data).sha256)
    seeds = parameters.all_seeds
    cells = [cell for seed in seeds for cell in _of_seed(maker, parameters, seed)]
    theory = [maker.theory(seed) for seed in range(parameters.theory_seeds)]
    return with_needs([*cells, maker.colour(seeds), *theory])


def _of_seed(maker: RecoveryMaker, parameters: RecoveryParameters, seed: int) -> list[Cell]:
    strength = severity()
    everything = {name: training_settings(name) for name in METHODS}
    main = {name: everything[name] for name in ("e2e_ft", chosen_form())}
    cells = [maker.sensitivity(seed)]
    for number in range(parameters.devices):
        cells.append(maker.device("ntkd", seed, number, strength, everything))
        cells.append(maker.device("kd", seed, number, strength, {}))
        cells.append(maker.device("vaccinated", seed, number, strength, {}, vaccine=strength))
    for other in parameters.strengths:
        cells.append(maker.device("ntkd", seed, 0, other, main))
        cells.append(maker.device("vaccinated", seed, 0, other, {}, vaccine=strength))
    counts = parameters.capture_counts
    return [*cells, *(maker.device("ntkd", seed, 0, strength, main, captures=count) for count in counts)]
