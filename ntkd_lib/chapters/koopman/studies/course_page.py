"""Adam's loss above the certified optimum over time: frame and figure."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ntkd_lib.chapters.koopman.page import BLUE, ORANGE
from ntkd_lib.chapters.koopman.studies.course import adam_course
from ntkd_lib.chapters.run import Run


def excess_loss(run: Run) -> pd.DataFrame:
    """List Adam's excess loss over the optimum by order and epoch, and the seconds of Newton's method."""
    (row,) = run.frame(adam_course).itertuples()
    rows = [
        {"order": order, "epoch": epoch, "seconds": seconds, "excess": loss - row.optimum}
        for order, (losses, times) in enumerate(zip(row.losses, row.times, strict=True))
        for epoch, (loss, seconds) in enumerate(zip(losses, times, strict=True), 1)
    ]
    return pd.DataFrame(rows).assign(newton=row.optimum_seconds)


def draw_course(course: pd.DataFrame) -> Figure:
    """Plot Adam's excess loss over the certified optimum against time."""
    figure, axes = plt.subplots(figsize=(7.2, 3.2))
    for number, (_, part) in enumerate(course.groupby("order")):
        label = "Adam, one line per order of images" if number == 0 else None
        axes.plot(part["seconds"], part["excess"], marker=".", color=ORANGE, label=label)
    ended = "Newton has ended, gradient below 1e-6"
    axes.axvline(course["newton"].iloc[0], color=BLUE, linestyle="--", label=ended)
    axes.set_yscale("log")
    axes.set_xlabel("CPU seconds, one thread")
    axes.set_ylabel("loss − minimum")
    figure.legend(loc="outside upper left", ncols=2)
    return figure
