"""Images tuned to the tangent kernel against feature matching of equal work: frame and table."""

import pandas as pd

from ntkd_lib.chapters.distilled.methods import LABELS, NAMES
from ntkd_lib.chapters.distilled.studies.tuned import tuned_images
from ntkd_lib.chapters.run import Run
from ntkd_lib.show.columns import Column, show_table
from ntkd_lib.show.html import Html

COLUMNS = (
    Column("Data: images", lambda row: f"{NAMES[row.data]}: {LABELS[row.method]}"),
    Column("Energy captured (%)", "{captured:.2f}"),
    Column("Agreement (%)", "{agreement:.1f}"),
    Column("Accuracy (%)", "{accuracy:.1f}"),
    Column("Jacobian rows", "{rows:,.0f}"),
    Column("GFLOP", lambda row: f"{row.flop / 1e9:,.0f}"),
)


def energy_table(run: Run, means: pd.DataFrame) -> Html:
    """Show the energy captured by landmarks, before and after tuning, and by matched features."""
    shares = pd.DataFrame(
        {"data": cell.data, "method": method, "captured": 100 * share}
        for cell in run.frame(tuned_images).itertuples()
        for method, share in cell.captured.items()
    )
    captured = shares.groupby(["data", "method"], sort=False, as_index=False).mean()
    table = captured.merge(means[means["target"] == "logits"], on=["data", "method"])
    return show_table(table, COLUMNS, "100 images tuned to the kernel, and to features with equal work")
