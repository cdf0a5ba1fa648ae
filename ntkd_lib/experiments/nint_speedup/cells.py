"""How the cells of notebook 07 are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ntkd_lib.experiments.nint_speedup.methods import METHODS
from ntkd_lib.records.cells import Cell

PACKAGE = "ntkd_lib.experiments.nint_speedup"
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
            subject: Description of the signal.
            seed: Seed of weights and draws.
            entrants: As ``entrant`` makes them.
            tag: Part of the cell's name that tells races of one signal apart.
            windows: Ends of the spans of steps in which visits are counted.
            leader: The entrant whose time all get; None for equal steps.
            needs: The cell that makes the signal, where one does.

        Returns:
            The cell.
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
        """Give the data sets that a signal is read from.

        Args:
            subject: Description of the signal.

        Returns:
            Digest by name; none for signals that are drawn.
        """
        return {"signals": self.sha256} if "name" in subject else {}

    def leverage(self, subject: Mapping[str, Any], seed: int, looks: Sequence[int]) -> Cell:
        """Make the cell that looks at the diagonal of the tangent kernel.

        Args:
            subject: Description of the signal.
            seed: Seed of weights and draws.
            looks: Steps at which it looks.

        Returns:
            The cell.
        """
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
    """Give the short name of a signal.

    Args:
        subject: Its description.

    Returns:
        Its name, or its kind where it is drawn.
    """
    return str(subject.get("name", subject["kind"]))


def entrant(
    method: str, lr: float = LR, share: float = SHARE, name: str | None = None, **settings: Any
) -> dict[str, Any]:
    """Describe one entrant of a race.

    Args:
        method: Name of a method.
        lr: Learning rate.
        share: Share of the points a step.
        name: What the record calls it; the method's name by default.
        settings: Added to the method's own.

    Returns:
        Plain data.
    """
    chosen = METHODS[method]
    return {
        "name": name or method,
        "module": chosen.module,
        "settings": {**chosen.settings, **settings},
        "lr": lr,
        "share": share,
    }
