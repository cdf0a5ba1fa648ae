"""The ways to recover from fabrication errors of digits, their cells, and the search for all settings."""

from collections.abc import Mapping
from functools import partial
from statistics import mean
from typing import Any

from ntkd_lib.chapters.fabrication import NOTEBOOK, work
from ntkd_lib.chapters.fabrication.parameters import FabricationParameters
from ntkd_lib.chapters.fabrication.work import NONE, Recovery
from ntkd_lib.chapters.optical_students import classification_cells as cells
from ntkd_lib.chapters.optical_students import classification_methods as students
from ntkd_lib.chapters.optical_students.classification_methods import SOFT, TANGENT, Comparison, Method
from ntkd_lib.lab import Cell, Data, Range, RunCells, by_name, read_search, spaces
from ntkd_lib.lab.parameters import tier_parameters

SPEED: Mapping[str, Range] = {"lr": (2e-4, 2e-2, "log"), "weight_decay": (1e-5, 1e-1, "log")}
GAINS: Mapping[str, Range] = {"lr": (1e-3, 2e-1, "log")}
FORMS = ("ntkd_raw_ft", "ntkd_normalised_ft", "ntkd_cosine_ft")
CALIBRATION, CLEAN = "calibration", "clean_ft"
VACCINATED = Method("vaccinated", "vaccinated", objective="vaccinated", settings_of="none")


_tangent = partial(Method, space={**SPEED, **TANGENT})
WAYS = Comparison(
    by_name(
        Method("e2e_ft", "labels (end to end)", SPEED),
        Method("kd_ft", "soft-label KD", {**SPEED, **SOFT}, objective="soft_labels"),
        _tangent("ntkd_raw_ft", "NTKD, raw", objective="tangent_raw"),
        _tangent("ntkd_normalised_ft", "NTKD, trace-normalised", objective="tangent_normalised"),
        _tangent("ntkd_cosine_ft", "NTKD, centred cosine", objective="tangent_cosine"),
        Method(CALIBRATION, "gain per capture only", GAINS),
        Method(CLEAN, "labels, no errors (control)", settings_of="e2e_ft"),
    ),
    search=NOTEBOOK,
    leaders=dict.fromkeys(("kd_ft", *FORMS), "e2e_ft"),  # compared ways train at the speed of labels
    forms=FORMS,
)
LABELS = {NONE: "no compensation", "ntkd_ft": "NTKD", VACCINATED.name: "vaccinated, no compensation"}
LABELS |= {name: method.label for name, method in WAYS.methods.items()}
TUNED = [method for method in WAYS.methods.values() if method.space is not None]


def severity() -> float:
    """Read the error strength at which the tuning student drops as far as the paper's device did."""
    return read_search(NOTEBOOK)["severity"]["strength"]


def training(p: FabricationParameters) -> cells.DigitTraining:
    """Load what students and teachers are trained with: notebook 01's parameters of the same tier."""
    return tier_parameters("01_ntkd_classification", p.tier).model_copy(update={"device": p.device})


def student_cell(p: FabricationParameters, data: Data, name: str, seed: int) -> Cell:
    """Describe the training of a student: notebook 01's own, or one vaccinated at the calibrated strength."""
    labels = {"student": name}
    if name == VACCINATED.name:
        settings = {**students.DIGITS.settings("none"), "strength": severity()}
        return cells.digit_student(training(p), data, VACCINATED, seed, settings, labels)
    return cells.digit_student(training(p), data, students.digit_method(name), seed, labels=labels)


def made(p: FabricationParameters, data: Data, name: str, seed: int) -> dict[str, Any]:
    """Collect a student and its metasurfaces, designed for one colour, green."""
    own = student_cell(p, data, name, seed)
    metasurfaces = work.design.cell(
        {"student": name}, seed=seed, scenes="digits", steps=p.design_steps, geometry=work.GREEN, student=own
    )
    return {"data": data, "seed": seed, "device": p.device, "student": own, "design": metasurfaces}


def device_cell(
    p: FabricationParameters,
    data: Data,
    name: str,
    seed: int,
    recoveries: Mapping[str, Recovery] | None = None,
    *,
    number: int = 0,
    strength: float | None = None,
    captures: int | None = None,
    taps: int = work.TAPS,
    tested: bool = True,
) -> Cell:
    """Describe one device, by default of the calibrated strength, and what ways to recover win back."""
    own = training(p)
    needs = {"tangent": cells.digit_kernel, "soft_labels": cells.digit_soft_labels} if recoveries else {}
    return work.recover.cell(
        {"student": name},
        **made(p, data, name, seed),
        **{need: cell(own, data, seed) for need, cell in needs.items()},
        number=number,
        strength=severity() if strength is None else strength,
        captures=captures or p.captures,
        steps=p.steps,
        recoveries=recoveries or {},
        taps=taps,
        tested=tested,
    )


def recovery(p: FabricationParameters, way: str, settings: Mapping[str, float]) -> Recovery:
    """Describe a way to recover with settings."""
    method, own = WAYS.methods[way], training(p)
    kernel = {"kernel_batch": own.kernel_batch, "kernel_every": own.kernel_every}
    every = {**settings, **(kernel if method.uses_kernel else {})}
    part = "gains" if way == CALIBRATION else "back end"
    return Recovery(method.objective, every, part, errors=way != CLEAN)


TRIALS = 4  # of the 8 points that a way's sequence gives
TUNING_SEED, TUNING_DEVICE = 1000, 0
PAPER_DROP, CALIBRATION_DEVICES, HALVINGS = 8.1, 6, 6


def calibrate(p: FabricationParameters, data: Data, run: RunCells) -> dict[str, Any]:
    """Find the strength at which the tuning student drops as far as the paper's device, by halving."""
    (student,) = run([student_cell(p, data, "ntkd", TUNING_SEED)])
    ideal, low, high, trials = student.values["validation"], 0.0, 1.0, []
    for _ in range(HALVINGS):
        strength = round((low + high) / 2, 4)
        records = run(
            device_cell(p, data, "ntkd", TUNING_SEED, number=number, strength=strength, tested=False)
            for number in range(CALIBRATION_DEVICES)
        )
        drops = [ideal - record.values["recoveries"][NONE]["validation"] for record in records]
        trials.append({"strength": strength, "drops": drops, "drop": mean(drops)})
        low, high = (strength, high) if mean(drops) < PAPER_DROP else (low, strength)
    best = min(trials, key=lambda trial: abs(trial["drop"] - PAPER_DROP))
    return {"strength": best["strength"], "drop": best["drop"], "ideal": ideal, "trials": trials}


def _trials(p: FabricationParameters, data: Data, strength: float, run: RunCells) -> list[dict[str, Any]]:
    """Try settings of every way to recover on the tuning device; nothing of the test set is read."""
    drawn = [{method.name: students.draw_settings(method, i) for method in TUNED} for i in range(TRIALS)]
    tried = [{name: recovery(p, name, settings) for name, settings in each.items()} for each in drawn]
    devices = [
        device_cell(p, data, "ntkd", TUNING_SEED, ways, number=TUNING_DEVICE, strength=strength, tested=False)
        for ways in tried
    ]
    reached = [record.values["recoveries"] for record in run(devices)]
    return [
        {"method": name, "settings": own[name], "validation": [device[name]["validation"]]}
        for name in drawn[0]
        for own, device in zip(drawn, reached, strict=True)
    ]


def conduct(data: Mapping[str, Data], run: RunCells) -> dict[str, Any]:
    """Search the error strength, then the settings of every way to recover, all on validation images."""
    p = FabricationParameters(tier="cpu")
    severity = calibrate(p, data[p.data], run)
    return {
        "budget": {"trials": TRIALS, "seed": TUNING_SEED, "devices": [TUNING_DEVICE]},
        "parameters": p.model_dump(),
        "severity": severity,
        "space": spaces(TUNED),
        "trials": _trials(p, data[p.data], severity["strength"], run),
    }
