"""Joined features of the trace kernel."""

import torch

from ntkd_lib.nets.compact_resnet import compact_resnet
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.sketches.kronecker import KroneckerSketch
from ntkd_lib.ntk.sketches.stream import join_classes, trace_features


def test_joining_is_unbiased() -> None:
    torch.manual_seed(0)
    features = torch.randn(4, 3, 20).double()
    exact = torch.einsum("nck,mck->nm", features, features)
    draws = torch.stack([join_classes(features, seed) for seed in range(600)])
    grams = draws @ draws.mT
    error = grams.std(0) / len(grams) ** 0.5
    assert torch.all((grams.mean(0) - exact).abs() < 4.5 * error + 1e-12)


def test_sketched_kernel_of_a_residual_network_points_where_the_exact_one_does() -> None:
    torch.manual_seed(1)
    model, images = compact_resnet(widths=(4, 6, 6)).eval(), torch.rand(10, 3, 32, 32)
    exact = empirical_ntk(model, images, kind="trace").detach()
    features = trace_features(model, images, KroneckerSketch(2048), chunk=4)
    rebuilt = features @ features.T
    cosine = torch.cosine_similarity(exact.flatten(), rebuilt.flatten(), dim=0)
    assert cosine >= 0.98
    again = trace_features(model, images[3:], KroneckerSketch(2048), chunk=64)
    torch.testing.assert_close(again, features[3:], rtol=1e-3, atol=1e-3 * features.abs().max().item())
