"""What notebook 03 shows of its devices: Table 4 by simulation, sweeps, single errors, claims' metrics."""

from operator import itemgetter

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkd_lib.chapters.fabrication import NOTEBOOK
from ntkd_lib.chapters.fabrication.methods import LABELS, VACCINATED, WAYS, severity
from ntkd_lib.chapters.fabrication.plan import STUDENTS
from ntkd_lib.chapters.fabrication.studies import theory_page
from ntkd_lib.chapters.fabrication.work import NONE, TAPS, recover, single_errors
from ntkd_lib.chapters.optical_students.classification import student
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab import Metric, metric, paired, read_search, summarise, unfold
from ntkd_lib.show import ACCURACY, DIFFERENCE, INTERVAL, PAPER_SCORE, Column, dots, training

PAPER, PAPER_IDEAL = {NONE: 89.2, "e2e_ft": 93.2, "ntkd_ft": 95.1}, 97.3
MAIN = (NONE, "e2e_ft", "ntkd_ft")
PAIRS = (("ntkd_ft", "e2e_ft"), ("ntkd_ft", "kd_ft"), ("e2e_ft", "clean_ft"))
STYLE = {
    NONE: (dots.BLUE, "o"),
    "e2e_ft": (dots.ORANGE, "s"),
    "ntkd_ft": (dots.GREEN, "D"),
    VACCINATED.name: (dots.PURPLE, "^"),
}
RECOVERIES = (
    *(Column("Back end", "{label}"), ACCURACY, INTERVAL),
    *(Column("Won back of the mean drop", "{share:.0f} %"), Column("Mean of devices", "{each:.0f} %")),
    *(PAPER_SCORE, Column("Paper, won back", "{paper_share:.0f} %")),
)
DIFFERENCES = (Column("Pair", "{label}"), *DIFFERENCE, Column("Smallest", "{smallest:+.2f}"))
END = (
    *(Column("Strongest errors", "{x:.0f} %"), Column("No compensation there", "{uncompensated:.1f} %")),
    *(Column("Labels there", "{e2e_ft:.1f} %"), Column("NTKD there", "{ntkd_ft:.1f} %")),
    Column("NTKD wins back less than half from", "{stops:.0f} % on"),
)


def devices(run: Run) -> pd.DataFrame:
    """List what back ends reach through devices: a row per student, device and way to recover."""
    long = unfold(run.frame(recover), "recoveries", "way").drop(columns="curve")
    trained = run.frame(student)[["student", "seed", "accuracy", "converged"]]
    trained = trained.rename(columns={"accuracy": "ideal", "converged": "plateau"})
    long = pd.concat([long, long[long["way"] == WAYS.chosen_form()].assign(way="ntkd_ft")])
    return long.merge(trained, on=["student", "seed"])


def at(run: Run, table: pd.DataFrame, **labels: object) -> pd.DataFrame:
    """Select rows by label; NTKD students at the calibrated strength and usual captures unless it says so."""
    usual = {"student": "ntkd", "strength": severity(), "captures": run.parameters.captures, "taps": TAPS}
    for name, value in {**usual, **labels}.items():
        if value is not ...:
            table = table[table[name] == value]
    return table


def scores(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    """List what every way to recover reaches at the calibrated strength."""
    own = at(run, table)
    order = own["way"].map({way: place for place, way in enumerate((NONE, *WAYS.methods, "ntkd_ft"))})
    return own.assign(label=own["way"].map(LABELS)).iloc[np.argsort(order, kind="stable")]


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Average the scores over devices and seeds, beside the paper's."""
    own = table[table["way"] != "ntkd_ft"]
    seeds = own.groupby(["way", "label", "seed"], sort=False)[["accuracy", "ideal"]].mean().reset_index()
    means = summarise(seeds, "accuracy", ["way", "label"])
    ideal, lost = seeds["ideal"].mean(), means.set_index("way")["mean"][NONE]
    reached = seeds.pivot(index="seed", columns="way", values="accuracy")
    ideals = seeds.groupby("seed")["ideal"].first()
    each = reached.apply(lambda own: share_of(own, reached[NONE], ideals)).mean()
    paper = means["way"].replace(WAYS.chosen_form(), "ntkd_ft").map(PAPER)
    return means.assign(
        ideal=ideal,
        share=share_of(means["mean"], lost, ideal),
        each=means["way"].map(each),
        paper=paper,
        paper_share=share_of(paper, PAPER[NONE], PAPER_IDEAL),
    )


def share_of(reached: pd.Series, lost: pd.Series | float, ideal: pd.Series | float) -> pd.Series:
    """Compute the share of the lost accuracy that is won back, percent; NaN if nothing was lost."""
    loss = np.asarray(ideal - lost, dtype=float)
    return 100 * (reached - lost) / np.where(loss > 0, loss, np.nan)


def differences(table: pd.DataFrame) -> pd.DataFrame:
    """Compare ways to recover seed by seed."""
    gaps = paired(table, "accuracy", PAIRS, of="way")
    return gaps.assign(label=gaps["greater"].map(LABELS) + " − " + gaps["less"].map(LABELS))


def strengths(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    """List accuracy against error strength, from designs that are made without errors on."""
    first = table[table["number"] == 0]
    plain = at(run, first, strength=...)
    plain = plain[plain["way"].isin(MAIN)]
    immune = at(run, first, student=VACCINATED.name, strength=...).assign(way=VACCINATED.name)
    swept = pd.concat([plain, immune]).assign(x=lambda rows: 100 * rows["strength"])
    return _averaged(swept.sort_values("x", kind="stable"), plain, "strength")


def counts(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    """List accuracy against the number of captures."""
    own = at(run, table[table["number"] == 0], captures=...)
    own = own[own["way"].isin(MAIN)].assign(x=own["captures"])
    return _averaged(own.sort_values("x", kind="stable"), own, "captures")


def _averaged(rows: pd.DataFrame, plain: pd.DataFrame, swept: str) -> pd.DataFrame:
    """Average a sweep over seeds, with the share of what the uncompensated NTKD student lost."""
    lost = plain[plain["way"] == NONE][[swept, "seed", "accuracy", "ideal"]]
    rows = rows.drop(columns="ideal").merge(lost, on=[swept, "seed"], suffixes=("", "_lost"))
    ideal = rows["ideal"].where(rows["x"] > 0, rows["accuracy_lost"])  # nothing is lost without errors
    by, label = ["way", "label", "x"], rows["way"].map(LABELS)
    rows = rows.assign(label=label, share=share_of(rows["accuracy"], rows["accuracy_lost"], ideal))
    names = {"mean": "share", "low": "share_low", "high": "share_high"}
    shares = summarise(rows, "share", by)[[*by, *names]].rename(columns=names)
    return summarise(rows, "accuracy", by).merge(shares, on=by)


def stops_working(sweep: pd.DataFrame, way: str = "ntkd_ft", half: float = 50.0) -> float:
    """Find the weakest strength from which on less than half of the loss is won back; NaN if none."""
    part = sweep[sweep["way"] == way]
    strongest = part.loc[part["share"] >= half, "x"].max()
    return part.loc[~(part["x"] <= strongest), "x"].min()


def end(sweep: pd.DataFrame) -> pd.DataFrame:
    """Collect where compensation stops working, and what is left at the strongest errors."""
    last = sweep[sweep["x"] == sweep["x"].max()].set_index("way")["mean"]
    return pd.DataFrame([{"stops": stops_working(sweep), "x": sweep["x"].max(), **last[list(MAIN)]}])


def sensitivity(run: Run) -> pd.DataFrame:
    """List what each error costs by itself, the most costly first."""
    table = run.frame(single_errors)
    accuracies = pd.DataFrame(list(table["errors"]))  # a pair per seed and error
    columns = {}
    for place, end in enumerate(("first", "second")):
        changes = accuracies.map(itemgetter(place)).sub(table["none"], axis="index")
        columns |= {end: changes.mean(), f"{end}_low": changes.min(), f"{end}_high": changes.max()}
    rows = pd.DataFrame(columns).rename_axis("error").reset_index()
    return rows.sort_values("second", ascending=False, key=lambda c: c.abs(), ignore_index=True)


def calibration() -> pd.DataFrame:
    """List the trials by which the error strength was set."""
    trials = pd.DataFrame(read_search(NOTEBOOK)["severity"]["trials"])[["strength", "drop"]]
    return trials.assign(strength=100 * trials["strength"]).sort_values("strength")


def metrics(run: Run) -> dict[str, Metric]:
    """Collect the metrics that the claim contract names, and those of every other way to recover."""
    table = devices(run)
    groups = scores(run, table).groupby("way", sort=False)
    named = {f"ntkd.fab.mnist.{way}.accuracy": _metric(part) for way, part in groups}
    first = table[table["number"] == 0]
    for strength in run.parameters.strengths:
        for name, ways in (("ntkd", MAIN), (VACCINATED.name, (NONE,))):
            own = at(run, first, strength=strength, student=name)
            for way in ways:
                swept = f"strength_{100 * strength:.0f}.{way if name == 'ntkd' else name}"
                named[f"ntkd.fab.mnist.{swept}.accuracy"] = _metric(own[own["way"] == way])
    for name in STUDENTS:
        own = at(run, table, student=name, way=NONE)
        drop = own.assign(drop=own["ideal"] - own["accuracy"], converged=own["plateau"])
        named[f"ntkd.fab.mnist.{name}.drop"] = metric(drop, "drop")
    return named | theory_page.metrics(theory_page.rows(run))


def _metric(table: pd.DataFrame) -> Metric:
    """Make the metric of one way to recover; the uncompensated back end is not trained."""
    return metric(table.drop(columns="converged") if table["way"].iloc[0] == NONE else table, "accuracy")


def draw_recovery(table: pd.DataFrame, means: pd.DataFrame) -> Figure:
    """Draw test accuracy after each way to recover: a dot per device, the mean, the paper's value."""
    figure = dots.draw_scores(table, means, "accuracy", "test accuracy (%)", "way", "devices")
    figure.axes[0].axvline(table["ideal"].mean(), color=plt.rcParams["axes.edgecolor"], lw=1, linestyle=":")
    return figure


def draw_sweep(rows: pd.DataFrame) -> Figure:
    """Draw accuracy and the share won back against error strength."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(7.2, 6.0), sharex=True)
    edge = plt.rcParams["axes.edgecolor"]
    for way, part in rows.groupby("way", sort=False):
        _line(above, part, ("mean", "low", "high"), way)
        if way in {"e2e_ft", "ntkd_ft"}:
            _line(below, part, ("share", "share_low", "share_high"), way)
    for axes in (above, below):
        axes.axvline(100 * severity(), color=edge, linewidth=1, linestyle=":")
    below.axhline(50, color=edge, linewidth=1)
    above.set(ylabel="test accuracy (%)", xlim=(0, None), ylim=(None, 100))
    along = "error strength (%); dotted: where the paper's drop is met"
    below.set(ylabel="won back (%)", ylim=(-20, 120), xlabel=along)  # small losses have noisy shares
    above.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure


def _line(axes: Axes, part: pd.DataFrame, columns: tuple[str, str, str], way: str) -> None:
    colour, marker = STYLE[way]
    mean, low, high = (part[column] for column in columns)
    axes.plot(part["x"], mean, marker=marker, color=colour, label=part["label"].iloc[0])
    axes.fill_between(part["x"], low, high, color=colour, alpha=0.2, linewidth=0)


def draw_captures(rows: pd.DataFrame) -> Figure:
    """Draw accuracy against the number of captures."""
    along = ("x", "captured training images")
    figure = training.draw_curves(rows.assign(method=rows["label"]), along, "test accuracy (%)")
    figure.axes[0].set(xscale="log", ylim=(None, 100))
    return figure


def draw_tornado(rows: pd.DataFrame) -> Figure:
    """Draw what each error costs by itself, the most costly on top."""
    figure, axes = plt.subplots(figsize=(7.2, 0.42 * len(rows) + 1.1))
    places, edge = np.arange(len(rows)), plt.rcParams["axes.edgecolor"]
    for end, offset, colour in (("first", -0.19, dots.BLUE), ("second", 0.19, dots.ORANGE)):
        spread = [rows[end] - rows[f"{end}_low"], rows[f"{end}_high"] - rows[end]]
        axes.barh(places + offset, rows[end], 0.36, color=colour, edgecolor="none", label=f"{end} magnitude")
        axes.errorbar(rows[end], places + offset, xerr=spread, fmt="none", ecolor=edge, elinewidth=1.2)
    dots.name_rows(axes, rows["error"])
    axes.set_xscale("symlog", linthresh=0.1)
    axes.set_xlabel("change of validation accuracy (points; linear between −0.1 and 0.1)")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure


def draw_calibration(trials: pd.DataFrame) -> Figure:
    """Draw the mean drop at each strength that was tried, and the paper's."""
    figure, axes = plt.subplots(figsize=(7.2, 3.0))
    axes.plot(trials["strength"], trials["drop"], marker="o")
    target = PAPER_IDEAL - PAPER[NONE]
    axes.axhline(target, color=dots.ORANGE, linewidth=1.2, label=f"the paper's device: {target:g} points")
    axes.set(xlabel="error strength (%)", ylabel="mean drop (points)")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1))
    return figure
