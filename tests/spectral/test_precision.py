"""Ridges never lie inside what the kernel's precision leaves of eigenvalues that are 0."""

import numpy as np
import pytest
import torch
from torch import nn

from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.spectral.basis import eigenbasis
from ntkd_lib.spectral.kernels import GaussianKernel, TangentKernel
from ntkd_lib.spectral.shrinkage import ridge_grid
from ntkd_lib.spectral.student import SpectralStudent

NETS = {
    "linear": lambda d: nn.Linear(d, 1),
    "without bias": lambda d: nn.Linear(d, 1, bias=False),
    "two outputs": lambda d: nn.Linear(d, 2),
    "deep linear": lambda d: nn.Sequential(nn.Linear(d, 4), nn.Linear(4, 1)),
    "narrow": lambda d: nn.Sequential(nn.Linear(d, 2), nn.ReLU(), nn.Linear(2, 1)),
}


class Exact:
    """The tangent kernel in 64 bits."""

    def __init__(self, net):
        self.net = net

    def __call__(self, first, second):
        with torch.no_grad():
            first, second = torch.tensor(first), torch.tensor(second)
            return empirical_ntk(self.net, first, second, kind="trace", dtype=torch.float64).numpy()


def draw(name, seed, n=30, d=3):
    torch.manual_seed(seed)
    rng, net = np.random.default_rng(seed), NETS[name](d)
    x, new = (rng.normal(size=(m, d)).astype(np.float32).astype(float) for m in (n, 100))
    truth = np.tanh(x @ rng.normal(size=d))
    return net, x, truth + 0.05 * rng.normal(size=n), new


@pytest.mark.parametrize("landmarks", [None, 15])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", NETS)
def test_a_network_in_32_bits_gives_the_student_of_64(name, seed, landmarks):
    net, x, y, new = draw(name, seed)
    single, exact = (
        SpectralStudent(kernel=kernel, landmarks=landmarks).fit(x, y)
        for kernel in (TangentKernel(net), Exact(net))
    )
    size = np.abs(np.diag(single.fit_.basis.kernel(x, x))).max()
    assert single.fit_.ridge > 3e-8 * len(x) * size
    scale = np.abs(exact.predict(new)).max()
    np.testing.assert_allclose(single.predict(new), exact.predict(new), atol=0.3 * scale)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", NETS)
def test_rounding_that_was_cast_to_64_bits_is_noticed(name, seed):
    net, x, y, _ = draw(name, seed)
    kernel = TangentKernel(net)
    student = SpectralStudent(kernel=lambda a, b: kernel(a, b).astype(float)).fit(x, y)
    null = student.fit_.basis.values[np.linalg.matrix_rank(Exact(net)(x, x)) :]
    assert student.fit_.ridge > 3 * null.max(initial=0)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_floor_follows_the_type_of_the_kernel(dtype):
    x = np.round(np.random.default_rng(0).normal(size=(30, 2)))
    basis = eigenbasis(lambda a, b: (1 + a @ b.T).astype(dtype), x)
    assert basis.rounding >= np.finfo(dtype).eps * 30


def test_ridges_of_kernels_in_64_bits_are_what_they_were():
    x = np.random.default_rng(0).normal(size=(60, 3))
    basis = eigenbasis(GaussianKernel(2.0), x)
    grid = ridge_grid(basis.values, least=basis.rounding)
    np.testing.assert_array_equal(grid, np.geomspace(1e-10 * basis.values[0], 10 * basis.values[0], 200))


def test_a_kernel_that_is_not_positive_is_refused():
    x = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(
        ValueError, match=r"^kernel: has an eigenvalue of -.*, needs to be positive semi-definite$"
    ):
        SpectralStudent(kernel=lambda a, b: -a @ b.T).fit(x, x[:, 0])


def test_a_kernel_that_is_constant_predicts_the_mean():
    x, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20.0)
    for landmarks in (None, 5):
        student = SpectralStudent(kernel=lambda a, b: np.ones((len(a), len(b))), landmarks=landmarks)
        np.testing.assert_allclose(student.fit(x, y).predict(x), y.mean(), rtol=1e-6)
