"""A report on any predictor: its fit in an eigenbasis, with a verdict on overfitting."""

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import norm

from ntkd_lib.imports import extra

with extra("spectral"):
    import pandas as pd
    from matplotlib.figure import Figure

from ntkd_lib.spectral.basis import eigenbasis
from ntkd_lib.spectral.drawing import draw_report
from ntkd_lib.spectral.fit import fit_outputs
from ntkd_lib.spectral.kernels import BANDWIDTHS, Kernel, gaussian_kernels
from ntkd_lib.spectral.modes import count_above, mode_table, relevant_dimension
from ntkd_lib.spectral.optimism import LIMIT, estimated_optimism, generalised_degrees, tail_statistic

Refit = Callable[[np.ndarray], np.ndarray]
CHANGE = 0.1  # of the labels' standard deviation, for the refit


@dataclass(frozen=True)
class SpectralReport:
    """Statistics of a predictor's fitted values in the eigenbasis of a kernel on the training inputs.

    Attributes:
        degrees: Generalised degrees of freedom by one refit: third definition; None without a refit.
    """

    samples: int  # number of training inputs ``n``
    inputs: int  # number of inputs ``d``
    r2: float  # share of the fitted values' variance that a spectral student with this kernel captures
    effective_parameters: float  # trace of that student's hat matrix: effective modes, second definition
    net_modes: int  # coefficients of the fitted values beyond twice the noise level: first definition
    degrees: float | None
    kstar: int  # number of leading modes in which the labels hold signal
    noise: float  # noise level by the labels' other modes, in units of the labels
    z: float
    p: float  # its two-sided level under the null hypothesis
    optimism: float  # estimated test minus training mean-square error, in squared units of the labels
    training_error: float  # mean-square error on the training inputs
    table: pd.DataFrame = field(repr=False)  # one row per mode, from `modes.mode_table`

    @property
    def facts(self) -> dict[str, str]:
        """Every number of the report, as text by name."""
        degrees = "not computed (needs a refit)" if self.degrees is None else f"{self.degrees:.0f}"
        stored = self.samples * self.inputs + self.samples
        return {
            "training inputs": f"{self.samples}",
            "R² of a spectral student against the model, training inputs": f"{self.r2:.3f}",
            "its effective parameters (tr H)": f"{self.effective_parameters:.0f}",
            "numbers that it stores": f"{stored:,}",
            "modes in which the labels hold signal (K*)": f"{self.kstar}",
            "noise level by the other modes": f"{self.noise:.3g}",
            "effective modes: fitted beyond twice the noise level": f"{self.net_modes}",
            "effective modes: generalised degrees of freedom": degrees,
            "tail statistic z, two-sided p": f"{self.z:.2f}, {self.p:.2g}",
            "training mean-square error": f"{self.training_error:.3g}",
            "estimated optimism (test less training)": f"{self.optimism:.3g}",
        }

    @property
    def verdict(self) -> str:
        """The conclusion, limited to what was tested."""
        if self.z > LIMIT:
            finding = (
                f"The fitted values follow the labels beyond mode {self.kstar} more than chance would. If "
                "those modes hold only noise, which was not tested, noise has been fitted."
            )
        elif self.z < -LIMIT:
            finding = (
                f"The fitted values run against the labels beyond mode {self.kstar} more than chance would: "
                "the assumptions of the test fail here."
            )
        else:
            finding = (
                f"No sign that the fitted values follow the labels beyond mode {self.kstar}. Noise fitted in "
                "the modes before it would not show."
            )
        return (
            f"{finding} The mean-square error on new inputs is estimated at "
            f"{self.training_error + self.optimism:.3g}. Whether other settings would do better was not "
            "tested: that takes held-out data."
        )

    def __str__(self) -> str:
        width = max(map(len, self.facts))
        lines = [f"{name:<{width}}  {value}" for name, value in self.facts.items()]
        return "\n".join(["Spectral report", *lines, self.verdict])

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th scope="row">{html.escape(name)}</th><td>{html.escape(value)}</td></tr>'
            for name, value in self.facts.items()
        )
        caption = "<caption>Spectral report</caption>"
        table = f'<table class="ntkd-table">{caption}<tbody>{rows}</tbody></table>'
        return f"{table}<p>{html.escape(self.verdict)}</p>"

    def figure(self) -> Figure:
        """Draw spectrum and mode map."""
        return draw_report(self.table, self.kstar, self.noise)


def spectral_report(
    model: Any,
    x: Any,
    y: Any,
    *,
    refit: Refit | None = None,
    kernel: Kernel | None = None,
    bandwidths: Sequence[float] = BANDWIDTHS,
    seed: int = 0,
) -> SpectralReport:
    """Report on a predictor's fit to its training data, without held-out data.

    The kernel is the one, of those offered, whose ridge regression on the labels has the lowest GCV score.

    Args:
        model: Anything with ``predict``, which is called with ``x`` as it is.
        x: Training inputs, ``(n, d)``, an array or a data frame of numbers.
        y: Labels, ``(n,)``.
        refit: Takes labels, trains the same model anew and gives its fitted values; two calls for the
            generalised degrees of freedom. It should start from the same random state each time.
        kernel: Kernel; None for Gaussian kernels.
        bandwidths: Widths of the Gaussian kernels, as multiples of the median distance.
        seed: Seed of the changes of the labels.
    """
    raw, (x, y) = x, _checked(x, y)
    fitted = np.asarray(model.predict(raw), dtype=np.float64).reshape(len(x))
    kernels = gaussian_kernels(x, bandwidths) if kernel is None else [kernel]
    bases = [eigenbasis(each, x) for each in kernels]
    by_labels = fit_outputs(bases, y[:, None])
    student = fit_outputs([by_labels.basis], fitted[:, None])
    labels, outputs = (fit.coefficients[:, 0] for fit in (by_labels, student))
    kstar, noise = relevant_dimension(labels)
    z = float(tail_statistic(outputs, labels, kstar, noise))
    variance = float(fitted.var())
    return SpectralReport(
        samples=len(x),
        inputs=x.shape[1],
        r2=1 - float(student.certificate[0] ** 2) / variance if variance > 0 else 1.0,
        effective_parameters=student.effective_parameters,
        net_modes=int(count_above(outputs, noise)),
        degrees=None if refit is None else _degrees(refit, y, seed),
        kstar=kstar,
        noise=noise,
        z=z,
        p=float(2 * norm.sf(abs(z))),
        optimism=float(estimated_optimism(outputs, labels, kstar, noise)),
        training_error=float(((fitted - y) ** 2).mean()),
        table=mode_table(student.basis.values, outputs, labels, by_labels.shares),
    )


def _degrees(refit: Refit, y: np.ndarray, seed: int) -> float:
    change = CHANGE * y.std() * np.random.default_rng(seed).choice([-1.0, 1.0], len(y))
    before, after = (np.asarray(refit(labels)).reshape(len(y)) for labels in (y, y + change))
    return float(generalised_degrees(before, after, change))


def _checked(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 2 or y.shape != (len(x),) or len(x) < 10:
        raise ValueError(f"x, y: got shapes {x.shape} and {y.shape}, needs (n, d) and (n,), n at least 10")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("x, y: got values that are not finite")
    if y.std() == 0:
        raise ValueError("y: got one value throughout, needs labels that differ")
    return x, y
