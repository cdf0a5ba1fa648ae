"""The recorded protocols of notebook 01: registered parameters in, compared arms out."""

from collections.abc import Mapping
from typing import Any

from scipy.stats import spearmanr

from ntkd_lib.chapters.ntkd_classification import NOTEBOOK
from ntkd_lib.chapters.ntkd_classification.cells import CellMaker, untrained_twin
from ntkd_lib.chapters.ntkd_classification.methods import METHODS as DIGITS
from ntkd_lib.chapters.ntkd_classification.parameters import ClassificationParameters
from ntkd_lib.chapters.ntkd_classification.settings import chosen_form, training_settings
from ntkd_lib.chapters.ntkd_classification.summary import student_metric
from ntkd_lib.chapters.ntkd_colour.cells import ColourMaker
from ntkd_lib.chapters.ntkd_colour.methods import METHODS as COLOURS
from ntkd_lib.chapters.ntkd_controls.cells import estimate_cell, limit_cell, variant_cell
from ntkd_lib.chapters.ntkd_controls.design import (
    ARCHITECTURES,
    QUARTER,
    SHARES,
    TRAINED_ELSEWHERE,
    TRANSFERS,
    VARIANTS,
)
from ntkd_lib.chapters.ntkd_controls.few_labels import few_label_metric
from ntkd_lib.chapters.ntkd_controls.recorded import STUDENTS as RECORDED
from ntkd_lib.chapters.ntkd_controls.summary import QUARTER_DROP, RANK_CORRELATION
from ntkd_lib.lab.cells import Cell, Record
from ntkd_lib.lab.parameters import load_parameters
from ntkd_lib.lab.protocols import Arm, Protocol, value_of

STUDENTS = (*RECORDED, "f8")
LIMIT = "ntkd.random.cifar10.infinite"


def unmatched_arms(parameters: Mapping[str, Any], seed: int, sha256: str) -> dict[str, Arm]:
    """Train labels alone and NTKD at the settings that the first search gave to either."""
    maker = ColourMaker(load_parameters(ClassificationParameters, NOTEBOOK, "cpu", parameters["run"]), sha256)
    kernel = {name: parameters["kernel"][name] for name in ("weight", "kernel_clip")}
    return {
        f"ntkd.cifar10.{point}.{name}.accuracy": Arm(
            (maker.student(COLOURS[name], seed, {**shared, **own}, f"/{point}"),)
        )
        for point, shared in parameters["points"].items()
        for name, own in (("none", {}), ("ntkd", kernel))
    }


def tuning_arms(parameters: Mapping[str, Any], seed: int, sha256: str) -> dict[str, Arm]:
    """Train labels alone over a grid of learning rates and weight decays; test images are not read."""
    maker = ColourMaker(load_parameters(ClassificationParameters, NOTEBOOK, "cpu", parameters["run"]), sha256)
    points = [(lr, decay) for lr in parameters["lr"] for decay in parameters["weight_decay"]]
    cells = {
        f"ntkd.cifar10.tuning.lr_{lr:g}.decay_{decay:g}.validation": maker.student(
            COLOURS["none"], seed, {"lr": lr, "weight_decay": decay}, f"/{lr:g}/{decay:g}", tested=False
        )
        for lr, decay in points
    }
    return {name: Arm((cell,), value_of("validation")) for name, cell in cells.items()}


def digit_arms(parameters: Mapping[str, Any], seed: int, sha256: str) -> dict[str, Arm]:
    """Train the main comparison and the controls on digits, with all labels and with few."""
    run = load_parameters(ClassificationParameters, NOTEBOOK, "cpu", {**parameters, **_only(seed)})
    digits = _Digits(run, sha256, seed)
    arms = {student_metric(name): Arm((digits.student(name),)) for name in STUDENTS}
    for share in SHARES:
        for name in TRANSFERS:
            arms[few_label_metric(name, share)] = Arm((digits.variant(f"{name}_labels{share}"),))
    small = digits.variant(f"ntkd_hidden{QUARTER}")
    return arms | {
        QUARTER_DROP: Arm((digits.student("ntkd"), small), _drop),
        RANK_CORRELATION: Arm(digits.stage1(), _rank_correlation),
    }


def _only(seed: int) -> dict[str, list[int]]:
    return {"seeds": [seed], "control_seeds": [seed]}


class _Digits:
    """Cells of one seed on digits."""

    def __init__(self, parameters: ClassificationParameters, sha256: str, seed: int) -> None:
        self.maker, self.sha256, self.seed = CellMaker(parameters, sha256), sha256, seed

    def student(self, name: str) -> Cell:
        form = chosen_form()
        named = {**DIGITS, "ntkd": DIGITS[form], "ntkd_untrained_teacher": untrained_twin(form)}
        method = named[name]
        return self.maker.student(method, self.seed, training_settings(method.settings_of))

    def variant(self, name: str) -> Cell:
        return variant_cell(self.maker, VARIANTS[name], self.seed)

    def stage1(self) -> tuple[Cell, ...]:
        names = [architecture.name for architecture in ARCHITECTURES]
        trained = [self.student(n) if n in TRAINED_ELSEWHERE else self.variant(n) for n in names]
        run = self.maker.parameters
        return (*trained, *(estimate_cell(run, self.sha256, a, a.filters) for a in ARCHITECTURES))


def _drop(full: Record, small: Record) -> float:
    return full.values["accuracy"] - small.values["accuracy"]


def _rank_correlation(*records: Record) -> float:
    """Correlate the ranks of what architectures reach and of what was estimated without training."""
    trained, estimated = records[: len(ARCHITECTURES)], records[len(ARCHITECTURES) :]
    pairs = ([r.values["estimate"] for r in estimated], [r.values["accuracy"] for r in trained])
    return float(spearmanr(*pairs).statistic)


def limit_arms(parameters: Mapping[str, Any], seed: int, sha256: str) -> dict[str, Arm]:
    """Regress on infinitely many filters, with all images and with few."""
    cell = limit_cell(parameters, seed, sha256)
    counts = [parameters["fitted"] // 2**k for k in range(5)]
    few = {f"{LIMIT}.images_{count}.accuracy": Arm((cell,), _few(count)) for count in counts}
    return {f"{LIMIT}.accuracy": Arm((cell,)), **few}


def _few(count: int) -> Any:
    return lambda record: record.values["few"][str(count)]


PROTOCOLS = (
    Protocol("unmatched", NOTEBOOK, "cifar-10", unmatched_arms),
    Protocol("tuning-labels", NOTEBOOK, "cifar-10", tuning_arms),
    Protocol("digits-six-epochs", NOTEBOOK, "mnist", digit_arms),
    Protocol("infinite width", NOTEBOOK, "cifar-10", limit_arms, "01_infinite_width"),
)
