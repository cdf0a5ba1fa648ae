"""The plan of notebook 07: races on images, then smaller studies of one question each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ntkd_lib.chapters.nint_speedup import full
from ntkd_lib.chapters.nint_speedup.cells import PACKAGE, Setup, entrant
from ntkd_lib.chapters.nint_speedup.parameters import NintParameters
from ntkd_lib.chapters.nint_speedup.settings import tuned
from ntkd_lib.data.registry import locate
from ntkd_lib.lab.cells import Cell
from ntkd_lib.lab.parameters import ParameterError

IMAGES = ("div2k-512-01", "div2k-512-02", "div2k-512-03", "kodim03")
SOUNDS = ("bach", "speech-0000", "speech-0006")
RACE = (
    "full", "uniform", "nint", "released", "code", "error_mix", "ntk_kept", "alignment", "leverage",
    "last_layer", "int_dense", "int_incremental", "evos", "egra", "expansive", "soft_mining", "error_memory",
)  # fmt: skip
TIMED = ("full", "uniform", "nint", "expansive", "error_memory")
SETTINGS = ("nint", "xi5", "xi6", "xi8", "xi9", "alpha5", "alpha40", "lam05", "lam2", "error_mix")
FEW = ("full", "uniform", "nint", "error_memory")
WAVES = ("uniform", "nint", "ntk_kept", "error_mix", "error_memory")
FREQUENCIES = (1, 3, 6, 10)
RATES = {
    "siren": 5e-4, "mlp": 2e-3, "pemlp": 2e-3, "ffn": 2e-3, "gauss": 2e-3, "finer": 5e-4, "wire": 2e-3,
    "hashgrid": 1e-2,
}  # fmt: skip
HIDDEN = 4
LOOKS = (0, 50, 400)


def plan(parameters: NintParameters) -> list[Cell]:
    """List the cells of a run."""
    for name in ("steps", "side_steps"):
        if parameters.every * 4 > getattr(parameters, name):
            raise ParameterError(
                f"07_nint_speedup: every = {parameters.every} is too much for {name} = "
                f"{getattr(parameters, name)}; allowed: at most a quarter of it"
            )
    sha256 = locate("signals").sha256
    maker = Maker(parameters, sha256)
    return [
        *maker.races(),
        *maker.timed(),
        *maker.leverages(),
        *maker.studies(),
        *maker.others(),
        *maker.costs(),
        *full.cells(parameters, sha256),
    ]


def other_seeds(parameters: NintParameters) -> list[int]:
    """List the seeds of sound and shape: all on tier paper, which their claims need, else the first."""
    return parameters.all_seeds if parameters.tier == "paper" else parameters.all_seeds[:1]


class Maker:
    """Make the cells of one run."""

    def __init__(self, parameters: NintParameters, sha256: str) -> None:
        """Keep both."""
        self.parameters, self.sha256 = parameters, sha256

    def setup(self, name: str, steps: int, *, network: str = "siren", width: int | None = None) -> Setup:
        """Give what the races of one study share."""
        p = self.parameters
        spec = {"name": network, "width": width or p.width, "hidden": HIDDEN}
        second = 1e-8 * p.side**2 * spec["width"] ** 1.0 + 5e-4
        return Setup(name, spec, steps, p.every, self.sha256, p.device, second)

    def image(self, name: str) -> dict[str, Any]:
        """Describe an image of the run's size."""
        return {"kind": "image", "name": name, "side": self.parameters.side}

    def races(self) -> list[Cell]:
        """Make the races of all samplers with the paper's settings; visits are counted for the first seed."""
        p, setup = self.parameters, self.setup("race", self.parameters.steps)
        windows = [max(1, p.steps // 20), p.steps // 5, p.steps]
        entrants = [entrant(name) for name in RACE]
        return [
            setup.race(
                self.image(name),
                seed,
                entrants,
                tag="race",
                windows=windows if seed == p.all_seeds[0] else (),
            )
            for seed in p.all_seeds
            for name in IMAGES
        ]

    def timed(self) -> list[Cell]:
        """Make the races for equal time, each sampler with its tuned settings."""
        setup = self.setup("timed", self.parameters.steps)
        entrants = [entrant(name, **tuned(name)) for name in TIMED]
        return [
            setup.race(self.image(name), seed, entrants, tag="timed", leader="nint")
            for seed in self.parameters.all_seeds
            for name in IMAGES
        ]

    def leverages(self) -> list[Cell]:
        """Make the looks at the diagonal of the tangent kernel."""
        setup = self.setup("leverage", self.parameters.steps)
        looks = [min(look, self.parameters.steps) for look in LOOKS]
        return [
            setup.leverage(self.image(name), seed, sorted(set(looks)))
            for seed in self.parameters.all_seeds
            for name in IMAGES
        ]

    def studies(self) -> list[Cell]:
        """Make the studies of NINT's settings, of architectures, of widths and of a known spectrum."""
        p, seed, steps = self.parameters, self.parameters.all_seeds[0], self.parameters.side_steps
        sweep = self.setup("settings", steps)
        cells = [
            sweep.race(self.image(n), seed, [entrant(m) for m in SETTINGS], tag="settings") for n in IMAGES
        ]
        for network, lr in RATES.items():
            setup, entrants = self.setup("network", steps, network=network), [entrant(m, lr) for m in FEW]
            cells.append(setup.race(self.image(IMAGES[0]), seed, entrants, tag=network))
        for width in (p.width // 2, p.width, 2 * p.width):
            setup, entrants = self.setup("width", steps, width=width), [entrant(m) for m in FEW]
            cells.append(setup.race(self.image(IMAGES[0]), seed, entrants, tag=f"width={width}"))
        subject = {"kind": "waves", "side": p.side, "frequencies": list(FREQUENCIES)}
        windows = [steps // 8, steps // 4, steps // 2, steps]
        setup, entrants = self.setup("waves", steps), [entrant(m, 5e-4) for m in WAVES]
        return [*cells, setup.race(subject, seed, entrants, tag="waves", windows=windows)]

    def others(self) -> list[Cell]:
        """Make the races on sound and on shapes, in which all samplers get the time of full batch."""
        p, steps = self.parameters, self.parameters.side_steps
        setup = self.setup("other", steps)
        subjects: list[tuple[Mapping[str, Any], Mapping[str, Cell]]] = [
            ({"kind": "sound", "name": name, "length": 2 * p.side**2}, {}) for name in SOUNDS
        ]
        side = min(128, max(12, 3 * p.side // 8))
        mesh = self.mesh(side)
        subjects += [
            ({"kind": "torus", "side": side}, {}),
            ({"kind": "mesh", "name": "bunny-small", "side": side}, {"signal": mesh}),
        ]
        entrants = [entrant(m, 5e-4) for m in FEW]
        windows = [steps]
        return [
            mesh,
            *(
                setup.race(
                    subject,
                    seed,
                    entrants,
                    tag="equal-time",
                    leader="full",
                    needs=needs,
                    windows=windows if seed == p.all_seeds[0] else (),
                )
                for subject, needs in subjects
                for seed in other_seeds(p)
            ),
        ]

    def mesh(self, side: int) -> Cell:
        """Make the cell that samples the bunny's signed distance."""
        arguments = {"name": "bunny-small", "side": side, "sha256": self.sha256}
        return Cell(
            name=f"mesh/bunny-small/side={side}",
            work=f"{PACKAGE}.mesh:sample",
            arguments=arguments,
            data={"signals": self.sha256},
            cost=1 + 1e-3 * side**3,
        )

    def costs(self) -> list[Cell]:
        """Make the cells that time a refresh, samplers, and a refresh of very many points."""
        p = self.parameters
        wide = {"width": 8 * p.width, "hidden": HIDDEN}
        sizes = [p.points // 16, p.points // 4, p.points]
        cells = [self._cost("refresh", {"points": n, "rounds": 3, **wide}, 7e-4 * n) for n in sizes]
        many = {"points": 16 * p.points, "width": p.width, "hidden": HIDDEN, "keep": 64}
        few = {"side": 8 * p.side, "share": 0.2, "rounds": 3, **wide}
        return [*cells, self._cost("million", many, 8), self._cost("overhead", few, 15)]

    def _cost(self, work: str, arguments: Mapping[str, Any], cost: float) -> Cell:
        name = f"cost/{work}/{arguments.get('points', arguments.get('side'))}"
        return Cell(name=name, work=f"{PACKAGE}.costs:{work}", arguments=dict(arguments), cost=1 + cost)
