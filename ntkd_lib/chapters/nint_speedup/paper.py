"""The paper's recovered numbers, each beside what the live run, which is smaller, has for it."""

from __future__ import annotations

import pandas as pd

from ntkd_lib.chapters.nint_speedup.methods import METHODS

# Known second-hand from summaries of the paper's tables; 512 × 512 images, SIREN 5 × 256.
SAVINGS = {"nint": (49.0, 44.3), "expansive": (40.6, 33.1), "evos": (36.5, 22.5), "int_dense": (32.8, 39.5)}
GAINS = {"uniform": (1.30, 1.50, 1.95), "full": (1.06, 0.97, -0.67), "expansive": (0.97, 0.49, 0.87)}
NETWORKS = {"siren": 29.6, "ffn": 10.0, "wire": 43.3}


def beside(savings: pd.DataFrame, qualities: pd.DataFrame, networks: pd.DataFrame) -> pd.DataFrame:
    """Put the paper's numbers beside ours."""
    return pd.DataFrame([*_times(savings), *_gains(qualities), *_architectures(networks)])


def _times(savings: pd.DataFrame) -> list[dict[str, object]]:
    found = savings.set_index("method")["cpu_saving"]
    return [
        {
            "what": f"time saved to 30 dB (to 35 dB: {second:g} %), {METHODS[method].label}",
            "unit": "%",
            "paper": first,
            "here": found[method],
        }
        for method, (first, second) in SAVINGS.items()
    ]


def _gains(qualities: pd.DataFrame) -> list[dict[str, object]]:
    found = qualities.set_index("method")[["at_0.25", "at_1"]]
    rows = []
    for method, (early, late, end) in GAINS.items():
        gaps = found.loc["nint"] - found.loc[method]
        label = METHODS[method].label
        rows += [
            {"what": f"NINT minus {label}, 250 steps", "unit": "dB", "paper": early, "here": gaps["at_0.25"]},
            {"what": f"NINT minus {label}, 1,000 steps", "unit": "dB", "paper": late, "here": gaps["at_1"]},
            {"what": f"NINT minus {label}, 5,000 steps", "unit": "dB", "paper": end, "here": None},
        ]
    return rows


def _architectures(networks: pd.DataFrame) -> list[dict[str, object]]:
    found = networks.set_index("network")["nint_saving"]
    return [
        {"what": f"time saved to 25 dB, {name.upper()}", "unit": "%", "paper": value, "here": found[name]}
        for name, value in NETWORKS.items()
    ]
