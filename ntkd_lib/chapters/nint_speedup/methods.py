"""The samplers that notebook 07 compares."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Method:
    """One sampler with its settings.

    Attributes:
        name: Short name, used in metrics and cells.
        label: What tables and figures call it.
        module: Module of ``ntkd_lib.inr.samplers`` whose ``build`` makes it.
        settings: What ``build`` is given.
        forwards: Nominal forward-equivalents a step at a share of 20 %, refreshes aside.
    """

    name: str
    label: str
    module: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    forwards: float = 0.6


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method("full", "full batch", "full", forwards=3.0),
        Method("uniform", "uniform", "uniform"),
        Method("nint", "NINT, as written", "nint", forwards=1.6),
        Method("released", "NINT, released score", "nint", {"score": "prediction"}, 1.6),
        Method("code", "NINT, released code", "nint", {"score": "prediction", "staircase": True}, 1.6),
        Method("error_mix", "30 % error, no NTK", "error_mix", forwards=1.6),
        Method("ntk_kept", "30 % NTK, no decay", "nint", {"lam": 0.0}, 2.0),
        Method("alignment", "30 % alignment", "nint", {"lam": 0.0, "score": "alignment"}, 2.0),
        Method("leverage", "30 % self-leverage", "nint", {"lam": 0.0, "score": "leverage"}, 1.9),
        Method("last_layer", "30 % last-layer NTK", "nint", {"lam": 0.0, "score": "last_layer"}, 1.6),
        Method("int_dense", "INT, dense", "int_teaching", forwards=1.6),
        Method("int_incremental", "INT, incremental", "int_teaching", {"incremental": True}, 0.7),
        Method("evos", "EVOS-like", "evos"),
        Method("egra", "EGRA", "egra"),
        Method("expansive", "expansive supervision", "expansive"),
        Method("soft_mining", "soft mining", "soft_mining"),
        Method("error_memory", "error memory (ours)", "error_memory"),
        Method("xi5", "NINT, ξ = 0.5", "nint", {"xi": 0.5}, 1.6),
        Method("xi6", "NINT, ξ = 0.6", "nint", {"xi": 0.6}, 1.6),
        Method("xi8", "NINT, ξ = 0.8", "nint", {"xi": 0.8}, 1.6),
        Method("xi9", "NINT, ξ = 0.9", "nint", {"xi": 0.9}, 1.6),
        Method("alpha5", "NINT, α = 5", "nint", {"alpha": 5}, 1.6),
        Method("alpha40", "NINT, α = 40", "nint", {"alpha": 40}, 1.6),
        Method("lam05", "NINT, λ = 0.5", "nint", {"lam": 0.5}, 1.6),
        Method("lam2", "NINT, λ = 2", "nint", {"lam": 2.0}, 1.6),
    )
}
XI = {"xi5": 0.5, "xi6": 0.6, "nint": 0.7, "xi8": 0.8}
