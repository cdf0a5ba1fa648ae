"""Tables of notebook 05."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ntkd_lib.chapters.spectral_overfitting.detection import TRUTHS
from ntkd_lib.show.html import Html, table
from ntkd_lib.show.numbers import interval_text, signed


def figures_table(rows: pd.DataFrame) -> Html:
    """Show the paper's numbers beside ours."""
    cells = list(rows.itertuples(index=False, name=None))
    return table(
        ("Number", "Paper", "Ours, stand-in data"), cells, caption="The paper's numbers, on proxy data"
    )


def six_table(six: pd.DataFrame) -> Html:
    """Show the six networks."""
    rows = [
        (
            row.network,
            f"{row.parameters:,.0f}",
            f"{row.train:.2f} / {row.teacher:.2f}",
            _gain(row, "gain"),
            _gain(row, "early_gain"),
            _gain(row, "control_gain"),
            f"{row.r2:.0f} %",
            f"{row.effective:.0f}",
        )
        for row in six.itertuples()
    ]
    headers = (
        *("Network", "Parameters", "RMSE train / test", "Student gains", "Gains, stopped network"),
        *("Gains on kernel ridge", "R² on test inputs", "Effective parameters"),
    )
    return table(headers, rows, caption="Six networks: gains of the student in test RMSE, mean over seeds")


def _gain(row: object, name: str) -> str:
    value, low, high = (getattr(row, f"{name}{end}") for end in ("", "_low", "_high"))
    return f"{signed(value)} {interval_text(low, high, sign='+')}"


def controls_table(controls: pd.DataFrame) -> Html:
    """Show the control on labels and the random forest as teacher."""
    mean = controls.mean()
    rows = [
        ("kernel ridge on labels", f"{mean['krr']:.2f}", "–", f"{mean['krr_effective']:.0f}", "–"),
        ("random forest of 200 trees", f"{mean['teacher']:.2f}", "–", "–", f"{mean['nodes']:,.0f} nodes"),
        (
            "its spectral student",
            f"{mean['student']:.2f}",
            f"{mean['r2']:.0f} %",
            f"{mean['effective']:.0f}",
            f"{mean['nodes'] / mean['effective']:.0f} × fewer; {mean['stored']:,.0f} stored",
        ),
    ]
    headers = ("Predictor", "Test RMSE", "R² against teacher", "Effective parameters", "Size")
    return table(headers, rows, caption="Controls on the same data, mean over seeds")


def area_table(areas: pd.DataFrame, *, caption: str) -> Html:
    """Show areas under ROC curves."""
    rows = [
        (label, *(_area(part[part["truth"] == truth]) for truth in TRUTHS))
        for label, part in areas.groupby("label", sort=False)
    ]
    headers = ("Method", *TRUTHS.values())
    return table(headers, rows, caption=caption)


def _area(part: pd.DataFrame) -> str:
    row = part.iloc[0]
    return "–" if np.isnan(row["area"]) else f"{row['area']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"


def rate_table(rates: pd.DataFrame, null: pd.DataFrame) -> Html:
    """Show how often the test flags at its nominal 5 %."""
    words = {
        "independent": "matched null, all known",
        "estimated": "matched null, cut and noise estimated",
        "own": "matched kernel, network fitted to the tested noise",
    }
    rows = [
        (words[row.variant], f"{row.share:.1f} %", "–", f"{row.replicates:,}") for row in null.itertuples()
    ]
    rows += [
        (row.label, _rate(row, "false_positive"), _rate(row, "true_positive"), _counted(row))
        for row in rates.itertuples()
    ]
    headers = ("Setting", "Flagged, not past its best", "Flagged, past its best", "Points")
    return table(headers, rows, caption="How often |z| exceeds 1.96 (Wilson intervals over points)")


def _rate(row: object, kind: str) -> str:
    value, low, high = (getattr(row, f"{kind}{end}") for end in ("", "_low", "_high"))
    return "–" if np.isnan(value) else f"{100 * value:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def _counted(row: object) -> str:
    return f"{row.false_positive_count + row.true_positive_count:,}"


def calibration_table(rows: pd.DataFrame) -> Html:
    """Show the calibration of the optimism estimate."""
    cells = [
        (
            f"{row.target}{'' if row.kind == 'plain' else ', ' + row.kind}",
            f"{row.rows:,}",
            f"{row.slope:.2f}",
            f"{row.correlation:.2f}",
            f"{row.ratio:.2f}",
        )
        for row in rows.itertuples()
    ]
    headers = ("Target", "Samples", "Slope", "Correlation", "Median estimate / truth")
    return table(headers, cells, caption="Estimated against true optimism")


def coverage_table(rows: pd.DataFrame) -> Html:
    """Show how often each certificate held."""
    cells = [
        (row.certificate, f"{100 * row.held:.1f} %", f"{row.trials:,}", f"{row.ratio:.3g}", row.remark)
        for row in rows.itertuples()
    ]
    headers = ("Certificate", "Held", "Trials", "Bound / truth, median", "Remark")
    return table(headers, cells, caption="Coverage of every certificate (stated confidence: 95 %)")


def example_table(rows: pd.DataFrame) -> Html:
    """Show the counter-examples."""
    cells = list(rows.itertuples(index=False, name=None))
    return table(("Claim", "Counter-example", "Found"), cells, caption="Worked counter-examples")


def real_table(rows: pd.DataFrame) -> Html:
    """Show the results on real tables."""
    cells = [
        (row.predictor, row.data, f"{row.score:.2f}{row.unit} {interval_text(row.low, row.high)}")
        for row in rows.itertuples()
    ]
    return table(("Predictor", "Data", "Test score"), cells, caption="Real tables, mean over seeds")


def scaling_table(rows: pd.DataFrame) -> Html:
    """Show the decompositions of large samples."""
    cells = [
        (
            f"{row.way}, {row.samples:,} samples, width {row.width:g} × median",
            f"{row.rank:,}",
            f"{row.seconds:.1f}",
            f"{row.rmse:.3f}",
            _number(row.bound),
            _number(row.frobenius),
            _number(row.leading),
        )
        for row in rows.itertuples()
    ]
    headers = (
        *("Decomposition", "Rank", "Seconds", "Test RMSE", "Certified bound on |K − K_r|"),
        *("Measured, Frobenius", "Leading 50 eigenvalues"),
    )
    return table(
        headers, cells, caption="Exact and low-rank decompositions, ridge regression on noisy labels"
    )


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2g}"


def speed_table(rows: pd.DataFrame) -> Html:
    """Show what stacking replicates saves."""
    cells = [
        (
            row.network,
            f"{1e3 * row.loop:.0f}",
            f"{1e3 * row.stacked:.0f}",
            f"{row.loop / row.stacked:.1f} ×",
        )
        for row in rows.itertuples()
    ]
    headers = ("Network", "One by one (ms)", "Stacked (ms)", "Speed-up")
    return table(headers, cells, caption="16 networks, 8 epochs, 200 samples, one thread")
