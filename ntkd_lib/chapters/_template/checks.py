"""Independent checks at the end of notebook 08_my_paper."""

import numpy as np
import torch
from sklearn.kernel_ridge import KernelRidge

from ntkd_lib.chapters._template.work import build_network, load_digits, regression
from ntkd_lib.chapters.run import Run
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.reference import reference_ntk


def accuracy_by_scikit_learn(run: Run) -> tuple[float, float]:
    """Fit the first seed's regression in the linear kernel by scikit-learn; return its accuracy and ours."""
    train, seed = run.parameters.train, run.parameters.all_seeds[0]
    x, y = load_digits(seed)
    ridge = run.parameters.ridge * float((x[:train] ** 2).sum(1).mean())
    model = KernelRidge(alpha=ridge).fit(x[:train], np.eye(10)[y[:train]])
    (record,) = run.select(regression, method="linear", seed=seed)
    return 100 * float((model.predict(x[train:]).argmax(1) == y[train:]).mean()), record.values["accuracy"]


def kernel_error(run: Run, images: int = 4) -> float:
    """Compare a few entries of the tangent kernel with one backward pass per output and image in float64."""
    model = build_network(run.parameters.width)
    x = torch.tensor(load_digits(0)[0][:images], dtype=torch.float32)
    exact = reference_ntk(model, x).diagonal(dim1=2, dim2=3).sum(-1)
    with torch.no_grad():
        fast = empirical_ntk(model, x, kind="trace").double()
    return ((fast - exact).norm() / exact.norm()).item()
