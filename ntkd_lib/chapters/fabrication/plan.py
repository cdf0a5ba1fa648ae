"""The plan of notebook 03: Table 4, sweeps, designs, one error at a time, colours, theory."""

from collections.abc import Mapping

from ntkd_lib.chapters.fabrication import NOTEBOOK, methods
from ntkd_lib.chapters.fabrication.methods import VACCINATED, WAYS, device_cell
from ntkd_lib.chapters.fabrication.parameters import FabricationParameters
from ntkd_lib.chapters.fabrication.studies import hard, photographs
from ntkd_lib.chapters.fabrication.studies.theory import theory
from ntkd_lib.chapters.fabrication.work import GREEN, TAPS, colour_design, single_errors
from ntkd_lib.lab import Cell, Data, Protocol, Search
from ntkd_lib.optics.design import whole_pixels

STUDENTS = ("ntkd", "kd", VACCINATED.name)
COLOURS = 3
ALL_LIGHT = whole_pixels(GREEN)  # filter pixels within the metasurface's size


def plan(parameters: FabricationParameters, data: Mapping[str, Data]) -> list[Cell]:
    """List the cells of a run, without those that only others need."""
    p, own = parameters, data[parameters.data]
    grey = [methods.student_cell(p, own, "ntkd", seed) for seed in p.all_seeds]
    return [
        *(cell for seed in p.all_seeds for cell in _of_seed(p, own, seed)),
        colour_design.cell(filters=p.colour_filters, steps=p.design_steps, colours=COLOURS, students=grey),
        *(theory.cell(data=own, seed=seed, widest=p.widest) for seed in range(p.theory_seeds)),
    ]


def _of_seed(p: FabricationParameters, data: Data, seed: int) -> list[Cell]:
    usual = methods.severity()
    every = {name: methods.recovery(p, name, WAYS.settings(name)) for name in WAYS.methods}
    main = {name: every[name] for name in ("e2e_ft", WAYS.chosen_form())}
    return [
        single_errors.cell(**methods.made(p, data, "ntkd", seed), images=p.shown_captures),
        *(
            device_cell(p, data, name, seed, strength=0.0, taps=taps)
            for name in STUDENTS
            for taps in (TAPS, ALL_LIGHT)
        ),
        *(
            device_cell(p, data, name, seed, every if name == "ntkd" else {}, number=number)
            for number in range(p.devices)
            for name in STUDENTS
        ),
        *(
            device_cell(p, data, name, seed, ways, strength=strength)
            for strength in p.strengths
            if strength != usual
            for name, ways in (("ntkd", main), (VACCINATED.name, {}))
        ),
        *(
            device_cell(p, data, "ntkd", seed, main, captures=count)
            for count in p.capture_counts
            if count != p.captures
        ),
    ]


SEARCHES = (Search(NOTEBOOK, ("mnist",), methods.conduct),)
PROTOCOLS = (
    *(Protocol(name, NOTEBOOK, "carvana", arms) for name, arms in photographs.PARTS.items()),
    Protocol("ten devices", NOTEBOOK, "mnist", hard.usual_arms),
    *(
        Protocol(f"{group} mnist{part}", NOTEBOOK, "mnist", arms)
        for group in ("hard", "usual", "shared")
        for part, arms in hard.PARTS.items()
    ),
    Protocol("usual mnist strengths wider", NOTEBOOK, "mnist", hard.strength_arms),
)
