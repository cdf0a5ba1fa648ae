"""How well overfitting is found without held-out data: points of the grid, ROC curves, rates, calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score, roc_curve

from ntkd_lib.chapters.run import Run
from ntkd_lib.chapters.spectral_overfitting.diagnosis import COLUMNS
from ntkd_lib.chapters.spectral_overfitting.networks import NETWORKS
from ntkd_lib.chapters.spectral_overfitting.plan import grid_sizes
from ntkd_lib.lab.statistics import interval_ends
from ntkd_lib.spectral.optimism import LIMIT

HARM = 1.25  # test risk over the best of its run from which on overfitting counts as harmful
TRUTHS = {
    "off_best": "Contract: risk 25 % above the run's best checkpoint",
    "past_best": "Contract, second entry: after the run's best checkpoint",
    "harmful": "Past its best: risk 25 % above the best so far",
    "large": "Large gap: over half of the risk",
}
METHODS = {
    "z": "tail statistic z",
    "excess": "excess of modes, tr H - K*",
    "low_training_error": "training error alone",
    "spectral_rise": "spectral risk estimate",
    "cv_rise": "5-fold cross-validation",
    "holdout_rise": "20 % holdout",
    "gdf_rise": "generalised degrees of freedom",
}
_RUN = ["seed", "rows", "setting", "network"]


def grid_points(run: Run) -> pd.DataFrame:
    """List every network and checkpoint of the grid.

    ``off_best`` is the contract's first truth. It also holds for a network that has hardly begun to learn,
    whose risk is far above what it reaches later. ``past_best``, its second, holds for the checkpoints after
    the one with the lowest risk of the same run; ``harmful`` for a risk well above the lowest so far.
    ``excess`` is the trace of the smoother that GCV chooses for the network's outputs, less ``K*``. A risk
    estimate is used as a detector by its rise: its value over the lowest of the same training run.
    """
    parts = []
    for seed in run.parameters.all_seeds:
        for rows, settings in grid_sizes(run.parameters, seed).items():
            arrays = run.records[f"grid/n={rows}/seed={seed}"].arrays
            part = pd.DataFrame({name: arrays[name] for name in COLUMNS})
            chosen = [settings[int(place)] for place in part["setting"]]
            part = part.assign(
                seed=seed,
                rows=rows,
                label=[setting.label for setting in chosen],
                target=[setting.problem.target for setting in chosen],
                kind=[setting.problem.kind for setting in chosen],
                name=[list(NETWORKS)[int(place)] for place in part["network"]],
            )
            parts.append(part)
    return _scored(pd.concat(parts, ignore_index=True))


def _scored(points: pd.DataFrame) -> pd.DataFrame:
    risk = {"spectral_rise": points["train"] + points["optimism"], "gdf_rise": points["gdf_risk"]}
    risk |= {"cv_rise": points["cv"], "holdout_rise": points["holdout"]}
    groups = [points[name] for name in _RUN]
    rises = {name: values / values.groupby(groups).cummin() for name, values in risk.items()}
    gap = points["risk"] - points["train"]
    by_run = points["risk"].groupby(groups)
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
    """Keep the points at which every method was run."""
    return points[points["cv"].notna()]


def area(points: pd.DataFrame, method: str, truth: str) -> float:
    """Give the area under the ROC curve of a method."""
    if points[truth].nunique() < 2:
        return float("nan")
    return float(roc_auc_score(points[truth], points[method]))


def areas(points: pd.DataFrame) -> pd.DataFrame:
    """Compare all methods that were run at all points."""
    rows = []
    for truth in TRUTHS:
        for method, label in METHODS.items():
            if points[method].isna().any():
                continue
            values = [area(part, method, truth) for _, part in points.groupby("seed")]
            known = [value for value in values if not np.isnan(value)]
            low, high = interval_ends(known)
            row = {"method": method, "label": label, "truth": truth, "area": np.mean(known or [np.nan])}
            rows.append({**row, "low": low, "high": high, "seeds": len(known)})
    return pd.DataFrame(rows)


def roc_curves(points: pd.DataFrame, truth: str = "harmful") -> pd.DataFrame:
    """Give the ROC curves of all methods that were run at all points, seeds pooled."""
    parts = [pd.DataFrame({"method": [], "label": [], "false_positive": [], "true_positive": []})]
    for method, label in METHODS.items():
        if points[method].isna().any() or points[truth].nunique() < 2:
            continue
        false, true, _ = roc_curve(points[truth], points[method])
        curve = {"method": method, "label": label, "false_positive": false, "true_positive": true}
        parts.append(pd.DataFrame(curve))
    return pd.concat(parts, ignore_index=True)


def rates(points: pd.DataFrame, by: Sequence[str] = ("label",)) -> pd.DataFrame:
    """Give the test's rates at its nominal level of 5 %, with Wilson intervals."""
    flagged = points.assign(flagged=points["z"].abs() > LIMIT)
    rows = []
    for names, part in flagged.groupby(list(by), sort=False):
        row = dict(zip(by, names, strict=True))
        for kind, harmful in (("false_positive", False), ("true_positive", True)):
            row |= _rate(kind, part.loc[part["harmful"] == harmful, "flagged"])
        rows.append(row)
    return pd.DataFrame(rows)


def _rate(kind: str, flagged: pd.Series) -> dict[str, float]:
    count = len(flagged)
    if not count:
        return {kind: np.nan, f"{kind}_low": np.nan, f"{kind}_high": np.nan, f"{kind}_count": 0}
    found = binomtest(int(flagged.sum()), count).proportion_ci(method="wilson")
    share = float(flagged.mean())
    return {kind: share, f"{kind}_low": found.low, f"{kind}_high": found.high, f"{kind}_count": count}


def calibration(points: pd.DataFrame) -> pd.DataFrame:
    """Compare estimated and true optimism by group."""
    rows = []
    for (target, kind, size), part in points.groupby(["target", "kind", "rows"], sort=False):
        slope = np.polyfit(part["gap"], part["optimism"], 1)[0]
        real = part[part["gap"] > 0.1 * part["true_noise"] ** 2]
        rows.append(
            {
                "target": target,
                "kind": kind,
                "rows": size,
                "slope": float(slope),
                "correlation": float(part["gap"].corr(part["optimism"])),
                "ratio": float((real["optimism"] / real["gap"]).median()),
            }
        )
    return pd.DataFrame(rows)
