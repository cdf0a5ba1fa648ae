"""Landmark features of a kernel."""

import torch

from ntkd_lib.nets.lenet5 import lenet
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.landmarks import LandmarkKernel, landmark_gram


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


def test_diagonal_is_exact() -> None:
    model, x = setting()
    features, diagonal = LandmarkKernel(model, x[:3]).features(x)
    exact = empirical_ntk(model, x, kind="trace").detach().diagonal()
    torch.testing.assert_close(diagonal, exact)
    torch.testing.assert_close(landmark_gram(features, diagonal).diagonal(), exact)
