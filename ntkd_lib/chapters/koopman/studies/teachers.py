"""Does the best teacher help, and where labels are few? Trials on tuning seeds, then arms on fresh ones.

Decided before any run: both arms get as many trials, on two tuning seeds and validation images; the settings
with the best mean validation accuracy are judged on ten other seeds. Few labels: the teacher has seen no more
of them than the student, and its probabilities stand in for the labels of all other images.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import mean
from typing import Any

import numpy as np
import pandas as pd

from ntkd_lib.chapters.koopman import NOTEBOOK
from ntkd_lib.chapters.koopman.inputs import teacher
from ntkd_lib.chapters.koopman.methods import STUDENTS, scores_cell
from ntkd_lib.chapters.koopman.parameters import GARMENTS, KoopmanParameters
from ntkd_lib.chapters.koopman.work import Objective, student
from ntkd_lib.lab import Arm, Cell, Data, Range, RunCells, Search, check_fixed, derive_seed, recorded_metrics
from ntkd_lib.lab.frame import seed_rows, summarise
from ntkd_lib.lab.search import best_of, draw, settings_text
from ntkd_lib.lab.trials import searched_trials
from ntkd_lib.show import INTERVAL, Column

NAME = "04_teachers"
RUN = KoopmanParameters(tier="cpu")
DEGREE, COMPONENTS, TRAINING_SHARE = 2, 40, 5 / 6
TRIALS, TUNING_SEEDS, TOLERANCE = 16, (1000, 1001), 1e-3
WIDE: Mapping[str, Range] = {"ridge": (1e-7, 1e-1, "log")}
SPACES: Mapping[str, Mapping[str, Range]] = {
    "kd": {**WIDE, "temperature": (1.0, 8.0, "log"), "alpha": (0.1, 1.0, "linear")},
    "ce": WIDE,
}
LABELS = {"fashion": "Fashion-MNIST", "labels1": "MNIST, 1 % of the labels"}
COLUMNS = (
    *(Column("Data", "{label}"), Column("Teacher", "{teacher}"), Column("Trials", "{trials}")),
    *(Column("Best trial", "{settings}"), Column("Tuning seeds", "{validation:.2f} %")),
    *(Column("Fresh seeds", "{mean:.2f} %"), INTERVAL),
)
FACTORS = tuple(float(f"{factor:.3g}") for factor in np.geomspace(0.1, 10, TRIALS))  # of the best ridge


@dataclass(frozen=True)
class Contest:
    """Data, the share of labels that may be read, metrics by arm, and the teachers to choose from."""

    data: str
    labels: float
    metrics: Mapping[str, str]
    teachers: Mapping[str, Mapping[str, Any]]  # arguments of their training, by label

    @property
    def labelled(self) -> int | None:
        """Count the labelled training images; None stands for all."""
        return None if self.labels == 1 else round(self.labels * TRAINING_SHARE * RUN.images)


CONTESTS = {
    "fashion": Contest(
        GARMENTS,
        1.0,
        {arm: f"koopman.fashion.q2.{arm}_best.accuracy" for arm in SPACES},
        {
            "perceptron": {"network": "mlp", "epochs": 6},
            "perceptron, shifted images": {"network": "mlp", "epochs": 30, "shift": 2},
            "ResNet-18": {"network": "resnet18", "epochs": 2},
        },
    ),
    "labels1": Contest(
        "mnist",
        0.01,
        {arm: f"koopman.mnist.labels1.{arm}.accuracy" for arm in SPACES},
        {
            "perceptron": {"network": "mlp", "epochs": 100},
            "perceptron, shifted images": {"network": "mlp", "epochs": 300, "shift": 2},
            "ResNet-18": {"network": "resnet18", "epochs": 40, "shift": 2},
        },
    ),
}


def contest_cell(
    contest: Contest, data: Data, seed: int, school: str | None, settings: Mapping[str, float], **more: Any
) -> Cell:
    """Describe a student of a contest, with a teacher or without one."""
    fixed = {} if school else STUDENTS["ce"].fixed
    if school:
        common = {"images": RUN.images, "labelled": contest.labelled}
        more["teacher"] = teacher.cell(data=data, seed=seed, **common, **contest.teachers[school])
    return student.cell(
        {"data": data.name, "method": "kd" if school else "ce", "network": school or "none"},
        seed=seed,
        degree=DEGREE,
        components=COMPONENTS,
        objective=Objective(**{**settings, **fixed}),
        inputs=scores_cell(RUN, data, seed),
        labelled=contest.labelled,
        **more,
    )


Trial = dict[str, Any]


def conduct(data: Mapping[str, Data], run: RunCells) -> dict[str, Any]:
    """Run the trials of both arms of both contests: an even sequence, then ridges around the best of it."""
    rows = [row for name in CONTESTS for row in _trials(name, data[CONTESTS[name].data], run)]
    budget = {"trials": (len(CONTESTS["fashion"].teachers) + 1) * TRIALS, "seeds": list(TUNING_SEEDS)}
    return {"budget": budget, "space": SPACES, "trials": rows}


def _trials(name: str, data: Data, run: RunCells) -> list[Trial]:
    schools = list(CONTESTS[name].teachers)
    # each teacher has points of its own of the sequence of students with one, no teacher as many in all
    points = [("kd", schools[number // TRIALS], number) for number in range(len(schools) * TRIALS)]
    points += [("ce", None, number) for number in range(len(schools) * TRIALS)]
    first = [
        {"method": method, "contest": name, "teacher": school, "settings": _settings(name, method, number)}
        for method, school, number in points
    ]
    rows = _evaluate(name, data, first, run)
    leaders = [best_of(rows, method) for method in SPACES]
    second = [
        {**leader, "settings": {**leader["settings"], "ridge": leader["settings"]["ridge"] * factor}}
        for leader in leaders
        for factor in FACTORS
    ]
    return rows + _evaluate(name, data, second, run)


def _settings(name: str, method: str, number: int) -> dict[str, float]:
    points = 2 ** (len(CONTESTS[name].teachers) * TRIALS - 1).bit_length()
    return draw(SPACES[method], derive_seed("search", NAME, name, method), number, points=points)


def _evaluate(name: str, data: Data, trials: Iterable[Trial], run: RunCells) -> list[Trial]:
    listed = list(trials)
    cells = [
        contest_cell(CONTESTS[name], data, seed, row["teacher"], row["settings"], tolerance=TOLERANCE)
        for row in listed
        for seed in TUNING_SEEDS
    ]
    scores = np.reshape([record.values["validation"] for record in run(cells)], (len(listed), -1))
    return [{**row, "validation": own} for row, own in zip(listed, scores.tolist(), strict=True)]


def chosen(name: str, method: str) -> Trial:
    """Select the recorded trial of a contest with the best mean validation accuracy."""
    return best_of((row for row in searched_trials(NOTEBOOK, NAME) if row["contest"] == name), method)


def best_trials() -> pd.DataFrame:
    """List the best trial of each teacher and of none, with the test accuracy of those that were chosen."""
    tried = pd.DataFrame(searched_trials(NOTEBOOK, NAME)).fillna({"teacher": "none"})
    tried["validation"] = tried["validation"].map(mean)
    by, ways = ["contest", "method"], ["contest", "teacher"]
    best = tried.sort_values(["contest", "validation"], ascending=[True, False]).drop_duplicates(ways)
    best = best.join(tried.value_counts(ways).rename("trials"), on=ways)
    names = {(name, arm): metric for name, each in CONTESTS.items() for arm, metric in each.metrics.items()}
    recorded = recorded_metrics("04_fashion") | recorded_metrics("04_labels1")
    tests = summarise(seed_rows(recorded, names, [*by, "seed", "accuracy"]), "accuracy", by)
    tests = best.drop_duplicates(by).reset_index().merge(tests).set_index("index")
    best = best.join(tests[["mean", "low", "high"]])
    return best.assign(label=best["contest"].map(LABELS), settings=best["settings"].map(settings_text))


def contest_arms(name: str, parameters: Mapping[str, Any], seed: int, sha256: str) -> dict[str, Arm]:
    """Solve both arms of a contest at the settings that the trials chose."""
    contest = CONTESTS[name]
    fixed = {"degree": DEGREE, "components": COMPONENTS, "labels": contest.labels, "search": NAME}
    check_fixed(parameters, fixed)
    best = {metric: chosen(name, method) for method, metric in contest.metrics.items()}
    data = Data(contest.data, sha256)
    return {
        metric: Arm((contest_cell(contest, data, seed, trial["teacher"], trial["settings"]),))
        for metric, trial in best.items()
    }


SEARCH = Search(NAME, (GARMENTS, "mnist"), conduct)
