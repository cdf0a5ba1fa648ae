"""What recorded runs share: real data alone, and evidence of a protocol that no parameter changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click

from ntkd_lib.data.registry import Located, locate
from ntkd_lib.lab.evidence import DataState, Evidence, Metric, load_evidence, save_evidence
from ntkd_lib.lab.layout import results_root
from ntkd_lib.lab.manifest import renew_manifest
from ntkd_lib.lab.provenance import snapshot
from ntkd_lib.lab.store import CellStore


@dataclass(frozen=True)
class Recording:
    """A run that is longer than a live one may be, and whose evidence is kept.

    Attributes:
        notebook: Notebook whose claims it serves.
        module: What ``python -m`` starts.
        data: Name of the data set.
        seeds: Seeds.
        tier: Tier that it counts as.
        file: Name of the evidence without its ending; that of the notebook where it is left out.
    """

    notebook: str
    module: str
    data: str
    seeds: tuple[int, ...]
    tier: Literal["cpu", "paper"] = "paper"
    file: str = ""

    @property
    def path(self) -> Path:
        """Where the evidence lies."""
        return results_root() / f"{self.file or self.notebook}.json"

    def real_data(self) -> Located:
        """Find the data set."""
        located = locate(self.data)
        if located.kind != "real":
            raise click.ClickException(f"recording needs the real {self.data}, found a stand-in")
        return located

    def evidence(
        self, located: Located, protocol: Mapping[str, Any], metrics: Mapping[str, Metric], seconds: float
    ) -> Evidence:
        """Put metrics into evidence whose parameters are the protocol's, so that nothing can differ from it.

        Args:
            located: The data set.
            protocol: What is fixed.
            metrics: Metrics by name.
            seconds: What their cells took.

        Returns:
            The evidence.
        """
        provenance = snapshot(["python", "-m", self.module])
        state = DataState(kind=located.kind, sha256=located.sha256, source=located.source)
        return Evidence(
            notebook=self.notebook,
            tier=self.tier,
            standard=True,
            changed={},
            parameters={"tier": self.tier, **protocol},
            metrics=dict(metrics),
            data={self.data: state},
            provenance=provenance | {"seconds": round(seconds), "seeds": list(self.seeds)},
        )

    def metrics(self) -> dict[str, Metric]:
        """Read back what is recorded."""
        return load_evidence(self.path, recorded=True).metrics if self.path.exists() else {}

    def save(self, evidence: Evidence) -> None:
        """Write evidence to where recorded evidence is, and its line of the manifest."""
        save_evidence(self.path, evidence)
        renew_manifest(self.path)


def seconds_of(keys: Sequence[str], store: CellStore) -> float:
    """Add up what cells took."""
    return sum(store.load(key).provenance["seconds"] for key in sorted(set(keys)))


def keys_of(metrics: Mapping[str, Metric]) -> list[str]:
    """List the cells that metrics rest on."""
    return [key for metric in metrics.values() for key in metric.cells]
