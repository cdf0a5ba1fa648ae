"""Figures and tables of notebook 04: scores, paired differences, and the metrics of the claims."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkd_lib.chapters.koopman.inputs import teacher
from ntkd_lib.chapters.koopman.methods import LABELS, PIXELS, chosen_size
from ntkd_lib.chapters.koopman.studies import residual
from ntkd_lib.chapters.koopman.work import least_squares, pixel_student, student
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab import Metric, metric, paired, summarise, unfold
from ntkd_lib.show import ACCURACY, INTERVAL, PAPER_SCORE, SEEDS, STD, Column
from ntkd_lib.show.dots import BLUE, GREEN, ORANGE, PURPLE, RED

COLOURS = {"kd": BLUE, "ce": ORANGE, "ls_logits": GREEN, "naive": RED, "kd_only": PURPLE}
MARKERS = {"kd": "o", "ce": "s", "ls_logits": "^", "naive": "D", "kd_only": "v"}
SHORT = {
    "kd": "distilled",
    "ce": "no teacher",
    "kd_only": "teacher alone",
    "ls_onehot": "LS, labels",
    "ls_logits": "LS, logits",
    "naive": "EDMD, best",
    "naive_published": "EDMD, d' = d",
}
TITLES = {"mnist": "MNIST", "fashion": "Fashion-MNIST"}
DEGREES = {2: "degree 2", 3: "degree 3"}
PAPER = {("mnist", 2): 95.98, ("mnist", 3): 96.77}
ANCHOR_1998, PIXELS_OF_IMAGE = 96.7, 784
PAIRS = (("kd", "naive"), ("kd", "naive_published"), ("kd", "ls_logits"), ("kd", "ce"), ("ce", "ls_onehot"))
SCORE_COLUMNS = [
    *("data", "source", "degree", "method", "components", "seed", "chosen", "accuracy", "validation"),
    *("converged", "gradient", "gap", "steps", "passes", "seconds", "cell"),
]


def scores(run: Run) -> pd.DataFrame:
    """List the scores of all methods; the control of degree 1 comes last."""
    students = run.frame(student, network="mlp")
    pixels = run.frame(pixel_student).assign(degree=1, components=PIXELS_OF_IMAGE)
    cells = run.frame(least_squares, network="mlp")[["data", "degree", "seed", "cell", "fits"]]
    linear = unfold(cells, "fits").assign(converged=True)
    table = pd.concat([students, linear, pixels], ignore_index=True)
    table = table.assign(source=table["data"], data=table["data"].map(short_names(run)))
    chosen = [
        row.method == PIXELS.name
        or row.components == chosen_size(run.parameters, row.source, row.degree, row.method)
        for row in table.itertuples()
    ]
    table = table.assign(chosen=chosen)[SCORE_COLUMNS].assign(label=table["method"].map(LABELS))
    return digits_first(table, control=4).reset_index(drop=True)


def short_names(run: Run) -> dict[str, str]:
    """Map the run's data sets to their names in metrics."""
    return dict(zip(run.parameters.datasets, TITLES, strict=True))


def metrics(run: Run) -> dict[str, Metric]:
    """Collect the metrics that the contract names, and the accuracy of every other method."""
    metrics, table = {}, scores(run)
    table = table[table["chosen"]].assign(short=table["data"], data=table["source"])
    for (data, degree, method), part in table.groupby(["short", "degree", "method"]):
        name = f"koopman.{data}.q{degree}.{method}.accuracy"
        metrics[name] = metric(part, "accuracy")
        if (data, degree) == ("mnist", 2) and method in ("kd", "naive") and len(part) > 1:
            deviation = float(np.std(list(part["accuracy"]), ddof=1))
            metrics[f"{name}_std"] = metrics[name].model_copy(update={"values": [deviation]})
    for source, part in run.frame(teacher, network="mlp").groupby("data"):
        metrics[f"koopman.{short_names(run)[source]}.teacher.accuracy"] = metric(part, "accuracy")
    for method, part in residual.compare(run).groupby("method"):
        metrics[f"koopman.mnist.{residual.NETWORK}.q2_{method}.accuracy"] = metric(part, "accuracy")
    return metrics


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Average the scores over seeds, each method at its chosen size."""
    by = ["data", "degree", "method", "label", "components"]
    rows = summarise(table[table["chosen"]], "accuracy", by)
    distilled = rows["method"] == "kd"
    papers = [PAPER.get(key, np.nan) for key in zip(rows["data"], rows["degree"], strict=True)]
    return rows.assign(paper=np.where(distilled, papers, np.nan))


def differences(table: pd.DataFrame) -> pd.DataFrame:
    """Compare methods seed by seed, each at its chosen size."""
    compared = table[table["chosen"] & (table["degree"] > 1)]
    gaps = paired(compared, "accuracy", PAIRS, within=["data", "degree"])
    return digits_first(gaps.assign(label=gaps["greater"].map(LABELS) + " − " + gaps["less"].map(LABELS)))


def digits_first(table: pd.DataFrame, control: int = 1) -> pd.DataFrame:
    """Sort by data set and degree, in a stable order; `control` is the rank of degree 1."""
    rank = table["degree"].replace(1, control)
    order = table.assign(rank=rank).sort_values(["data", "rank"], ascending=[False, True], kind="stable")
    return table.loc[order.index]


DATA = Column("Data", lambda row: TITLES[row.data])
SIZE = (Column("q", "{degree}"), Column("d", "{components}"))
SCORES = (Column("Method", "{label}"), *SIZE, ACCURACY, INTERVAL, STD, SEEDS, PAPER_SCORE)
GAPS = (
    *(Column("Comparison", "{label}"), DATA, SIZE[0], Column("Difference (points)", "{mean:+.2f}")),
    *(INTERVAL, Column("Ahead in", "{wins} of {seeds} seeds")),
)


def draw_accuracy(table: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Plot test accuracy by method: a dot per seed, the mean with its interval, the paper's value."""
    figure, panels = plt.subplots(2, 2, figsize=(7.2, 6.0), sharex="row")
    keys = [(data, degree) for data in TITLES for degree in DEGREES]
    for axes, (data, degree) in zip(panels.flat, keys, strict=True):
        _plot_methods(axes, select(summary, data, degree), select(table[table["chosen"]], data, degree))
        axes.set_title(f"{TITLES[data]}, {DEGREES[degree]}")
        if (data, degree) in PAPER:
            axes.axvline(PAPER[data, degree], color=ORANGE, linestyle="--", linewidth=1.4)
            axes.axvline(ANCHOR_1998, color=GREEN, linestyle=":", linewidth=1.4)
        if degree == 3:
            axes.set_yticklabels([])
    panels[1, 1].set_xlabel("test accuracy (%)")
    handles = [
        plt.Line2D([], [], marker="o", color=BLUE, label="ours: mean, 95 % interval, seeds"),
        plt.Line2D([], [], color=ORANGE, linestyle="--", label="paper, distilled"),
        plt.Line2D([], [], color=GREEN, linestyle=":", label="quadratic, 1998"),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=3)
    return figure


def select(table: pd.DataFrame, data: str, degree: int) -> pd.DataFrame:
    """Select the rows of a data set and a degree."""
    return table[(table["data"] == data) & (table["degree"] == degree)]


def _plot_methods(axes: Axes, summary: pd.DataFrame, table: pd.DataFrame) -> None:
    for row, method in enumerate(SHORT):
        dots = table[table["method"] == method]["accuracy"]
        axes.scatter(dots, np.full(len(dots), row), s=12, color=BLUE, alpha=0.5, linewidth=0)
        for mean in summary[summary["method"] == method].itertuples():
            axes.plot([mean.low, mean.high], [row, row], color=BLUE, linewidth=2.5)
            axes.plot(mean.mean, row, "o", color=BLUE, markersize=5)
    axes.set_yticks(range(len(SHORT)), list(SHORT.values()))
    axes.set_ylim(len(SHORT) - 0.5, -0.5)
