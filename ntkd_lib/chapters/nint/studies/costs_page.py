"""Figure and tables of the cost of selection, and of the kernel's diagonal."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ntkd_lib.chapters.nint.studies.costs import million, overhead, refresh
from ntkd_lib.chapters.nint.studies.leverage import leverage
from ntkd_lib.chapters.run import Run
from ntkd_lib.show import BLUE, ORANGE, Column, Html, table

LOOKS = (
    Column("Step", "{step:.0f}"),
    Column("99th / 1st percentile of θ(x, x)", "{ratio:.1f}"),
    Column("Rank correlation with edges", "{edges:+.2f}"),
    Column("Score with the released one", "{prediction:+.2f}"),
    Column("Score with the error", "{error:+.2f}"),
)


def refreshes(run: Run) -> pd.DataFrame:
    """List the cost of a refresh, in seconds and in forward-equivalents."""
    rows = run.frame(refresh)[["points", "forward", "fused", "separate"]]
    ratios = {f"{way}_forwards": rows[way] / rows["forward"] for way in ("fused", "separate")}
    return rows.assign(**ratios)


def draw_refreshes(costs: pd.DataFrame) -> Figure:
    """Draw the cost of a refresh against the number of points."""
    figure, axes = plt.subplots(figsize=(7.2, 3.2))
    axes.plot(costs["points"], costs["fused_forwards"], "o-", color=BLUE, label="fused, one pass")
    axes.plot(costs["points"], costs["separate_forwards"], "s--", color=ORANGE, label="forward + vjp + jvp")
    axes.set_xscale("log", base=2)
    axes.set_xticks(costs["points"], [f"{n:,}" for n in costs["points"]])
    axes.set(ylim=(0, None), xlabel="points", ylabel="forward-equivalents")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    return figure


def cost_table(run: Run) -> Html:
    """Show the cost of samplers per step, and of a refresh of very many points."""
    (step,), (many,) = run.frame(overhead).itertuples(), run.frame(million).itertuples()
    rows = [
        ("uniform step", f"{1e3 * step.step:.0f} ms"),
        ("choosing, uniform", f"{100 * step.uniform / step.step:.2f} % of the step"),
        ("choosing by error memory, kept up to date", f"{100 * step.error_memory / step.step:.2f} % of it"),
        ("refresh of very many points, narrow network", f"{many.refresh / many.forward:.2f} forward passes"),
        ("rise of memory during it, with results", f"{many.rise:.0f} MiB" if pd.notna(many.rise) else "–"),
        ("all its activations would take", f"{many.everything:,.0f} MiB"),
    ]
    return table(("Quantity", "Measured"), rows, caption="What choosing costs")


def looks(run: Run) -> pd.DataFrame:
    """Average what each look at the tangent kernel's diagonal measured."""
    table = pd.DataFrame([look for looks in run.frame(leverage)["looks"] for look in looks])
    return table.groupby("step").mean().reset_index()
