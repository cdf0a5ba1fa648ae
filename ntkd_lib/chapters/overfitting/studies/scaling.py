"""Large samples: the exact and the low-rank decomposition, and the error of the latter."""

import time
from typing import Any

import numpy as np

from ntkd_lib.chapters.overfitting.problems import Problem, Sample, Sizes, draw
from ntkd_lib.lab.cells import CellResult
from ntkd_lib.lab.work import work
from ntkd_lib.spectral.basis import Basis, eigenbasis
from ntkd_lib.spectral.certificates import noise_floor
from ntkd_lib.spectral.fit import fit_outputs
from ntkd_lib.spectral.kernels import gaussian_kernels
from ntkd_lib.spectral.low_rank import LowRankBasis, low_rank_basis

WIDTHS = (2.0, 4.0)
LEADING = 50
TEST = 2000


@work(cost=lambda **_: 20.0)
def decompose_large(seed: int, exact_rows: int, low_rank_rows: int, landmarks: int) -> CellResult:
    """Decompose a kernel on many samples, by landmarks and if possible exactly, and fit noisy labels."""
    rows: list[dict[str, Any]] = []
    for size in (exact_rows, low_rank_rows):
        sample = draw(Problem(), Sizes(size, TEST), seed)
        for width in WIDTHS:
            rows += _compare_bases(sample, width, min(landmarks, size // 2), size == exact_rows)
    return CellResult({"rows": rows})


def _compare_bases(sample: Sample, width: float, landmarks: int, with_exact: bool) -> list[dict[str, Any]]:
    kernel = gaussian_kernels(sample.x, [width])[0]
    start = time.perf_counter()
    approximate = low_rank_basis(kernel, sample.x, landmarks)
    seconds = time.perf_counter() - start
    floor = noise_floor(approximate.trace_error, sample.noise_variance)
    row = {"way": "Nystrom", "seconds": seconds, "bound": approximate.trace_error, "accepted": floor.accepted}
    if not with_exact:
        return [{**_fit_row(sample, width, approximate), **row}]
    start = time.perf_counter()
    exact = eigenbasis(kernel, sample.x)
    exact_seconds = time.perf_counter() - start
    low_rank = {**_fit_row(sample, width, approximate), **row, **_errors(exact, approximate)}
    return [{**_fit_row(sample, width, exact), "way": "exact", "seconds": exact_seconds}, low_rank]


def _fit_row(sample: Sample, width: float, basis: Basis | LowRankBasis) -> dict[str, Any]:
    fit = fit_outputs([basis], sample.y[:, None])
    rmse = float(np.sqrt(((fit.predict(sample.x_test)[:, 0] - sample.y_test) ** 2).mean()))
    return {
        "width": width,
        "samples": len(sample.y),
        "rank": len(basis.values),
        "rmse": rmse,
        "effective": fit.effective_parameters,
    }


def _errors(exact: Basis, approximate: LowRankBasis) -> dict[str, float]:
    count = min(LEADING, len(approximate.values))
    leading = np.abs(approximate.values[:count] / exact.values[:count] - 1).max()
    low = (approximate.vectors * approximate.values) @ approximate.vectors.T
    gram = (exact.vectors * exact.values) @ exact.vectors.T
    return {"leading": float(leading), "frobenius": float(np.linalg.norm(gram - low))}
