"""Figures and tables of notebook 05: networks, students, controls, and the metrics of the contract."""

from collections.abc import Callable, Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.neural_network import MLPRegressor

from ntkd_lib.chapters.overfitting.problems import INPUTS, LARGEST, NETWORKS
from ntkd_lib.chapters.overfitting.studies import detection
from ntkd_lib.chapters.overfitting.studies.grid import diagnose
from ntkd_lib.chapters.overfitting.studies.null import matched_null
from ntkd_lib.chapters.overfitting.studies.real_tables import score_diabetes, score_digits, split_table
from ntkd_lib.chapters.overfitting.studies.students import distil_six, network_outputs
from ntkd_lib.chapters.overfitting.work import train
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab import Metric, Point, Work, metric, summarise, unfold
from ntkd_lib.lab.statistics import bootstrap_interval
from ntkd_lib.show import BLUE, GREEN, ORANGE, Column, Html, dots, show_table
from ntkd_lib.show.numbers import interval_text, signed
from ntkd_lib.spectral.report import SpectralReport, spectral_report
from ntkd_lib.spectral.stacked import parameter_count

PREDICTORS = {
    "teacher": ("network, end of training", BLUE, "o"),
    "student": ("its student", BLUE, "D"),
    "early_teacher": ("network, stopped in time", ORANGE, "o"),
    "early_student": ("its student", ORANGE, "D"),
    "krr": ("kernel ridge on labels", GREEN, "s"),
}
KINDS = {"diabetes": ("rmse", "", score_diabetes), "digits": ("accuracy", " %", score_digits)}
REAL = (
    ("diabetes", "network", "network, end of training"),
    ("diabetes", "network_student", "its spectral student"),
    ("diabetes", "stopped", "network, stopped in time"),
    ("diabetes", "stopped_student", "its spectral student"),
    ("diabetes", "labels_student", "kernel ridge on labels"),
    ("diabetes", "linear", "linear ridge regression on labels"),
    ("digits", "teacher", "network 64-32 (teacher)"),
    ("digits", "spectral", "spectral student of its logits, GCV"),
    ("digits", "kd", "network 64-32 by KD, temperature chosen on validation data"),
    ("digits", "labels", "the same network on labels"),
    ("digits", "ridge_labels", "kernel ridge on labels"),
)


def _gain(name: str) -> Callable[[Any], str]:
    def text(row: Any) -> str:
        value, low, high = (getattr(row, f"{name}{end}") for end in ("", "_low", "_high"))
        return f"{signed(value)} {interval_text(low, high, sign='+')}"

    return text


SIX = (
    *(Column("Network", "{network}"), Column("Parameters", "{parameters:,.0f}")),
    *(Column("RMSE train / test", "{train:.2f} / {teacher:.2f}"), Column("Student gains", _gain("gain"))),
    Column("Gains, stopped network", _gain("early_gain")),
    *(Column("Gains on kernel ridge", _gain("control_gain")), Column("R² on test inputs", "{r2:.0f} %")),
    Column("Effective parameters", "{effective:.0f}"),
)
FIGURES = (Column("Number", "{what}"), Column("Paper", "{paper}"), Column("Ours, stand-in data", "{ours}"))
CONTROLS = (
    *(Column("Predictor", "{predictor}"), Column("Test RMSE", "{rmse:.2f}")),
    *(Column("R² against teacher", "{r2:.0f} %"), Column("Effective parameters", "{effective:.0f}")),
    *(Column("Nodes", "{nodes:,.0f}"), Column("Nodes / effective parameters", "{ratio:.0f} ×")),
    Column("Numbers stored", "{stored:,.0f}"),
)
COVERAGE = (
    *(Column("Certificate", "{certificate}"), Column("Held", lambda row: f"{100 * row.held:.1f} %")),
    *(Column("Trials", "{trials:,}"), Column("Bound / truth, median", "{ratio:.3g}")),
    Column("Remark", "{remark}"),
)
EXAMPLES = (Column("Claim", "{claim}"), Column("Counter-example", "{example}"), Column("Result", "{result}"))
SCORES = (
    *(Column("Predictor", "{predictor}"), Column("Data", "{data}")),
    Column("Test score", lambda row: f"{row.mean:.2f}{row.unit} {interval_text(row.low, row.high)}"),
)
SCALING = (
    Column("Decomposition", "{way}, {samples:,} samples, width {width:g} × median"),
    *(Column("Rank", "{rank:,}"), Column("Seconds", "{seconds:.1f}")),
    *(Column("Test RMSE", "{rmse:.3f}"), Column("Certified bound on |K − K_r|", "{bound:.2g}")),
    *(Column("Measured, Frobenius", "{frobenius:.2g}"), Column("Leading 50 eigenvalues", "{leading:.2g}")),
)
SPEED = (
    *(Column("Network", "{network}"), Column("One by one (ms)", lambda row: f"{1e3 * row.loop:.0f}")),
    Column("Stacked (ms)", lambda row: f"{1e3 * row.stacked:.0f}"),
    Column("Speed-up", lambda row: f"{row.loop / row.stacked:.1f} ×"),
)


def six_scores(run: Run) -> pd.DataFrame:
    """List the measurements of every network: one row per network and seed."""
    rows = [
        {
            "network": name,
            "parameters": parameter_count(INPUTS, network.widths),
            "seed": row.seed,
            "kstar": row.kstar,
            "krr": row.control["rmse"],
            **row.networks[name],
        }
        for name, network in NETWORKS.items()
        for row in run.frame(distil_six).itertuples()
    ]
    return pd.DataFrame(rows)


def six_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Average over seeds, with intervals of the gains."""
    gains = {
        "gain": scores["teacher"] - scores["student"],
        "early_gain": scores["early_teacher"] - scores["early_student"],
        "control_gain": scores["krr"] - scores["student"],
    }
    table = scores.drop(columns="seed").groupby("network", sort=False).mean().reset_index()
    for name, values in gains.items():
        summary = summarise(scores.assign(gap=values), "gap", ["network"])
        columns = {name: summary["mean"], f"{name}_low": summary["low"], f"{name}_high": summary["high"]}
        table = table.assign(**columns)
    return table


def controls(run: Run) -> pd.DataFrame:
    """Average the controls over seeds: kernel ridge on the labels, a random forest and its student."""
    table = run.frame(distil_six)
    ridge, forest = (pd.DataFrame(list(table[name])).mean() for name in ("control", "forest"))
    size = {"ratio": forest["nodes"] / forest["effective"], "stored": forest["stored"]}
    student = {"rmse": forest["student"], "r2": forest["r2"], "effective": forest["effective"], **size}
    return pd.DataFrame(
        [
            {"predictor": "kernel ridge on labels", **ridge},
            {"predictor": "random forest of 200 trees", "rmse": forest["teacher"], "nodes": forest["nodes"]},
            {"predictor": "its spectral student", **student},
        ]
    )


def first_outputs(run: Run, network: str) -> np.ndarray:
    """Read the outputs of a network of the first seed on its training inputs."""
    (record,) = run.select(train, part="ended", network=network, seed=run.parameters.all_seeds[0])
    return network_outputs(record, "train")


def paper_figures(scores: pd.DataFrame) -> pd.DataFrame:
    """Compare the paper's numbers with ours, on the stand-in data."""
    means = scores.drop(columns="network").groupby(scores["network"], sort=False).mean()
    top, stored, least = means.loc[LARGEST], means.loc[LARGEST, "stored"], means["parameters"].min()
    r2, effective = (f"{means[name].min():.0f} to {means[name].max():.0f}" for name in ("r2", "effective"))
    compression = top["parameters"] / top["effective"]
    rows = [
        ("R² of student against teacher, by network", "77 to 95 %", f"{r2} %"),
        ("effective parameters of the student", "250 to 390", effective),
        ("compression of 512-256 by effective parameters", "359 ×", f"{compression:.0f} ×"),
        ("the same by numbers stored", "–", f"{top['parameters'] / stored:.1f} ×"),
        ("compression of the smallest network, numbers stored", "–", f"{least / stored:.2f} ×"),
        ("modes before the cut, K*", "76", f"{top['kstar']:.0f}"),
        ("modes that 512-256 uses, beyond twice the noise", "249", f"{top['net_modes']:.0f}"),
        ("the same by the trace of the smoother", "249", f"{top['effective']:.0f}"),
        ("train-test gap of 512-256, RMSE", "2.32", f"{top['teacher'] - top['train']:.2f}"),
    ]
    return pd.DataFrame(rows, columns=["what", "paper", "ours"])


def single_table(run: Run, work: Work, columns: tuple[Column, ...], caption: str) -> Html:
    """Show the rows of the one cell of a work function."""
    return show_table(unfold(run.frame(work), "rows"), columns, caption)


def real_scores(run: Run) -> pd.DataFrame:
    """Average the scores on diabetes and digits over seeds."""
    rows = [
        {"place": place, "predictor": label, "data": f"{data}, {score}", "unit": unit, "score": values[name]}
        for place, (data, name, label) in enumerate(REAL)
        for score, unit, work in [KINDS[data]]
        for values in run.frame(work)[score]
    ]
    return summarise(pd.DataFrame(rows), "score", ["place", "predictor", "data", "unit"])


def example_report(run: Run) -> tuple[SpectralReport, float]:
    """Train scikit-learn's network on diabetes, and compute its spectral report and true optimism."""
    split = split_table("diabetes", run.parameters.all_seeds[0])
    x, x_test, mean, spread = split.x[0], split.x[2], split.y[0].mean(), split.y[0].std()
    y, y_test = (split.y[0] - mean) / spread, (split.y[2] - mean) / spread
    settings = {"hidden_layer_sizes": (64,), "solver": "lbfgs", "max_iter": 5000, "random_state": 0}
    model = MLPRegressor(**settings).fit(x, y)
    report = spectral_report(model, x, y, refit=lambda y: MLPRegressor(**settings).fit(x, y).predict(x))
    return report, float(((model.predict(x_test) - y_test) ** 2).mean()) - report.training_error


def grid_fits(run: Run) -> tuple[int, float]:
    """Count the fits of the validation grid, and their seconds on one thread."""
    records = run.select(train, part="grid")
    count = sum(len(record.arrays["train"]) for record in records)
    return count, sum(record.provenance["seconds"] for record in records)


def draw_six(scores: pd.DataFrame) -> Figure:
    """Draw the test RMSE of the six networks, their students and the control: means, with all seeds."""
    names = list(dict.fromkeys(scores["network"]))
    rows = scores["network"].map(names.index)
    figure, axes = plt.subplots(figsize=(7.2, 4.8))
    offsets = np.linspace(-0.28, 0.28, len(PREDICTORS))
    for offset, (name, (label, colour, marker)) in zip(offsets, PREDICTORS.items(), strict=True):
        axes.scatter(scores[name], rows + offset, s=8, color=colour, alpha=0.35, linewidth=0)
        means = scores.groupby("network", sort=False)[name].mean()
        style = {"markerfacecolor": "none" if marker == "D" else colour, "markersize": 6, "label": label}
        axes.plot(means, np.arange(len(names)) + offset, marker, color=colour, **style)
    dots.name_rows(axes, names)
    axes.set(xlabel="test RMSE (noise: 1)", ylabel="network")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure


def metrics(run: Run) -> dict[str, Metric]:
    """Collect the metrics that the claim contract names."""
    scores = six_scores(run)
    by_seed = scores.groupby("seed", sort=False)
    seeds = run.frame(distil_six)[["seed", "cell"]].assign(converged=by_seed["converged"].all().to_list())
    measured = {
        f"spectral.{name}": metric(seeds.assign(value=[value(part) for _, part in by_seed]), "value")
        for name, value in _BY_SEED.items()
    }
    table, groups = six_table(scores), [part for _, part in scores.groupby("network")]
    lows = [bootstrap_interval(list(part["teacher"] - part["student"]))[0] for part in groups]
    counts = {
        "networks_improved": sum(low > 0 for low in lows),
        "stopped_networks_improved": (table["early_gain_low"] > 0).sum(),
        "students_behind_ridge": (table["control_gain_high"] < 0).sum(),
    }
    for name, count in counts.items():
        like = metric(seeds.assign(value=0.0), "value")
        measured[f"spectral.six.{name}"] = like.model_copy(update={"values": [float(count)]})
    share = detection.null_rates(run).set_index("variant")["false_positive"]["independent"]
    measured["spectral.null.false_positive_rate"] = Metric(
        seeds=run.parameters.all_seeds, values=[float(share)], cells=list(run.frame(matched_null)["cell"])
    )
    return measured | _grid_metrics(run)


def _largest(column: str) -> Callable[[pd.DataFrame], float]:
    return lambda part: part.set_index("network")[column][LARGEST]


_BY_SEED: Mapping[str, Callable[[pd.DataFrame], float]] = {
    "six.r2_min": lambda part: part["r2"].min(),
    "six.effective_max": lambda part: part["effective"].max(),
    "six.gcv_regret": lambda part: 100 * (part["student"] / part["oracle"] - 1).mean(),
    "six.greedy_gap": lambda part: part["greedy_gap"].mean(),
    "six.certificate_coverage": lambda part: 100 * (part["certificate"] >= part["difference"]).mean(),
    "six.krr_labels_rmse": lambda part: part["krr"].iloc[0],
    "six.student_rmse": lambda part: part["student"].mean(),
    "w512_256.teacher_parameters": _largest("parameters"),
    "w512_256.effective_parameters": _largest("effective"),
    "w512_256.net_modes": _largest("net_modes"),
    "w512_256.kstar": _largest("kstar"),
    "w512_256.train_rmse": _largest("train"),
    "overfit.effective_modes": _largest("effective"),
    "overfit.signal_modes": _largest("kstar"),
}
_AREAS = {"harmful_auc": ("z", "off_best"), "past_best_auc": ("excess", "past_best")}


def _grid_metrics(run: Run) -> dict[str, Metric]:
    by_seed = dict(list(detection.grid_points(run).groupby("seed")))
    seeds, cells = run.parameters.all_seeds, list(run.frame(diagnose)["cell"])
    series = [
        [Point(x=float(f"{p.gap:.4g}"), y=float(f"{p.optimism:.4g}")) for p in by_seed[seed].itertuples()]
        for seed in seeds
    ]
    calibrated = [detection.calibrated_share(by_seed[seed]) for seed in seeds]
    measured = {
        "spectral.grid.optimism_series": Metric(seeds=seeds, series=series, cells=cells),
        "spectral.grid.calibrated_settings": Metric(seeds=seeds, values=calibrated, cells=cells),
    }
    for name, (method, truth) in _AREAS.items():
        areas = [detection.area(by_seed[seed], method, truth) for seed in seeds]
        if not np.isnan(areas).any():
            measured[f"spectral.grid.{name}"] = Metric(seeds=seeds, values=areas, cells=cells)
    return measured
