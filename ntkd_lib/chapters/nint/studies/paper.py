"""The paper's recovered numbers, with the recorded ones of its size."""

import pandas as pd

from ntkd_lib.chapters.nint.methods import LABELS
from ntkd_lib.lab import recorded_metrics
from ntkd_lib.show.columns import Column

# Known second-hand from summaries of the paper's tables; 512 × 512 images, SIREN 5 × 256.
PSNR = {  # dB after 250, 1,000 and 5,000 steps
    "full": (27.90, 31.67, 39.76),
    "uniform": (27.66, 31.14, 37.14),
    "egra": (27.67, 31.24, 37.39),
    "int_dense": (27.57, 31.19, 39.02),
    "evos": (28.02, 31.72, 37.56),
    "expansive": (27.99, 32.15, 38.22),
    "nint": (28.96, 32.64, 39.09),
}
SAVINGS = {"nint": (49.0, 44.3), "expansive": (40.6, 33.1), "evos": (36.5, 22.5), "int_dense": (32.8, 39.5)}
TABLE = (
    *(Column("Sampler", "{label}"), Column("The paper: 250 steps", "{early:.2f}")),
    *(Column("1,000 steps", "{middle:.2f}"), Column("5,000 steps", "{late:.2f}")),
    Column("Time saved to 30 dB, 35 dB", "{to_30:.1f} %, {to_35:.1f} %"),
    *(Column("Here: 1,000 steps", "{here:.2f}"), Column("Images here", "{images:.0f}")),
)


def beside() -> pd.DataFrame:
    """List what the paper reports of each sampler, and the recorded PSNR at its size where there is one."""
    recorded = recorded_metrics("07_paper_size")
    here = {m: pd.Series(x.values) for m in PSNR if (x := recorded.get(f"nint.image5.{m}.psnr_1000"))}
    table = pd.DataFrame.from_dict(PSNR, orient="index", columns=["early", "middle", "late"])
    saved = pd.DataFrame.from_dict(SAVINGS, orient="index", columns=["to_30", "to_35"])
    ours = pd.DataFrame({m: {"here": x.mean(), "images": len(x)} for m, x in here.items()}).T
    return table.join(saved).join(ours).assign(label=table.index.map(LABELS))
