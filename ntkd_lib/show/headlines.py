"""The headline claims, each beside its result without the method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ntkd_lib.lab import Metric, Verdict
from ntkd_lib.show.claims import badge, our_value, paper_value, source_line
from ntkd_lib.show.controls import without_method
from ntkd_lib.show.html import Html, element, join, table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEADLINES = {
    "ntkd-t3-mnist-ntkd": "MNIST, optical student with NTK distillation",
    "ntkd-t3-cifar10-ntkd-2": "CIFAR-10, optical student with NTK distillation",
    "ntkd-t3-carvana-ntkd-2": "Carvana masks, optical student with NTK distillation (mIoU)",
    "ntkd-t4-mnist-ntkd": "MNIST after fabrication, fine-tuned with the NTK loss",
    "koopman-q2-accuracy": "MNIST, distilled linear model of degree 2",
    "spectral-improves-all": "Networks that their spectral student beats, of six",
    "dntk-five-orders": "Cost of the exact Gram matrix over that of the distilled one",
    "nint-time-saving-3": "Training time that NINT saves to equal quality",
}


def headlines(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Select the headline claims, in their order."""
    by_name = {verdict.claim.id: verdict for verdict in verdicts}
    return [by_name[name] for name in HEADLINES if name in by_name]


def headline_table(verdicts: Sequence[Verdict], notes: Mapping[str, Html]) -> Html:
    """Show the headline claims: paper, ours, control, verdict."""
    chosen = headlines(verdicts)
    rows = [
        (
            element("span", HEADLINES[verdict.claim.id], title=verdict.claim.claim.strip()),
            paper_value(verdict.claim),
            our_value(verdict, deciding=False),
            without_method(verdict),
            join([badge(verdict), source_line(verdict), notes.get(verdict.claim.id, "")]),
        )
        for verdict in chosen
    ]
    headers = ("Claim", "Paper", "Ours (95 % interval)", "Control", "Verdict")
    ids = [f"claim-{verdict.claim.id}" for verdict in chosen]
    caption = "Headline claims of the five papers"
    return table(headers, rows, caption=caption, row_ids=ids, class_="ntkd-claims ntkd-headlines")


FIGURE = {
    "ntkd.mnist.none.accuracy": ("labels only", 91.4),
    "ntkd.mnist.kd.accuracy": ("soft-label KD", 95.9),
    "ntkd.mnist.ntkd.accuracy": ("NTKD", 97.3),
    "ntkd.mnist.none_tuned.accuracy": ("labels only, trained longer", None),
}


def draw_headline(metrics: Mapping[str, Metric]) -> Figure:
    """Draw the README's figure: a few students' test accuracy beside what the paper reports."""
    import matplotlib.pyplot as plt
    import numpy as np

    from ntkd_lib.show.dots import BLUE, ORANGE, key_handles, name_rows

    figure, axes = plt.subplots(figsize=(7.2, 2.6))
    for row, (name, (_, paper)) in enumerate(FIGURE.items()):
        values = metrics[name].values
        axes.scatter(values, np.full(len(values), row), s=16, color=BLUE, alpha=0.5, linewidth=0)
        axes.plot(np.mean(values), row, "o", color=BLUE, markersize=7)
        if paper is not None:
            axes.plot(paper, row, "D", color=ORANGE, markersize=7, markerfacecolor="none")
    name_rows(axes, [label for label, _ in FIGURE.values()])
    axes.set_xlabel("MNIST test accuracy (%), hybrid optical student, 50,930 parameters")
    handles = key_handles({"ours: mean and seeds": ("o", BLUE), "NTKD paper": ("D", ORANGE)})
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(handles))
    return figure
