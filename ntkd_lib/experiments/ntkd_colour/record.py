"""Run the main comparison on colour images with five seeds, and record its evidence for the paper's claims.

It takes about six hours of a CPU core, more than a live run may; the teacher is that of the live run. Run as
``python -m ntkd_lib.experiments.ntkd_colour.record [STUDENT …]``; ``kd@0.1`` is the student that hears soft
labels and knows every tenth label. Cells that are in the store are not run again, so that a run that was
stopped goes on; evidence is written for the students whose seeds are complete.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from ntkd_lib.data.registry import Located
from ntkd_lib.experiments.ntkd_classification.parameters import ClassificationParameters
from ntkd_lib.experiments.ntkd_colour.cells import ColourMaker
from ntkd_lib.experiments.ntkd_colour.methods import FEW_LABEL_STUDENTS, FEW_LABELS, METHODS, metric_name
from ntkd_lib.experiments.ntkd_colour.plan import student_cell
from ntkd_lib.experiments.recording import Recording, keys_of, seconds_of
from ntkd_lib.lab.cells import Cell, Record, cell_key
from ntkd_lib.lab.evidence import Evidence, Metric, metric_of
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.layout import cell_root
from ntkd_lib.lab.parameters import load_parameters
from ntkd_lib.lab.store import CellStore, RecordError

NOTEBOOK = "01_ntkd_classification"
SEEDS = (0, 1, 2, 3, 4)
STUDENTS = ("none", "kd", "ntkd", "ntkd_kd", "f8", "ideal_lens")
RECORDING = Recording(NOTEBOOK, "ntkd_lib.experiments.ntkd_colour.record", "cifar-10", SEEDS)
EPOCHS = 36
FEW_EPOCHS = 8  # half of each epoch repeats the known labels, fifty times over where they are 1 %
WITH_SHARES = {name: (name, 1.0) for name in STUDENTS} | {
    f"{name}@{share}": (name, share) for share in FEW_LABELS for name in FEW_LABEL_STUDENTS
}
ASKED = ("colour_images", "colour_teacher", "colour_teacher_epochs", "colour_single_epochs", "batch")
KERNEL = ("kernel_batch", "colour_kernel_every", "colour_kernel_images", "sketch")


def parameters(share: float = 1) -> ClassificationParameters:
    """Give what the protocol asks for: the live run's, but longer; shorter where labels are few."""
    epochs = EPOCHS if share == 1 else FEW_EPOCHS
    return load_parameters(ClassificationParameters, NOTEBOOK, "cpu", {"colour_epochs": epochs})


def cells(names: Sequence[str], sha256: str) -> list[Cell]:
    """List the cells of some students, seed by seed."""
    return [
        student_cell(ColourMaker(parameters(share), sha256), METHODS[method], seed, share)
        for seed in SEEDS
        for method, share in (WITH_SHARES[name] for name in names)
    ]


def by_seed(name: str, sha256: str, store: CellStore) -> dict[int, Record]:
    """Read the records of one student."""
    try:
        return {cell.arguments["seed"]: store.load(cell_key(cell)) for cell in cells([name], sha256)}
    except (RecordError, FileNotFoundError):
        return {}


def metrics(sha256: str, store: CellStore) -> dict[str, Metric]:
    """Make the metrics of all students whose seeds are complete."""
    found = {of: by_seed(name, sha256, store) for name, of in WITH_SHARES.items()}
    return {
        metric_name(*of): metric_of(records, "accuracy", parameters().colour)
        for of, records in found.items()
        if records
    }


def evidence(located: Located, found: Mapping[str, Metric], seconds: float) -> Evidence:
    """Put the metrics into evidence of tier paper."""
    asked = parameters()
    kept = {name: getattr(asked, name) for name in (*ASKED, *KERNEL)}
    protocol = {
        "protocol": "colour",
        "epochs": EPOCHS,
        "few_label_epochs": FEW_EPOCHS,
        "device": "cpu",
        **kept,
    }
    return RECORDING.evidence(located, protocol, found, seconds)


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(WITH_SHARES)))
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes; default one a core.")
def main(names: tuple[str, ...], workers: int | None) -> None:
    """Train students, all of the protocol by default, and write what is complete."""
    located, store = RECORDING.real_data(), CellStore(cell_root())
    run_cells(cells(names or list(WITH_SHARES), located.sha256), store, workers=workers)
    found = metrics(located.sha256, store)
    RECORDING.save(evidence(located, found, seconds_of(keys_of(found), store)))


if __name__ == "__main__":
    main()
