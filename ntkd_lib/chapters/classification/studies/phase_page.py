"""Where a kernel helps: recorded differences to labels alone by share of labels and setting of the loss."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure

from ntkd_lib.chapters.classification.studies.few_labels import LABELS, phase_space
from ntkd_lib.lab import Metric, load_claims, recorded_metrics, seed_rows
from ntkd_lib.lab.trials import trial_name, trials
from ntkd_lib.show.numbers import signed

SETS = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST"}
FORMS = {"normalised": "trace-normalised", "cosine": "centred cosine"}
SCALE = SymLogNorm(0.3, vmin=-30, vmax=30)  # points, linear up to 0.3


def gaps() -> pd.DataFrame:
    """List recorded differences of every setting to labels alone, by data set, share of labels and seed."""
    recorded = {data: metrics for data in SETS if (metrics := recorded_metrics(f"01_phase-{data}"))}
    return pd.concat([_gaps(data, metrics).assign(data=SETS[data]) for data, metrics in recorded.items()])


def _gaps(data: str, metrics: dict[str, Metric]) -> pd.DataFrame:
    registered = load_claims().protocols[f"phase-{data}"].parameters
    names = {
        (share, _in_words(arm, own)): trial_name(f"{space}.share_{share}.{arm}", own, "accuracy")
        for space in [phase_space(registered)]
        for share in registered["shares"]
        for arm, axes in registered["arms"].items()
        for own in trials(axes)
    }
    table = seed_rows(metrics, names, ["share", "setting", "seed", "accuracy"])
    wide = table.pivot(index=["share", "seed"], columns="setting", values="accuracy")
    wide = wide[list(dict.fromkeys(table["setting"]))]
    gaps = wide.sub(wide.pop(LABELS["none"]), axis=0).melt(ignore_index=False, value_name="gap")
    return gaps.dropna().reset_index()


def _in_words(arm: str, own: dict[str, float | str]) -> str:
    return f"{FORMS[own['form']]}, weight {own['weight']:g}" if "form" in own else LABELS[arm]


def draw(table: pd.DataFrame) -> Figure:
    """Draw mean differences by setting and share of labels, in brackets where seeds differ in sign."""
    figure, panels = plt.subplots(1, table["data"].nunique(), figsize=(7.2, 5.2), sharey=True, squeeze=False)
    for axes, (name, part) in zip(panels[0], table.groupby("data", sort=False), strict=True):
        cells = part.groupby(["setting", "share"], sort=False)["gap"]
        means, texts = (cells.agg(value).unstack("share") for value in ("mean", _text))
        style = {"cmap": "PuOr_r", "norm": SCALE, "cbar": False, "annot_kws": {"size": 7}}
        sns.heatmap(means, annot=texts, fmt="", ax=axes, **style)
        axes.set(title=name, xlabel="share of labels (%)", ylabel="")
        axes.set_xticks(axes.get_xticks(), [f"{100 * share:g}" for share in means])
    return figure


def _text(gap: pd.Series) -> str:
    words = signed(gap.mean(), 1 if abs(gap.mean()) >= 1 else 2)
    return words if gap.gt(0).all() or gap.lt(0).all() else f"({words})"
