"""Summary of notebook 03: Table 4 by simulation, the sweeps, and one error at a time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ntkd_lib.chapters.fabrication_recovery.cells import VACCINATED, device_name
from ntkd_lib.chapters.fabrication_recovery.methods import METHODS
from ntkd_lib.chapters.fabrication_recovery.settings import chosen_form, search, severity
from ntkd_lib.chapters.gaps import gap_row
from ntkd_lib.chapters.optical_students.classification_methods import chosen_form as student_form
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.statistics import interval_ends

NONE = "uncompensated"
PAPER = {NONE: 89.2, "e2e_ft": 93.2, "ntkd_ft": 95.1}
PAPER_IDEAL = 97.3
MAIN = (NONE, "e2e_ft", "ntkd_ft")
WAYS = (NONE, *METHODS)


def label_of(name: str) -> str:
    """Give what figures call a way to recover; ``ntkd_ft`` is the chosen form of the kernel loss."""
    known = {NONE: "no compensation", "ntkd_ft": "NTKD", "vaccinated": "vaccinated, no compensation"}
    return known[name] if name in known else METHODS[name].label


def student_record(run: Run, student: str, seed: int) -> Record:
    """Give the record of a student without errors."""
    name = student_form() if student == "ntkd" else student
    return run.records[f"{run.parameters.data}/{name}/seed={seed}"]


def device_record(
    run: Run,
    student: str,
    seed: int,
    number: int = 0,
    strength: float | None = None,
    captures: int | None = None,
) -> Record:
    """Give the record of a device."""
    count = captures or run.parameters.captures
    at = severity() if strength is None else strength
    return run.records[f"{run.parameters.data}/{device_name(student, at, count, seed, number)}"]


def scores(run: Run) -> pd.DataFrame:
    """List what every way to recover reaches at the calibrated strength."""
    rows = []
    for seed in run.parameters.all_seeds:
        ideal = student_record(run, "ntkd", seed).values["accuracy"]
        for number in range(run.parameters.devices):
            found = device_record(run, "ntkd", seed, number).values["recoveries"]
            for name in WAYS:
                shown = {key: found[name][key] for key in ("accuracy", "converged")}
                rows.append({"name": name, "label": label_of(name), "seed": seed, "device": number, **shown})
                rows[-1]["ideal"] = ideal
    return pd.DataFrame(rows)


def by_seed(table: pd.DataFrame, name: str) -> pd.Series:
    """Average a way's accuracy over the devices of each seed."""
    return table[table["name"] == form_of(name)].groupby("seed")["accuracy"].mean()


def summary_table(table: pd.DataFrame) -> pd.DataFrame:
    """Average the ways to recover over devices and seeds."""
    ideal, none = table.groupby("seed")["ideal"].mean(), by_seed(table, NONE)
    rows = []
    for name in WAYS:
        values = by_seed(table, name)
        low, high = interval_ends(list(values))
        paper = PAPER.get("ntkd_ft" if name == chosen_form() else name, np.nan)
        rows.append(
            {
                "name": name,
                "label": label_of(name),
                "mean": values.mean(),
                "low": low,
                "high": high,
                "share": share_of(values.mean(), none.mean(), ideal.mean()),
                "ideal": ideal.mean(),
                "paper": paper,
                "paper_share": share_of(paper, PAPER[NONE], PAPER_IDEAL),
            }
        )
    return pd.DataFrame(rows)


def share_of(reached: float, lost: float, ideal: float) -> float:
    """Give the share of the lost accuracy that is won back, percent; NaN where nothing was lost.

    >>> round(share_of(95.1, 89.2, 97.3))
    73
    """
    return 100 * (reached - lost) / (ideal - lost) if ideal > lost else float("nan")


PAIRS = (
    ("ntkd_ft", "e2e_ft"),
    ("e2e_ft", NONE),
    ("ntkd_ft", NONE),
    ("ntkd_ft", "kd_ft"),
    ("e2e_ft", "clean_ft"),
)


def differences(table: pd.DataFrame) -> pd.DataFrame:
    """Compare ways to recover seed by seed."""
    by_method = {name: by_seed(table, name) for pair in PAIRS for name in pair}
    return pd.DataFrame(
        gap_row(by_method, pair, f"{label_of(pair[0])} − {label_of(pair[1])}") for pair in PAIRS
    )


def sweep(run: Run) -> pd.DataFrame:
    """List accuracy against error strength."""
    rows = []
    for strength in sorted({*run.parameters.strengths, severity()}):
        for seed in run.parameters.all_seeds:
            plain, vaccinated = (
                device_record(run, name, seed, strength=strength).values for name in ("ntkd", VACCINATED.name)
            )
            rows += _ways(run, seed, 100 * strength, plain, vaccinated)
    return pd.DataFrame([*_perfect(run), *rows])


def _perfect(run: Run) -> list[dict[str, object]]:
    """List what students reach through their designs, made without any error: nothing is lost."""
    rows = []
    for way, student in ((NONE, "ntkd"), (VACCINATED.name, VACCINATED.name)):
        for seed in run.parameters.all_seeds:
            reached = design_record(run, student, seed).values["accuracy"]
            same = dict.fromkeys(("accuracy", "lost", "ideal"), reached)
            rows.append(
                {"way": way, "label": label_of(way), "x": 0.0, "seed": seed, "psf_error": 0.0, **same}
            )
    return rows


def design_record(run: Run, student: str, seed: int) -> Record:
    """Give the record of a student's design."""
    return run.records[f"{run.parameters.data}/design/{student}/seed={seed}"]


def _ways(
    run: Run, seed: int, x: float, plain: dict, vaccinated: dict | None = None
) -> list[dict[str, object]]:
    found = {name: plain["recoveries"][form_of(name)]["accuracy"] for name in MAIN}
    if vaccinated is not None:
        found[VACCINATED.name] = vaccinated["recoveries"][NONE]["accuracy"]
    common = {
        "x": x,
        "seed": seed,
        "lost": found[NONE],
        "ideal": student_record(run, "ntkd", seed).values["accuracy"],
        "psf_error": plain["psf_error"],
    }
    return [{"way": n, "label": label_of(n), "accuracy": value, **common} for n, value in found.items()]


def form_of(name: str) -> str:
    """Give the way that a name stands for: ``ntkd_ft`` is the chosen form of the kernel loss."""
    return chosen_form() if name == "ntkd_ft" else name


def capture_sweep(run: Run) -> pd.DataFrame:
    """List accuracy against the number of captures."""
    counts = sorted({*run.parameters.capture_counts, run.parameters.captures})
    return pd.DataFrame(
        row
        for count in counts
        for seed in run.parameters.all_seeds
        for row in _ways(run, seed, count, device_record(run, "ntkd", seed, captures=count).values)
    )


def averaged(rows: pd.DataFrame) -> pd.DataFrame:
    """Average a sweep over seeds, with intervals, and add the share that is won back."""
    found = []
    for (way, label, x), part in rows.groupby(["way", "label", "x"], sort=False):
        low, high = interval_ends(list(part["accuracy"]))
        shares = [share_of(r.accuracy, r.lost, r.ideal) for r in part.itertuples()]
        share_low, share_high = interval_ends(shares)
        row = {"way": way, "label": label, "x": x, "mean": part["accuracy"].mean(), "low": low, "high": high}
        found.append({**row, "share": np.mean(shares), "share_low": share_low, "share_high": share_high})
    return pd.DataFrame(found)


def stops_working(rows: pd.DataFrame, way: str = "ntkd_ft", half: float = 50.0) -> float | None:
    """Give the weakest strength from which on less than half of the lost accuracy is won back."""
    part = rows[rows["way"] == way].sort_values("x", ascending=False)
    failing = None
    for row in part.itertuples():
        if row.share >= half:
            break
        failing = row.x
    return failing


def sensitivity(run: Run) -> pd.DataFrame:
    """List what each error costs by itself."""
    records = [
        run.records[f"{run.parameters.data}/sensitivity/seed={s}"].values for s in run.parameters.all_seeds
    ]
    rows = []
    for name in records[0]["errors"]:
        changes = np.array([[value - r["none"] for value in r["errors"][name]] for r in records])
        row = {"error": name}
        for column, end in enumerate(("first", "second")):
            values = changes[:, column]
            row |= {end: values.mean(), f"{end}_low": values.min(), f"{end}_high": values.max()}
        rows.append(row)
    return pd.DataFrame(rows).sort_values("second", ascending=False, key=lambda c: c.abs(), ignore_index=True)


def calibration() -> pd.DataFrame:
    """List the trials by which the error strength was set."""
    trials = search()["severity"]["trials"]
    return pd.DataFrame({"strength": 100 * t["strength"], "drop": t["drop"]} for t in trials).sort_values(
        "strength"
    )


def theory_records(run: Run) -> dict[int, Record]:
    """Give the records of the theory's networks by seed."""
    return {
        s: run.records[f"{run.parameters.data}/theory/seed={s}"] for s in range(run.parameters.theory_seeds)
    }
