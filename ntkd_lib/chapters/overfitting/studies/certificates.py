"""Coverage of each certificate."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ntkd_lib.lab import CellResult, Record, derive_seed
from ntkd_lib.lab.work import work
from ntkd_lib.spectral import GaussianKernel, certificates, eigenbasis
from ntkd_lib.spectral.fit import fit_outputs

FRESH = (100, 1000)
ROWS = 60
CONFIDENCE = 0.95
EXACT = 1e-9  # relative difference that rounding leaves
TOLERANCE = 0.05


@work(cost=lambda **_: 10.0)
def try_certificates(trials: int, students: Record, digits: Record) -> CellResult:
    """Measure the coverage of every certificate; fresh inputs are drawn from test inputs with replacement."""
    rng = np.random.default_rng(derive_seed("coverage"))
    outputs, differs = students.arrays, digits.arrays["differs"]
    rows = [_parseval(rng, trials)]
    for fresh in FRESH:
        rows += _squares(rng, trials, fresh, outputs["teacher"], outputs["student"])
        rows.append(_classes(rng, trials, fresh, differs))
    return CellResult({"rows": [*rows, *_floor(rng, trials)]})


def _row(name: str, held: Iterable[Any], ratios: Iterable[float], remark: str) -> dict[str, Any]:
    outcomes = np.array(list(held), dtype=bool)
    return {
        "certificate": name,
        "held": float(outcomes.mean()),
        "trials": len(outcomes),
        "ratio": float(np.median(list(ratios))),
        "remark": remark,
    }


def _parseval(rng: np.random.Generator, trials: int) -> dict[str, Any]:
    held, ratios = [], []
    for _ in range(trials):
        x = rng.standard_normal((ROWS, rng.integers(1, 6)))
        basis = eigenbasis(GaussianKernel(float(rng.uniform(0.3, 5))), x)
        teacher = rng.standard_normal((ROWS, 1))
        fit = fit_outputs([basis], teacher, float(10 ** rng.uniform(-6, 2)))
        measured = float(np.sqrt(((fit.predict(x) - teacher) ** 2).mean()))
        held.append(bool(abs(fit.certificate[0] / measured - 1) <= EXACT))
        ratios.append(float(fit.certificate[0] / measured))
    return _row("Parseval tail, training inputs", held, ratios, "equal to rounding")


def _squares(
    rng: np.random.Generator, trials: int, fresh: int, teacher: np.ndarray, student: np.ndarray
) -> list[dict[str, Any]]:
    low, high = float(teacher.min()), float(teacher.max())
    squares = certificates.clipped_squares(teacher, student, low, high)
    truth, span = squares.mean(), (high - low) ** 2
    rows = []
    for bound in (certificates.empirical_bernstein, certificates.hoeffding):
        draws = (rng.choice(squares, fresh) for _ in range(trials))
        bounds = [bound(draw, span, CONFIDENCE) for draw in draws]
        name = f"{bound.__name__.replace('_', ' ').capitalize()}, {fresh:,} fresh inputs"
        remark = "clipped mean-square difference"
        rows.append(_row(name, [b >= truth for b in bounds], [b / truth for b in bounds], remark))
    return rows


def _classes(rng: np.random.Generator, trials: int, fresh: int, differs: np.ndarray) -> dict[str, Any]:
    truth = float(differs.mean())
    bounds = [certificates.clopper_pearson(rng.choice(differs, fresh), CONFIDENCE) for _ in range(trials)]
    ratios = [b / truth for b in bounds] if truth > 0 else [1.0]
    name = f"Clopper-pearson, {fresh:,} fresh inputs".replace("pearson", "Pearson")
    return _row(name, [b >= truth for b in bounds], ratios, "share of digits named differently")


def _floor(rng: np.random.Generator, trials: int) -> list[dict[str, Any]]:
    """Measure the coverage of the noise-floor rule on random kernels, ranks and noise levels."""
    rows = []
    for name, widths in (("smooth", (2.0, 8.0)), ("rough", (0.05, 0.3))):
        outcomes = [_floor_trial(rng, widths) for _ in range(trials)]
        accepted = [actual for decision, actual in outcomes if decision.accepted]
        held = [actual <= decision.bound * (1 + EXACT) for decision, actual in outcomes]
        ratios = [decision.bound / max(actual, 1e-300) for decision, actual in outcomes]
        worst = f", largest error {max(accepted):.2g}" if accepted else ""
        remark = f"accepted {len(accepted) / trials:.0%} at tolerance {TOLERANCE:g}{worst}"
        rows.append(_row(f"Noise-floor rule, {name} kernels", held, ratios, remark))
    return rows


def _floor_trial(rng: np.random.Generator, widths: tuple[float, float]) -> tuple[Any, float]:
    x = rng.standard_normal((ROWS, 3))
    gram = GaussianKernel(float(rng.uniform(*widths)))(x, x)
    variance = float(10 ** rng.uniform(-2, 1))
    values, vectors = np.linalg.eigh(gram)
    rank = int(rng.integers(5, ROWS))
    low = (vectors[:, -rank:] * np.maximum(values[-rank:], 0)) @ vectors[:, -rank:].T
    y = rng.standard_normal(ROWS)
    exact, cheap = (np.linalg.solve(k + variance * np.eye(ROWS), y) for k in (gram, low))
    decision = certificates.noise_floor(float(np.linalg.norm(gram - low)), variance, TOLERANCE)
    return decision, float(np.linalg.norm(exact - cheap) / np.linalg.norm(exact))
