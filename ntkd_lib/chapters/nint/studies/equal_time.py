"""Quality of equally tuned samplers at equal CPU time, the time of NINT's steps."""

from functools import partial

import pandas as pd

from ntkd_lib.chapters.nint.methods import LABELS, TUNED, trial_rows, tuned
from ntkd_lib.chapters.nint.studies.contests import FIELDS, SPACE, each_curve, metric_name, read_at
from ntkd_lib.chapters.run import Run
from ntkd_lib.show import Column, Contest, contest

ARMS = {**LABELS, "uniform_muon": "uniform, Muon", "nint_muon": "NINT, Muon"}
CONTESTS = {
    field: Contest(SPACE.format(field), ARMS, [field], metric_name(field, "{}"), base="uniform")
    for field in FIELDS
}
PHOTOGRAPHS = {"two": CONTESTS["small10"], "six": CONTESTS["steady10"]}  # that chose the settings
SIGNALS = {"sound, dB": CONTESTS["audio"], "shape, %": CONTESTS["shape48"]}
PAIRS = (
    ("nint", "uniform"), ("nint", "uniform_muon"), ("nint_muon", "uniform_muon"), ("uniform_muon", "uniform"),
    ("nint_muon", "nint"), ("error_memory", "uniform"), ("nint", "error_mix"),
)  # fmt: skip
CHOSEN_ON = Column("Settings chosen on", "{chosen_on} photographs")
SCORES = (CHOSEN_ON, *contest.score_columns("Sampler", "uniform", "dB"))
GAPS = (CHOSEN_ON, *contest.GAPS)
TRIALS = (CHOSEN_ON, *contest.trial_columns("Sampler", "PSNR (dB)", "dB"))
every_choice = partial(contest.stack, PHOTOGRAPHS, "chosen_on")
SIGNAL_PAIRS = (("nint", "full"), ("nint", "uniform"), ("uniform", "full"))
SIGNAL = Column("Signal", "{signal}")
SIGNAL_SCORES = (SIGNAL, *contest.score_columns("Sampler", "uniform", ""))
SIGNAL_GAPS = (SIGNAL, *contest.GAPS)
SIGNAL_TRIALS = (SIGNAL, *contest.trial_columns("Sampler", "Quality", ""))
every_signal = partial(contest.stack, SIGNALS, "signal")
CHOSEN = (
    Column("Sampler", lambda row: LABELS[row.method]),
    Column("Learning rate", "{lr:g}"),
    Column("Share", lambda row: "–" if row.method == "full" else f"{100 * row.share:.3g} %"),
    Column("PSNR on the tuning images", "{quality:.2f} dB"),
    Column("Trials", "{trials}"),
)


def compare(run: Run) -> pd.DataFrame:
    """Read every tuned sampler at the CPU seconds that tuned NINT took for all its steps."""
    table = pd.DataFrame(
        {
            **own,
            "quality": read_at(row.curves, own["method"], "nint"),
            "nint": row.curves["nint"]["quality"][-1],
            "steps": curve["step"][-1],
            **{name: getattr(row, name) for name in ("seed", "data", "cell")},
        }
        for row, curve, own in each_curve(run, "timed")
    )
    return table.assign(gap=table["quality"] - table["nint"])


def chosen() -> pd.DataFrame:
    """List the settings that the recorded search chose."""
    rows = pd.DataFrame(trial_rows()).assign(quality=lambda t: t["quality"].map(lambda q: sum(q) / len(q)))
    rows["trials"] = rows.groupby("method")["method"].transform("size")
    best = [rows[(rows["method"] == m) & (rows["lr"] == tuned(m)["lr"])].iloc[[0]] for m in TUNED]
    return pd.concat(best)
