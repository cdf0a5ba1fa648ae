"""Quality of equally tuned samplers at equal CPU time, the time of NINT's steps."""

from functools import partial

import pandas as pd

from ntkd_lib.chapters.nint.methods import LABELS, TUNED, in_order, trial_rows, tuned
from ntkd_lib.chapters.nint.studies import small10
from ntkd_lib.chapters.nint.work import race
from ntkd_lib.chapters.run import Run
from ntkd_lib.show import Column, Contest, contest

ARMS = {**LABELS, "uniform_muon": "uniform, Muon", "nint_muon": "NINT, Muon"}
CONTESTS = {  # by the number of photographs that chose the settings
    chosen_on: Contest(small10.space(ten), ARMS, [ten], partial(small10.metric_name, ten), base="uniform")
    for chosen_on, ten in (("two", "small10"), ("six", "steady10"))
}
PAIRS = (
    ("nint", "uniform"), ("nint", "uniform_muon"), ("nint_muon", "uniform_muon"), ("uniform_muon", "uniform"),
    ("nint_muon", "nint"), ("error_memory", "uniform"), ("nint", "error_mix"),
)  # fmt: skip
CHOSEN_ON = Column("Settings chosen on", "{chosen_on} photographs")
SCORES = (CHOSEN_ON, *contest.score_columns("Sampler", "uniform", "dB"))
GAPS = (CHOSEN_ON, *contest.GAPS)
TRIALS = (CHOSEN_ON, *contest.trial_columns("Sampler", "PSNR (dB)", "dB"))
every_choice = partial(contest.stack, CONTESTS, "chosen_on")
CHOSEN = (
    Column("Sampler", lambda row: LABELS[row.method]),
    Column("Learning rate", "{lr:g}"),
    Column("Share", lambda row: f"{100 * row.share:.3g} %"),
    Column("PSNR on the tuning images", "{quality:.2f} dB"),
    Column("Trials", "{trials}"),
)


def compare(run: Run) -> pd.DataFrame:
    """Read every tuned sampler at the CPU seconds that tuned NINT took for all its steps."""
    table = pd.DataFrame(
        {
            "method": method,
            "label": LABELS[method],
            "image": row.subject,
            "quality": small10.read_at(row.curves, method, "nint"),
            "nint": row.curves["nint"]["quality"][-1],
            "steps": curve["step"][-1],
            **{name: getattr(row, name) for name in ("seed", "data", "cell")},
        }
        for row in run.frame(race, study="timed").itertuples()
        for method, curve in in_order(row.curves)
    )
    return table.assign(gap=table["quality"] - table["nint"])


def chosen() -> pd.DataFrame:
    """List the settings that the recorded search chose."""
    rows = pd.DataFrame(trial_rows()).assign(quality=lambda t: t["quality"].map(lambda q: sum(q) / len(q)))
    rows["trials"] = rows.groupby("method")["method"].transform("size")
    best = [rows[(rows["method"] == m) & (rows["lr"] == tuned(m)["lr"])].iloc[[0]] for m in TUNED]
    return pd.concat(best)
