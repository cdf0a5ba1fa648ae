"""ResNet-18 as teacher: its student against EDMD from its last hidden layer, on digits at degree 2."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ntkd_lib.chapters.koopman import NOTEBOOK, methods
from ntkd_lib.chapters.koopman.parameters import KoopmanParameters
from ntkd_lib.chapters.koopman.work import LinearFit, least_squares, student
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab import Arm, Cell, Data, Record, load_parameters, recorded_metrics
from ntkd_lib.lab.frame import seed_rows, summarise
from ntkd_lib.show import ACCURACY, INTERVAL, SEEDS, Column

NETWORK, DEGREE, METRIC = "resnet18", 2, "koopman.mnist.resnet18"
LABELS = {"kd": "distilled, degree 2", "naive_pca": "EDMD with PCA"}
COLUMNS = (Column("Model", "{label}"), ACCURACY, INTERVAL, SEEDS)


def pair(parameters: KoopmanParameters, data: Data, seed: int) -> tuple[Cell, Cell]:
    """Describe both models of a seed, student and EDMD."""
    d, linear_d = (methods.chosen_size(parameters, data.name, DEGREE, name) for name in ("kd", "naive"))
    objective = methods.chosen_objective(data.name, DEGREE, "kd", d)
    grid = [LinearFit("naive", linear_d, ridge, rank) for ridge in methods.RIDGES for rank in methods.RANKS]
    more = {"degree": DEGREE, "components": d}
    return (
        methods.student_cell(parameters, data, "kd", seed, objective, NETWORK, **more),
        methods.linear_cell(parameters, data, seed, DEGREE, grid, NETWORK),
    )


def cells(parameters: KoopmanParameters, data: Data) -> list[Cell]:
    """Describe both models for the seeds that have a ResNet-18."""
    seeds = parameters.all_seeds[: parameters.resnet_seeds]
    return [cell for seed in seeds for cell in pair(parameters, data, seed)]


def arms(parameters: Mapping[str, Any], seed: int, sha256: str) -> dict[str, Arm]:
    """Compare both models in a recorded protocol."""
    run = load_parameters(KoopmanParameters, NOTEBOOK, "cpu", parameters)
    kd, linear = pair(run, Data(run.digits, sha256), seed)

    def best(record: Record) -> float:
        return max(record.values["fits"], key=methods.VALIDATION)["accuracy"]

    exact = Arm((linear,), best, converged=lambda _: True)  # solved in closed form
    return {f"{METRIC}.q2_kd.accuracy": Arm((kd,)), f"{METRIC}.q2_naive_pca.accuracy": exact}


def compare(run: Run) -> pd.DataFrame:
    """List test accuracies of student and EDMD by seed; EDMD has its best fit on validation images."""
    columns = ["data", "method", "seed", "accuracy", "converged", "cell"]
    kd, linear = (run.frame(work, network=NETWORK) for work in (student, least_squares))
    if kd.empty:
        return pd.DataFrame(columns=columns)
    accuracies = [max(fits, key=methods.VALIDATION)["accuracy"] for fits in linear["fits"]]
    linear = linear.assign(method="naive_pca", accuracy=accuracies, converged=True)
    return pd.concat([kd.assign(method="kd")[columns], linear[columns]])


def recorded_scores() -> pd.DataFrame:
    """Read the recorded accuracies of both models, none where nothing is recorded."""
    names = {(label,): f"{METRIC}.q2_{method}.accuracy" for method, label in LABELS.items()}
    rows = seed_rows(recorded_metrics("04_resnet18"), names, ["label", "seed", "accuracy"])
    return summarise(rows, "accuracy", ["label"])
