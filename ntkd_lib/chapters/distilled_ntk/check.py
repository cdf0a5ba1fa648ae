"""Independent checks at the end of notebook 06: predictions without a kernel, sketches, memory."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch

from ntkd_lib.chapters.distilled_ntk.network import logits_of, restore_network
from ntkd_lib.chapters.distilled_ntk.scoring import LOGIT_RIDGE
from ntkd_lib.chapters.distilled_ntk.setting import prepare
from ntkd_lib.chapters.distilled_ntk.summary import record_of, seeds_of
from ntkd_lib.chapters.run import Run
from ntkd_lib.dntk.regression import fit_per_class, predict_per_class
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.operator import NTKOperator

IMAGES, TESTS = 60, 5
BEYOND = 5.0  # percent of errors that Chebyshev's bound allows


def folded_error(run: Run) -> float:
    """Predict by per-class kernels, and again by directions of weights, without any kernel.

    ``f_c(x) = <J_c(x), w_c>`` with ``w_c = sum_i alpha_ci J_c(x_i)``: one reverse pass folds the
    coefficients, one forward-mode pass a class predicts.
    """
    data = run.parameters.data
    seed = seeds_of(run, data)[0]
    arguments = {
        "data": data,
        "sha256": run.located[data].sha256,
        "seed": seed,
        "device": "cpu",
        "images": IMAGES,
        "tests": TESTS,
    }
    setting = prepare(arguments)
    model = restore_network(record_of(run, data, "network", seed), arguments).double()
    images, tests = setting.images.double(), setting.test_images.double()
    with torch.no_grad():
        theta, cross = (
            empirical_ntk(model, *pair, kind="per_class") for pair in ((images,), (tests, images))
        )
    coefficients = fit_per_class(theta, logits_of(model, images), LOGIT_RIDGE)
    by_kernel = predict_per_class(cross, coefficients)
    columns = torch.diag_embed(coefficients.T).flatten(0, 1)  # (n c, c): class c's column holds its own alone
    moved = NTKOperator(model, tests, images, kind="full").matmul(columns)
    folded = moved.unflatten(0, (len(tests), -1)).diagonal(dim1=1, dim2=2)
    return ((folded - by_kernel).abs().max() / by_kernel.abs().max()).item()


def sketch_rows(run: Run) -> list[dict[str, Any]]:
    """Give errors of sketches against their stated bounds."""
    data = run.parameters.data
    return record_of(run, data, "sketches", run.parameters.all_seeds[0]).values["rows"]


def within_bounds(run: Run) -> bool:
    """Say whether every sketch keeps what is stated for it.

    The mean over entries of squared error over stated variance may be above one by five standard errors of a
    single entry, and no more errors than stated may lie beyond the bound.
    """
    return all(
        row["beyond"] <= BEYOND and row["mean_ratio"] <= 1 + 5 * (2 / row["draws"]) ** 0.5
        for row in sketch_rows(run)
    )


def memory_rows(run: Run) -> list[dict[str, float]]:
    """Give peaks of memory of the streamed pass."""
    return run.records["memory"].values["rows"]


def memory_growth(run: Run) -> float:
    """Compare the peak for many images with that for few."""
    rows = memory_rows(run)
    return rows[-1]["peak"] / rows[0]["peak"] - 1


def certificates(run: Run) -> pd.DataFrame:
    """List how sketched kernels compare with the ridge of regression."""
    rows = []
    for data in (run.parameters.data, run.parameters.colour):
        for seed in seeds_of(run, data):
            values = record_of(run, data, "streamed", seed).values
            known = {"data": data, "seed": seed, "frobenius": values["frobenius"]}
            rows.append({**known, **values["certificate"], **values["directions"]})
    return pd.DataFrame(rows)
