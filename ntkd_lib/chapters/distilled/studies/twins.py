"""Regression without a kernel, an independent twin that notebook 06 asserts against."""

import torch

from ntkd_lib.chapters.distilled import work
from ntkd_lib.chapters.run import Run
from ntkd_lib.dntk.regression import fit_per_class, predict_per_class
from ntkd_lib.ntk import NTKOperator, empirical_ntk

SOURCE = work.ImageSource(images=60, tests=5)


def folded_error(run: Run) -> float:
    """Predict by per-class kernels, and by `<J_c(x), sum_i alpha_ci J_c(x_i)>` without any kernel."""
    data = run.data(run.parameters.data)
    seed = run.parameters.all_seeds[0]
    split = work.load_split(data, seed, SOURCE)
    (record,) = run.select(work.network, data=data.name, seed=seed)
    model = work.restore_network(record, data.name).double()
    images, tests = split.images.double(), split.test_images.double()
    with torch.no_grad():
        theta, cross = (empirical_ntk(model, *x, kind="per_class") for x in ((images,), (tests, images)))
    coefficients = fit_per_class(theta, work.logits_of(model, images), work.LOGIT_RIDGE)
    by_kernel = predict_per_class(cross, coefficients)
    columns = torch.diag_embed(coefficients.T).flatten(0, 1)  # (n c, c): class c's column holds its own alone
    products = NTKOperator(model, tests, images, kind="full").matmul(columns)
    folded = products.unflatten(0, (len(tests), -1)).diagonal(dim1=1, dim2=2)
    return ((folded - by_kernel).abs().max() / by_kernel.abs().max()).item()
