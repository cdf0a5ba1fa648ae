"""The paper's recovered numbers, each with the number of the live run, which is smaller."""

import numpy as np
import pandas as pd

from ntkd_lib.chapters.nint.methods import LABELS
from ntkd_lib.show.columns import Column

# Known second-hand from summaries of the paper's tables; 512 × 512 images, SIREN 5 × 256.
SAVINGS = {"nint": (49.0, 44.3), "expansive": (40.6, 33.1), "evos": (36.5, 22.5), "int_dense": (32.8, 39.5)}
NETWORKS = {"siren": 29.6, "ffn": 10.0, "wire": 43.3}
PSNR = {
    "full batch": (27.90, 31.67, 39.76),
    "uniform": (27.66, 31.14, 37.14),
    "EGRA": (27.67, 31.24, 37.39),
    "INT": (27.57, 31.19, 39.02),
    "EVOS": (28.02, 31.72, 37.56),
    "expansive supervision": (27.99, 32.15, 38.22),
    "NINT": (28.96, 32.64, 39.09),
}
GAINS = {"uniform": (1.30, 1.50, 1.95), "full": (1.06, 0.97, -0.67), "expansive": (0.97, 0.49, 0.87)}
LEVELS = (
    Column("Sampler (the paper)", "{n}"),
    Column("250 steps", "{a:.2f}"),
    Column("1,000 steps", "{b:.2f}"),
    Column("5,000 steps", "{c:.2f}"),
)
BESIDE = (
    Column("Number", "{what}"),
    Column("The paper, 512 × 512", "{paper:+.2f} {unit}"),
    Column("Here, live size", "{here:+.2f} {unit}"),
)


def beside(saved: pd.DataFrame, quality: pd.DataFrame, networks: pd.DataFrame) -> pd.DataFrame:
    """List the paper's numbers with ours of the live run, which is smaller."""
    times, ends = saved.set_index("method")["cpu_saving"], quality.set_index("method")
    rows = [
        (f"time saved to 30 dB (to 35 dB: {second:g} %), {LABELS[method]}", "%", first, times[method])
        for method, (first, second) in SAVINGS.items()
    ]
    for method, gains in GAINS.items():
        gaps = ends.loc["nint", ["at_quarter", "at_end"]] - ends.loc[method, ["at_quarter", "at_end"]]
        rows += [
            (f"NINT minus {LABELS[method]}, {steps:,} steps", "dB", paper, here)
            for steps, paper, here in zip((250, 1000, 5000), gains, (*gaps, np.nan), strict=True)
        ]
    live = networks.set_index("network")["nint_saving"]
    rows += [(f"time saved to 25 dB, {n.upper()}", "%", v, live[n]) for n, v in NETWORKS.items()]
    return pd.DataFrame(rows, columns=["what", "unit", "paper", "here"])


def levels() -> pd.DataFrame:
    """List the paper's own table of quality, known second-hand, for comparison."""
    return pd.DataFrame([(name, *levels) for name, levels in PSNR.items()], columns=list("nabc"))
