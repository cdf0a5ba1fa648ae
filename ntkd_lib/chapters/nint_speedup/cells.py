"""How the cells of notebook 07 are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ntkd_lib.chapters.nint_speedup.methods import METHODS
from ntkd_lib.lab.cells import Cell

PACKAGE = "ntkd_lib.chapters.nint_speedup"
LR, SHARE = 1e-4, 0.2  # the paper's


@dataclass(frozen=True)
class Setup:
    """What all races of one protocol share.

    Attributes:
        name: First part of the cells' names.
        network: Name, width and hidden layers.
        steps: Steps of each training, or of the leader.
        every: Steps between evaluations.
        sha256: Digest of the data set.
        device: Where cells run.
        second: Seconds that a forward pass over all points takes, roughly.
    """

    name: str
    network: Mapping[str, Any]
    steps: int
    every: int
    sha256: str
    device: str = "cpu"
    second: float = 1.3e-3

    def race(
        self,
        subject: Mapping[str, Any],
        seed: int,
        entrants: Sequence[Mapping[str, Any]],
        *,
        tag: str,
        windows: Sequence[int] = (),
        leader: str | None = None,
        needs: Mapping[str, Cell] | None = None,
    ) -> Cell:
        """Make the cell of a race.

        Args:
            needs: The cell that makes the signal, where one does.
        """
        arguments = {
            "subject": dict(subject),
            "sha256": self.sha256,
            "seed": seed,
            "device": self.device,
            "network": dict(self.network),
            "entrants": [dict(entry) for entry in entrants],
            "steps": self.steps,
            "every": self.every,
            "windows": list(windows),
            "leader": leader,
        }
        modules = sorted({f"ntkd_lib.inr.samplers.{entry['module']}" for entry in entrants})
        forwards = sum(METHODS[entry["name"].partition("/")[0]].forwards + 0.3 for entry in entrants)
        return Cell(
            name=f"{self.name}/{label(subject)}/{tag}/seed={seed}",
            work=f"{PACKAGE}.race:run",
            arguments=arguments,
            uses=tuple(modules),
            needs=needs or {},
            data=self.data(subject),
            cost=1 + forwards * self.second * self.steps,
        )

    def data(self, subject: Mapping[str, Any]) -> dict[str, str]:
        """Give the data sets that a signal is read from."""
        return {"signals": self.sha256} if "name" in subject else {}

    def leverage(self, subject: Mapping[str, Any], seed: int, looks: Sequence[int]) -> Cell:
        """Make the cell that looks at the diagonal of the tangent kernel."""
        arguments = {
            "subject": dict(subject),
            "sha256": self.sha256,
            "seed": seed,
            "network": dict(self.network),
            "share": SHARE,
            "lr": LR,
            "looks": list(looks),
        }
        return Cell(
            name=f"{self.name}/{label(subject)}/leverage/seed={seed}",
            work=f"{PACKAGE}.leverage:run",
            arguments=arguments,
            data=self.data(subject),
            cost=1 + 1.9 * self.second * looks[-1],
        )


def label(subject: Mapping[str, Any]) -> str:
    """Give the short name of a signal."""
    return str(subject.get("name", subject["kind"]))


def entrant(
    method: str, lr: float = LR, share: float = SHARE, name: str | None = None, **settings: Any
) -> dict[str, Any]:
    """Describe one entrant of a race."""
    chosen = METHODS[method]
    return {
        "name": name or method,
        "module": chosen.module,
        "settings": {**chosen.settings, **settings},
        "lr": lr,
        "share": share,
    }
