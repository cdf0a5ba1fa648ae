"""Detection of overfitting without held-out data: points of the grid, areas, rates, calibration."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score, roc_curve

from ntkd_lib.chapters.overfitting.plan import grid_sizes
from ntkd_lib.chapters.overfitting.problems import NETWORKS
from ntkd_lib.chapters.overfitting.studies.grid import COLUMNS, diagnose
from ntkd_lib.chapters.overfitting.studies.null import matched_null
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab.frame import summarise
from ntkd_lib.lab.statistics import interval_ends
from ntkd_lib.show import NONE, Column, Html, show_table, table, with_minus
from ntkd_lib.show.dots import BLUE, BROWN, GREEN, ORANGE, PINK, PURPLE, RED
from ntkd_lib.spectral.optimism import LIMIT

LEAST_SLOPE, LARGEST_SLOPE = 0.8, 1.2  # of estimated against true optimism that count as calibrated
HARM = 1.25  # test risk over the best of its run above which overfitting counts as harmful
TRUTHS = {
    "off_best": "Contract: risk 25 % above the run's best checkpoint",
    "past_best": "Contract, second entry: after the run's best checkpoint",
    "harmful": "Past its best: risk 25 % above the best so far",
    "large": "Large gap: over half of the risk",
}
METHODS = {  # label, colour and line
    "z": ("tail statistic z", ORANGE, "-"),
    "excess": ("excess of modes, tr H \N{MINUS SIGN} K*", PINK, "-."),
    "low_training_error": ("training error alone", RED, "--"),
    "spectral_rise": ("spectral risk estimate", BLUE, "-"),
    "cv_rise": ("5-fold cross-validation", GREEN, "-"),
    "holdout_rise": ("20 % holdout", PURPLE, ":"),
    "gdf_rise": ("generalised degrees of freedom", BROWN, "-."),
}
NULLS = {
    "independent": "matched null, all known",
    "estimated": "matched null, cut and noise estimated",
    "own": "matched kernel, network fitted to the tested noise",
}
_RUN = ["seed", "rows", "setting", "network"]


def grid_points(run: Run) -> pd.DataFrame:
    """List every network and checkpoint of the grid, with `TRUTHS` and the values of all detectors."""
    parts = []
    for seed in run.parameters.all_seeds:
        for rows, settings in grid_sizes(run.parameters, seed).items():
            (record,) = run.select(diagnose, seed=seed, rows=rows)
            part = pd.DataFrame({name: record.arrays[name] for name in COLUMNS})
            point_settings = [settings[int(place)] for place in part["setting"]]
            part = part.assign(
                seed=seed,
                rows=rows,
                label=[setting.label for setting in point_settings],
                target=[setting.problem.target for setting in point_settings],
                kind=[setting.problem.kind for setting in point_settings],
                name=[list(NETWORKS)[int(place)] for place in part["network"]],
            )
            parts.append(part)
    return _add_detectors(pd.concat(parts, ignore_index=True))


def _add_detectors(points: pd.DataFrame) -> pd.DataFrame:
    """Add truths and the values of detectors; a risk estimate detects by its value over its lowest so far."""
    risk = {"spectral_rise": points["train"] + points["optimism"], "gdf_rise": points["gdf_risk"]}
    risk |= {"cv_rise": points["cv"], "holdout_rise": points["holdout"]}
    groups = [points[name] for name in _RUN]
    rises = {name: values / values.groupby(groups).cummin() for name, values in risk.items()}
    gap, by_run = points["risk"] - points["train"], points["risk"].groupby(groups)
    best = points["epoch"].where(points["risk"] == by_run.transform("min")).groupby(groups).transform("min")
    return points.assign(
        gap=gap,
        past_best=points["epoch"] > best,
        excess=points["trace"] - points["kstar"],
        harmful=points["risk"] > HARM * by_run.cummin(),
        large=gap > points["risk"] / 2,
        off_best=points["risk"] > HARM * by_run.transform("min"),
        low_training_error=-points["train"],
        **rises,
    )


def compared(points: pd.DataFrame) -> pd.DataFrame:
    """Select the points at which every method was run."""
    return points[points["cv"].notna()]


def area(points: pd.DataFrame, method: str, truth: str) -> float:
    """Compute the area under the ROC curve of a method; NaN without both classes."""
    if points[truth].nunique() < 2:
        return float("nan")
    return float(roc_auc_score(points[truth], points[method]))


def areas(points: pd.DataFrame) -> pd.DataFrame:
    """Compare all methods that were run at all points: mean area and interval over seeds."""
    rows = [
        {"label": METHODS[method][0], "truth": truth, "area": area(part, method, truth)}
        for truth in TRUTHS
        for method in _complete(points)
        for _, part in points.groupby("seed")
    ]
    return summarise(pd.DataFrame(rows).dropna(), "area", ["label", "truth"])


def _complete(points: pd.DataFrame) -> list[str]:
    return [method for method in METHODS if points[method].notna().all()]


def roc_curves(points: pd.DataFrame) -> pd.DataFrame:
    """Compute the ROC curves of all methods that were run at all points, past the best, seeds pooled."""
    parts = [pd.DataFrame({"method": [], "false_positive": [], "true_positive": []})]
    for method in _complete(points) if points["harmful"].nunique() > 1 else []:
        false, true, _ = roc_curve(points["harmful"], points[method])
        parts.append(pd.DataFrame({"method": method, "false_positive": false, "true_positive": true}))
    return pd.concat(parts, ignore_index=True)


def rates(points: pd.DataFrame) -> pd.DataFrame:
    """Compute the test's rates at its nominal level of 5 %: means and intervals over seeds."""
    flagged = points.assign(flagged=100 * (points["z"].abs() > LIMIT))
    table = []
    for (label, rows), part in flagged.groupby(["label", "rows"], sort=False):
        row = {"label": label, "rows": rows, "count": len(part)}
        for kind, harmful in (("false_positive", False), ("true_positive", True)):
            shares = part[part["harmful"] == harmful].groupby("seed")["flagged"].mean()
            low, high = interval_ends(list(shares))
            row |= {kind: shares.mean(), f"{kind}_low": low, f"{kind}_high": high}
        table.append(row)
    return pd.DataFrame(table)


def null_rates(run: Run) -> pd.DataFrame:
    """Compute the test's rejection rate over the replicates of the matched null."""
    rows = []
    for variant, label in NULLS.items():
        z = np.concatenate([record.arrays[variant] for record in run.select(matched_null)])
        share = 100 * float((np.abs(z) > LIMIT).mean())
        rows.append({"variant": variant, "label": label, "false_positive": share, "count": len(z)})
    return pd.DataFrame(rows)


def calibration(points: pd.DataFrame) -> pd.DataFrame:
    """Compare estimated and true optimism by group."""
    rows = []
    for (target, kind, size), part in points.groupby(["target", "kind", "rows"], sort=False):
        slope = _slope(part)
        real = part[part["gap"] > 0.1 * part["true_noise"] ** 2]
        row = {"target": target if kind == "plain" else f"{target}, {kind}", "samples": size}
        row |= {"slope": slope, "correlation": float(part["gap"].corr(part["optimism"]))}
        rows.append({**row, "ratio": float((real["optimism"] / real["gap"]).median())})
    return pd.DataFrame(rows)


def calibrated_share(points: pd.DataFrame) -> float:
    """Compute the percentage of settings in which the estimated optimism has a slope of 0.8 to 1.2."""
    slopes = [_slope(part) for _, part in points.groupby(["rows", "setting"])]
    return 100 * float(np.mean([LEAST_SLOPE <= slope <= LARGEST_SLOPE for slope in slopes]))


def _slope(points: pd.DataFrame) -> float:
    return float(np.polyfit(points["gap"], points["optimism"], 1)[0])


def area_table(points: pd.DataFrame, caption: str) -> Html:
    """Show areas under ROC curves: a row per method, a column per truth."""
    texts = {}
    for row in areas(points).itertuples():
        interval = "" if np.isnan(row.low) else f" [{row.low:.3f}, {row.high:.3f}]"
        texts[row.label, row.truth] = with_minus(f"{row.mean:.3f}{interval}")
    labels = [METHODS[method][0] for method in _complete(points)]
    rows = [(label, *(texts.get((label, truth), NONE) for truth in TRUTHS)) for label in labels]
    return table(("Method", *TRUTHS.values()), rows, caption=caption)


def rate_table(run: Run, points: pd.DataFrame) -> Html:
    """Show the test's rejection rates at its nominal level of 5 %."""
    columns = (
        Column("Setting", "{label}"),
        Column("Samples", lambda row: NONE if np.isnan(row.rows) else f"{row.rows:.0f}"),
        Column("Flagged, not past its best", lambda row: _rate_text(row, "false_positive")),
        Column("Flagged, past its best", lambda row: _rate_text(row, "true_positive")),
        Column("Points", "{count:,}"),
    )
    rows = pd.concat([null_rates(run), rates(points)], ignore_index=True)
    return show_table(rows, columns, "How often |z| exceeds 1.96 (intervals over seeds)")


def _rate_text(row: Any, kind: str) -> str:
    value, low, high = (getattr(row, f"{kind}{end}") for end in ("", "_low", "_high"))
    if np.isnan(low):
        return NONE if np.isnan(value) else f"{value:.1f} %"
    return f"{value:.0f} % [{max(low, 0):.0f}, {min(high, 100):.0f}]"


CALIBRATION = (
    *(Column("Target", "{target}"), Column("Samples", "{samples:,}")),
    *(Column("Slope", "{slope:.2f}"), Column("Correlation", "{correlation:.2f}")),
    Column("Median estimate / truth", "{ratio:.2f}"),
)


def draw_roc(everywhere: pd.DataFrame, refitted: pd.DataFrame) -> Figure:
    """Draw ROC curves for networks past their best."""
    figure, panels = plt.subplots(1, 2, figsize=(7.2, 5.0), sharey=True)
    parts = {"the whole grid": everywhere, "settings with refits": refitted}
    for axes, (title, curves) in zip(panels, parts.items(), strict=True):
        for method, curve in curves.groupby("method", sort=False):
            label, colour, line = METHODS[method]
            axes.plot(curve["false_positive"], curve["true_positive"], line, color=colour, label=label)
        axes.plot([0, 1], [0, 1], color="0.5", linewidth=1, linestyle="--")
        axes.set(title=title, xlabel="false-positive rate")
    panels[0].set_ylabel("true-positive rate")
    handles, labels = panels[1].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=9)
    return figure


def draw_optimism(points: pd.DataFrame) -> Figure:
    """Draw estimated against true optimism, one dot per network and checkpoint."""
    plain = (points["kind"] == "plain") & (points["target"] != "gp_rough")
    figure, panels = plt.subplots(1, 2, figsize=(7.2, 3.8), sharex=True, sharey=True)
    low, high = 0.01, 1.2 * max(points["gap"].max(), points["optimism"].max())
    parts = {"smooth target, plain noise": points[plain], "rough, shuffled or uneven": points[~plain]}
    for axes, (title, part) in zip(panels, parts.items(), strict=True):
        x, y = part["gap"].clip(lower=low), part["optimism"].clip(lower=low)
        axes.scatter(x, y, s=3, color=BLUE, alpha=0.15, linewidth=0, rasterized=True)
        axes.plot([low, high], [low, high], color=ORANGE, linewidth=1.4)
        axes.set(xscale="log", yscale="log", title=title, xlabel="true gap")
    panels[0].set_ylabel("estimated gap")
    return figure
