"""Controls: results of a claim's run without the claim's method."""

from dataclasses import dataclass
from statistics import mean
from typing import Literal

from ntkd_lib.lab import Evidence, Verdict
from ntkd_lib.show.numbers import NONE, format_value


@dataclass(frozen=True)
class Control:
    """A result without the method: its label, and its metric, difference or ratio of metrics."""

    words: str
    metric: str
    sign: Literal["", "-", "/"] = ""
    other: str = ""
    unit: str = "percent"

    def value(self, run: Evidence | None) -> float | None:
        """Compute the control of the run that decides a verdict; None if the run has not measured it."""
        metrics = run.metrics if run is not None else {}
        read = [metrics[name] for name in (self.metric, self.other) if name in metrics]
        means = [mean(metric.values) for metric in read if metric.values]
        if len(means) < 1 + bool(self.other):
            return None
        if not self.sign:
            return means[0]
        return means[0] - means[1] if self.sign == "-" else means[0] / means[1]


_LABELS, _NO_TEACHER, _GAIN = "labels alone", "no teacher", "gain over kernel ridge on labels"
_RIDGE = Control(_GAIN, "spectral.six.krr_labels_rmse", "-", "spectral.six.student_rmse", "RMSE")
CONTROLS = {
    "ntkd-t3-mnist-ntkd": Control(_LABELS, "ntkd.mnist.none.accuracy"),
    "ntkd-t3-cifar10-ntkd": Control(_LABELS, "ntkd.cifar10.none.accuracy"),
    "ntkd-t3-cifar10-ntkd-2": Control(_LABELS, "ntkd.cifar10.matched.none.accuracy"),
    "ntkd-t3-carvana-ntkd": Control(_LABELS, "ntkd.carvana.none.miou"),
    "ntkd-t3-carvana-ntkd-2": Control(_LABELS, "ntkd.carvana.matched.none.miou"),
    "ntkd-t4-mnist-ntkd": Control(_LABELS, "ntkd.fab.mnist.e2e_ft.accuracy"),
    "ntkd-t4-cifar10-ntkd": Control(_LABELS, "ntkd.fab.cifar10.e2e_ft.accuracy"),
    "ntkd-t4-carvana-ntkd": Control(_LABELS, "ntkd.fab.carvana.e2e_ft.miou"),
    "ntkd-t4-carvana-ntkd-2": Control(_LABELS, "ntkd.fab.carvana.paper_drop.e2e_ft.miou"),
    "ntkd-t5-random-underperforms": Control(
        "same back end", "ntkd.mnist.none.accuracy", "-", "ntkd.mnist.random_frozen.accuracy", "points"
    ),
    "koopman-q2-accuracy": Control(_NO_TEACHER, "koopman.mnist.q2.ce.accuracy"),
    "koopman-q3-accuracy": Control(_NO_TEACHER, "koopman.mnist.q3.ce.accuracy"),
    "koopman-ctl-1998": Control(_NO_TEACHER, "koopman.mnist.q2.ce.accuracy"),
    "spectral-improves-all": _RIDGE,
    "spectral-r2": _RIDGE,
    "spectral-effective-parameters": _RIDGE,
    "spectral-compression": _RIDGE,
    "dntk-five-orders": Control(
        "all costs counted", "dntk.cost.exact_kernel", "/", "dntk.cost.dntk_total", "ratio"
    ),
    "nint-time-saving-3": Control(
        "over uniform sampling, where both reach 30 dB", "nint.image5.nint.time_saving_30_over_uniform"
    ),
}


def without_method(verdict: Verdict) -> str:
    """Format the same run's result without the method; a dash if there is none."""
    control = CONTROLS.get(verdict.claim.id)
    if control is None or (value := control.value(verdict.run)) is None:
        return NONE
    seeds = len(verdict.run.metrics[control.metric].values)  # measured, since there is a value
    words = f"{control.words}, 1 seed" if seeds == 1 < verdict.claim.seeds else control.words
    return f"{format_value(value, control.unit)} ({words})"
