"""Run the main comparison on colour images with five seeds, and record its evidence for the paper's claims.

It takes about six hours of a CPU core, more than a live run may; the teacher is that of the live run. Run as
``python -m ntkd_lib.experiments.ntkd_colour.record [STUDENT …]``; ``kd@0.1`` is the student that hears soft
labels and knows every tenth label. Cells that are in the store are not run again, so that a run that was
stopped goes on; evidence is written for the students whose seeds are complete.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from ntkd_lib.data.registry import Located, locate
from ntkd_lib.experiments.ntkd_classification.parameters import ClassificationParameters
from ntkd_lib.experiments.ntkd_colour.cells import ColourMaker
from ntkd_lib.experiments.ntkd_colour.methods import FEW_LABEL_STUDENTS, FEW_LABELS, METHODS, metric_name
from ntkd_lib.experiments.ntkd_colour.settings import chosen_settings
from ntkd_lib.records.cells import Cell, Record, cell_key
from ntkd_lib.records.evidence import DataState, Evidence, Metric, metric_of, save_evidence
from ntkd_lib.records.execute import run_cells
from ntkd_lib.records.layout import cell_root, results_root
from ntkd_lib.records.parameters import load_parameters
from ntkd_lib.records.provenance import snapshot
from ntkd_lib.records.store import CellStore, RecordError

NOTEBOOK = "01_ntkd_classification"
SEEDS = (0, 1, 2, 3, 4)
STUDENTS = ("none", "kd", "ntkd", "ntkd_kd", "f8", "ideal_lens")
EPOCHS = 36
FEW_EPOCHS = 8  # half of each epoch repeats the known labels, fifty times over where they are 1 %
WITH_SHARES = {name: (name, 1.0) for name in STUDENTS} | {
    f"{name}@{share}": (name, share) for share in FEW_LABELS for name in FEW_LABEL_STUDENTS
}
ASKED = ("colour_images", "colour_teacher", "colour_teacher_epochs", "colour_single_epochs", "batch")
KERNEL = ("kernel_batch", "colour_kernel_every", "colour_kernel_images", "sketch")


def parameters(share: float = 1) -> ClassificationParameters:
    """Give what the protocol asks for: the live run's, but longer; shorter where labels are few.

    Args:
        share: Share of the labels that students know.

    Returns:
        Parameters.
    """
    epochs = EPOCHS if share == 1 else FEW_EPOCHS
    return load_parameters(ClassificationParameters, NOTEBOOK, "cpu", {"colour_epochs": epochs})


def cells(names: Sequence[str], sha256: str) -> list[Cell]:
    """List the cells of some students, seed by seed.

    Args:
        names: Students, as ``WITH_SHARES`` lists them.
        sha256: Digest of the images.

    Returns:
        One cell a seed and student.
    """
    return [_cell(*WITH_SHARES[name], seed, sha256) for seed in SEEDS for name in names]


def _cell(name: str, share: float, seed: int, sha256: str) -> Cell:
    maker, settings = ColourMaker(parameters(share), sha256), chosen_settings(METHODS[name].settings_of)
    if share == 1:
        return maker.student(METHODS[name], seed, settings)
    return maker.student(METHODS[name], seed, settings, f"/labels={share}", label_share=share)


def by_seed(name: str, sha256: str, store: CellStore) -> dict[int, Record]:
    """Read the records of one student.

    Args:
        name: Student, as ``WITH_SHARES`` lists it.
        sha256: Digest of the images.
        store: Where records are.

    Returns:
        Record by seed; empty where one is missing.
    """
    try:
        return {cell.arguments["seed"]: store.load(cell_key(cell)) for cell in cells([name], sha256)}
    except (RecordError, FileNotFoundError):
        return {}


def metrics(sha256: str, store: CellStore) -> dict[str, Metric]:
    """Make the metrics of all students whose seeds are complete.

    Args:
        sha256: Digest of the images.
        store: Where records are.

    Returns:
        Metric by name.
    """
    found = {of: by_seed(name, sha256, store) for name, of in WITH_SHARES.items()}
    return {
        metric_name(*of): metric_of(records, "accuracy", parameters().colour)
        for of, records in found.items()
        if records
    }


def evidence(located: Located, found: Mapping[str, Metric], seconds: float) -> Evidence:
    """Put the metrics into evidence of tier paper.

    Args:
        located: The data set.
        found: Metrics by name.
        seconds: What their cells took.

    Returns:
        The evidence; its parameters are the protocol's.
    """
    asked = parameters()
    kept: dict[str, Any] = {name: getattr(asked, name) for name in (*ASKED, *KERNEL)}
    provenance = snapshot(["python", "-m", "ntkd_lib.experiments.ntkd_colour.record"])
    return Evidence(
        notebook=NOTEBOOK,
        tier="paper",
        standard=True,
        changed={},
        parameters={
            "tier": "paper",
            "protocol": "colour",
            "epochs": EPOCHS,
            "few_label_epochs": FEW_EPOCHS,
            "device": "cpu",
            **kept,
        },
        metrics=dict(found),
        data={asked.colour: DataState(kind=located.kind, sha256=located.sha256, source=located.source)},
        provenance=provenance | {"seconds": round(seconds), "seeds": list(SEEDS)},
    )


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(WITH_SHARES)))
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes; default one a core.")
def main(names: tuple[str, ...], workers: int | None) -> None:
    """Train students, all of the protocol by default, and write what is complete.

    Raises:
        ClickException: The real images are not there.
    """
    located, store = locate(parameters().colour), CellStore(cell_root())
    if located.kind != "real":
        raise click.ClickException(f"recording needs the real {parameters().colour}, found a stand-in")
    run_cells(cells(names or list(WITH_SHARES), located.sha256), store, workers=workers)
    found = metrics(located.sha256, store)
    keys = sorted({key for metric in found.values() for key in metric.cells})
    seconds = sum(store.load(key).provenance["seconds"] for key in keys)
    save_evidence(results_root() / f"{NOTEBOOK}.json", evidence(located, found, seconds))


if __name__ == "__main__":
    main()
