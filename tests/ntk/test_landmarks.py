"""Landmark features of a kernel."""

import inspect

import numpy as np
import pytest
import torch
from torch import nn

from ntkd_lib.nets.two_convolutions import lenet
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.landmarks import LandmarkKernel, landmark_gram
from ntkd_lib.ntk.operator import NTKOperator
from ntkd_lib.ntk.sketches.jvp_features import jvp_features
from ntkd_lib.ntk.sketches.sparse import SparseSketch
from ntkd_lib.ntk.sketches.stream import sketched_features
from tests.ntk.faults import FOLDED, SEQUENCE_FIRST, Net
from tests.ntk.nets import dense_net


def setting() -> tuple[torch.nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    return lenet().double(), torch.rand(24, 1, 28, 28).double()


def test_exact_on_its_landmarks() -> None:
    model, x = setting()
    features, diagonal = LandmarkKernel(model, x, floor=0).features(x, chunk=7)
    exact = empirical_ntk(model, x, kind="trace").detach()
    torch.testing.assert_close(features @ features.T, exact, rtol=1e-7, atol=0)
    torch.testing.assert_close(landmark_gram(features, diagonal), exact, rtol=1e-7, atol=0)


def test_never_above_the_kernel_and_better_with_more_landmarks() -> None:
    model, x = setting()
    exact = empirical_ntk(model, x, kind="trace").detach()
    errors = []
    for count in (2, 6, 12):
        features, _ = LandmarkKernel(model, x[:count]).features(x)
        rest = exact - features @ features.T
        assert torch.linalg.eigvalsh(rest).min() >= -1e-8 * exact.trace()
        errors.append(rest.norm().item())
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize(
    "samples, text",
    [
        (np.zeros((2, 6)), r"inputs: got ndarray, needs a tensor of samples \(n, ...\)"),
        (torch.zeros(0, 6), "inputs: got an empty batch, needs at least one sample"),
        (torch.zeros(2, 5), r"inputs: got samples of shape \(5,\), landmarks has \(6,\)"),
    ],
)
def test_batches_that_do_not_fit_are_refused(samples: object, text: str) -> None:
    kernel = LandmarkKernel(dense_net(), torch.rand(2, 6))
    with pytest.raises(ValueError, match=text):
        inspect.unwrap(LandmarkKernel.features)(kernel, samples)  # past the tests' types
    with pytest.raises(ValueError, match="inputs: got an empty batch, needs at least one sample"):
        LandmarkKernel(dense_net(), torch.zeros(0, 6))


def test_diagonal_is_exact() -> None:
    model, x = setting()
    features, diagonal = LandmarkKernel(model, x[:3]).features(x)
    exact = empirical_ntk(model, x, kind="trace").detach().diagonal()
    torch.testing.assert_close(diagonal, exact)
    torch.testing.assert_close(landmark_gram(features, diagonal).diagonal(), exact)


def test_token_ids() -> None:
    torch.manual_seed(0)
    model = Net(lambda s, x: s.b(s.a(x).tanh().mean(1)), a=nn.Embedding(9, 4), b=nn.Linear(4, 3)).double()
    words = torch.randint(9, (6, 5))
    features, _ = LandmarkKernel(model, words, floor=0).features(words)
    torch.testing.assert_close(features @ features.T, empirical_ntk(model, words, kind="trace").detach())


@pytest.mark.filterwarnings("ignore::ntkd_lib.ntk.structured.WholeJacobianWarning")
@pytest.mark.filterwarnings("ignore::ntkd_lib.ntk.probe.SlowKernelWarning")
@pytest.mark.parametrize("name", ["samples reversed", "samples rolled", "experts"])
def test_a_loop_takes_over_where_needed(name: str) -> None:
    torch.manual_seed(0)
    model, draw = {**SEQUENCE_FIRST, **FOLDED}[name]
    x = draw(9).double()
    exact = empirical_ntk(model.double(), x, kind="trace").detach()
    features, diagonal = LandmarkKernel(model, x, floor=0).features(x)
    torch.testing.assert_close(landmark_gram(features, diagonal), exact, rtol=1e-6, atol=1e-9)
    phi = jvp_features(model, x, 20_000)
    assert ((phi.flatten(1) @ phi.flatten(1).T).detach() - exact).norm() < 0.05 * exact.norm()
    product = NTKOperator(model, x, kind="trace") @ torch.eye(9).double().numpy()
    torch.testing.assert_close(torch.from_numpy(product), exact)
    sketched = sketched_features(model, x, SparseSketch(20_000))
    assert ((sketched.flatten(1) @ sketched.flatten(1).T) - exact).norm() < 0.05 * exact.norm()
