"""Where things lie: the project, what is built from it, and the cell store."""

import os
from dataclasses import dataclass
from pathlib import Path

WORKBENCH = "NTKD_WORKBENCH"  # the runner's own NTKD_BUILD, in the environment of its kernels


def project_root() -> Path:
    """Find the project's folder: `$NTKD_ROOT`, else the folder that holds `ntkd_lib`."""
    named = os.environ.get("NTKD_ROOT")
    return Path(named).absolute() if named else Path(__file__).resolve().parents[2]


def build_root() -> Path:
    """Find the folder of everything generated: `$NTKD_BUILD`, else `build` in the project."""
    named = os.environ.get("NTKD_BUILD")
    return Path(named).absolute() if named else project_root() / "build"


def cell_root() -> Path:
    """Find the folder of the cell store, which all tiers share."""
    return build_root() / "cells"


def kernel_root() -> Path:
    """Find the folder of kernels that are larger than memory, each in a folder of its own name."""
    return build_root() / "kernels"


def results_root() -> Path:
    """Find the folder of recorded evidence, which is part of the project."""
    return project_root() / "results"


@dataclass(frozen=True)
class Layout:
    """Name the files of one built tier, or of one rerun with changed parameters, below one folder."""

    base: Path

    def converted(self, notebook: str) -> Path:
        """Name the notebook's unexecuted `.ipynb`."""
        return self.base / "notebooks" / f"{notebook}.ipynb"

    def executed(self, notebook: str) -> Path:
        """Name the notebook's executed `.ipynb`."""
        return self.base / "executed" / f"{notebook}.ipynb"

    def seal(self, notebook: str) -> Path:
        """Name the seal of the executed notebook."""
        return self.base / "executed" / f"{notebook}.seal.json"

    def figures(self, notebook: str) -> Path:
        """Name the folder of the notebook's figures."""
        return self.base / "figures" / notebook

    def evidence(self, notebook: str) -> Path:
        """Name the file of the notebook's measured metrics."""
        return self.base / "evidence" / f"{notebook}.json"

    @property
    def site(self) -> Path:
        """The folder that the book's sources are staged in."""
        return self.base / "site"

    @property
    def html(self) -> Path:
        """The folder of the rendered book."""
        return self.base / "html"


def tier_layout(tier: str) -> Layout:
    """Place a tier's results."""
    return Layout(build_root() / tier)


def run_layout(notebook: str, digest: str) -> Layout:
    """Place the results of one notebook rerun with changed parameters."""
    return Layout(build_root() / "runs" / f"{notebook}-{digest[:8]}")


def draft_layout(notebook: str, digest: str) -> Layout:
    """Place what a notebook leaves that was started by Jupyter or papermill: never sealed, in no book."""
    return Layout(build_root() / "drafts" / f"{notebook}-{digest[:8]}")
