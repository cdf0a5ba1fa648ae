"""Tables of notebook 05 that come from single cells, and the report of one network."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.neural_network import MLPRegressor

from ntkd_lib.chapters.run import Run
from ntkd_lib.chapters.spectral_overfitting.bundled import split
from ntkd_lib.lab.statistics import interval_ends
from ntkd_lib.spectral.report import SpectralReport, spectral_report

DIABETES = {
    "network": "network, end of training",
    "network_student": "its spectral student",
    "stopped": "network, stopped in time",
    "stopped_student": "its spectral student",
    "labels_student": "kernel ridge on labels",
    "linear": "linear ridge regression on labels",
}
DIGITS = {
    "teacher": "network 64-32 (teacher)",
    "spectral": "spectral student of its logits, GCV",
    "kd": "network 64-32 by KD, temperature chosen on validation data",
    "labels": "the same network on labels",
    "ridge_labels": "kernel ridge on labels",
}


def single(run: Run, name: str) -> pd.DataFrame:
    """Give the rows of a cell that makes one table."""
    return pd.DataFrame(run.records[name].values["rows"])


def real_scores(run: Run) -> pd.DataFrame:
    """Average the scores on diabetes and digits over seeds."""
    kinds = (("diabetes", "rmse", DIABETES, ""), ("digits", "accuracy", DIGITS, " %"))
    rows = []
    for data, score, names, unit in kinds:
        records = [run.records[f"{data}/seed={seed}"] for seed in run.parameters.all_seeds]
        for name, label in names.items():
            values = [record.values[score][name] for record in records]
            low, high = interval_ends(values)
            row = {"data": f"{data}, {score}", "predictor": label, "score": np.mean(values)}
            rows.append({**row, "low": low, "high": high, "unit": unit})
    return pd.DataFrame(rows)


def example_report(run: Run, hidden: int = 64) -> tuple[SpectralReport, float]:
    """Train scikit-learn's network on diabetes, as a reader would, and report on it."""
    parts = split("diabetes", run.parameters.all_seeds[0])
    x, x_test = parts.x[0], parts.x[2]
    mean, spread = parts.y[0].mean(), parts.y[0].std()
    y, y_test = (parts.y[0] - mean) / spread, (parts.y[2] - mean) / spread
    settings = {"hidden_layer_sizes": (hidden,), "solver": "lbfgs", "max_iter": 5000, "random_state": 0}
    model = MLPRegressor(**settings).fit(x, y)
    report = spectral_report(
        model, x, y, refit=lambda labels: MLPRegressor(**settings).fit(x, labels).predict(x)
    )
    true = float(((model.predict(x_test) - y_test) ** 2).mean()) - report.training_error
    return report, true
