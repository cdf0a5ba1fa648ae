"""Kernel or settings? NTKD and labels alone on colour images, each at the settings of either, as recorded."""

import pandas as pd

from ntkd_lib.chapters.classification import page
from ntkd_lib.show.columns import Column

CROSSED = {
    "unmatched": "settings that the first search gave NTKD",
    "labels_point": "settings that it gave labels alone",
}
CROSSINGS = (
    Column("Both trained at the", "{label}"),
    Column("Labels alone", "{second:.2f} %"),
    Column("NTKD", "{first:.2f} %"),
    *page.GAPS[3:5],
    page.GAPS[-1],
)


def recorded_crossings() -> pd.DataFrame:
    """Compare NTKD with labels alone at the settings of either, seed by seed."""
    rows = []
    for point, label in CROSSED.items():
        names = {(name, 1.0): f"ntkd.cifar10.{point}.{name}.accuracy" for name in ("none", "ntkd")}
        table = page.recorded_rows("01_unmatched", names)
        if table["method"].nunique() == len(names):
            common = table[table.groupby("seed")["seed"].transform("size") == len(names)]
            rows.append(page.compare(common, "cifar10").assign(label=label))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()
