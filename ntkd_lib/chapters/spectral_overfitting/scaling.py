"""Cells on large samples: the exact decomposition, the low-rank one, and its error."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from ntkd_lib.chapters.spectral_overfitting.problems import Problem, Sample, draw
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.spectral.basis import Basis, eigenbasis
from ntkd_lib.spectral.certificates import noise_floor
from ntkd_lib.spectral.fit import fit_outputs
from ntkd_lib.spectral.kernels import gaussian_kernels
from ntkd_lib.spectral.low_rank import LowRankBasis, low_rank_basis

WIDTHS = (2.0, 4.0)
LEADING = 50
TEST = 2000


def scale(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Decompose a kernel on many samples and fit noisy labels.

    Args:
        arguments: ``exact_rows``, ``low_rank_rows``, ``landmarks``, ``seed``.

    Returns:
        ``rows``: for each width, size and way: samples, rank, seconds of the decomposition, test RMSE,
        effective parameters, the certified bound on the kernel's error and, where the exact kernel was
        decomposed too, the measured relative error of the leading 50 eigenvalues and of the kernel.
    """
    del needs
    rows: list[dict[str, Any]] = []
    for size in (arguments["exact_rows"], arguments["low_rank_rows"]):
        sample = draw(Problem(), size, TEST, 0, arguments["seed"])
        for width in WIDTHS:
            rows += _both(
                sample, width, min(arguments["landmarks"], size // 2), size == arguments["exact_rows"]
            )
    return CellResult({"rows": rows})


def _both(sample: Sample, width: float, landmarks: int, with_exact: bool) -> list[dict[str, Any]]:
    kernel = gaussian_kernels(sample.x, [width])[0]
    start = time.perf_counter()
    cheap = low_rank_basis(kernel, sample.x, landmarks)
    seconds = time.perf_counter() - start
    floor = noise_floor(cheap.trace_error, sample.noise_variance)
    row = {"way": "Nystrom", "seconds": seconds, "bound": cheap.trace_error, "accepted": floor.accepted}
    if not with_exact:
        return [{**_fitted(sample, width, cheap), **row}]
    start = time.perf_counter()
    exact = eigenbasis(kernel, sample.x)
    taken = time.perf_counter() - start
    both = {**_fitted(sample, width, cheap), **row, **_errors(exact, cheap)}
    return [{**_fitted(sample, width, exact), "way": "exact", "seconds": taken}, both]


def _fitted(sample: Sample, width: float, basis: Basis | LowRankBasis) -> dict[str, Any]:
    fit = fit_outputs([basis], sample.y[:, None])
    rmse = float(np.sqrt(((fit.predict(sample.x_test)[:, 0] - sample.y_test) ** 2).mean()))
    return {
        "width": width,
        "samples": len(sample.y),
        "rank": len(basis.values),
        "rmse": rmse,
        "effective": fit.effective_parameters,
    }


def _errors(exact: Basis, cheap: LowRankBasis) -> dict[str, float]:
    count = min(LEADING, len(cheap.values))
    leading = np.abs(cheap.values[:count] / exact.values[:count] - 1).max()
    low = (cheap.vectors * cheap.values) @ cheap.vectors.T
    gram = (exact.vectors * exact.values) @ exact.vectors.T
    return {"leading": float(leading), "frobenius": float(np.linalg.norm(gram - low))}
