"""Values of the distilled kernel where types, modes, means and shapes are unusual."""

import pytest
import torch
from torch import nn

from ntkd_lib.dntk import (
    GaussianProjection,
    StreamedRegression,
    fit_nystrom,
    matching,
    predict_per_class,
    reduce_kernel,
)
from ntkd_lib.dntk.energy import maximise_energy
from ntkd_lib.dntk.exact import chain_kernels
from ntkd_lib.dntk.matching import channel_moments, distil_images, last_inputs
from ntkd_lib.dntk.selection import sample_by
from ntkd_lib.nets.wide_convolution import widen
from ntkd_lib.ntk.sketches.sparse import SparseSketch


def test_variances_of_channels_with_large_means_are_exact():
    maps = torch.randn(2, 5, 3, 8, 8, generator=torch.Generator().manual_seed(0)) + 1000
    _, variance = channel_moments(maps)
    exact = maps.double().transpose(1, 2).flatten(2).var(2, correction=0)
    torch.testing.assert_close(variance.double(), exact, rtol=1e-5, atol=0)


def test_a_network_in_training_mode_is_refused():
    model = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(16, 2))
    with pytest.raises(ValueError, match=r"^model: .* in training mode; needs a dense layer"):
        last_inputs(model, torch.rand(3, 1, 4, 4))


def test_frozen_parts_in_training_mode_are_refused():
    frozen = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten()).requires_grad_(False)
    with pytest.raises(ValueError, match=r"^layer '0\.1': BatchNorm2d in training mode mixes samples"):
        chain_kernels([frozen, nn.Linear(8, 2)], torch.rand(3, 1, 4, 4))


def test_without_a_bias_the_last_inputs_have_no_one():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False)).eval()
    images = torch.rand(3, 1, 2, 2)
    assert torch.equal(last_inputs(model, images), images.flatten(1))


@pytest.mark.parametrize("relu", [nn.ReLU(), nn.ReLU(inplace=True)], ids=["new", "in place"])
def test_a_relu_in_place_changes_no_output_of_a_convolution(relu):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), relu, nn.Flatten(), nn.Linear(8, 2)).eval()
    images = torch.rand(3, 1, 4, 4)
    (maps,) = matching._watch(model, images).maps
    torch.testing.assert_close(maps, model[0](images))


def test_normalised_images_are_refused_and_not_cut():
    model, images = nn.Sequential(nn.Flatten(), nn.Linear(1, 2)).eval(), torch.rand(2, 1, 1, 1)
    images[0], allowed = -1, "allowed: intensities from 0 to 1$"
    with pytest.raises(ValueError, match=rf"^images: got values from -1 to 0\.\d+, {allowed}"):
        distil_images(model, images, torch.tensor([0, 1]), per_class=1, steps=1)
    with pytest.raises(ValueError, match=rf"^starts: got values from -1 to 0\.\d+, {allowed}"):
        maximise_energy(model, images, torch.eye(4)[None], SparseSketch(4), 1)


def test_kernels_of_fewer_classes_do_not_stand_for_all():
    with pytest.raises((ValueError, RuntimeError)):
        predict_per_class.__wrapped__(torch.ones(1, 5, 4), torch.ones(3, 4))
    regression = StreamedRegression(2, 3)
    with pytest.raises((ValueError, RuntimeError)):
        StreamedRegression.add.__wrapped__(regression, torch.ones(4, 1, 3), torch.ones(4, 1, 1))


def test_a_ridge_below_zero_is_refused():
    kernel = torch.eye(3)[None]
    with pytest.raises(ValueError, match=r"^ridge: got -0.05, allowed: 0 or more$"):
        fit_nystrom(kernel, kernel, torch.ones(3, 1), -0.05)


def test_a_kernel_in_float64_keeps_its_digits():
    theta = torch.full((1, 1, 1), 3.000000009, dtype=torch.float64)
    assert reduce_kernel(theta, torch.ones(1, 1)).item() == 3.000000009


def test_points_without_a_score_are_never_drawn():
    with pytest.raises(ValueError, match=r"^count: got 3 points of positive score, allowed: 1 to 1"):
        sample_by(torch.tensor([1.0, 0.0, 0.0, 0.0]), 3, 0)


def test_a_projection_does_not_depend_on_the_default_type():
    like = torch.ones(1, 1, 6, dtype=torch.float64)
    drawn = GaussianProjection(4, seed=1)._matrix("w", 0, like)
    torch.set_default_dtype(torch.float64)
    try:
        again = GaussianProjection(4, seed=1)._matrix("w", 0, like)
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(drawn, again)


@pytest.mark.parametrize("change", ["hook", "forward"])
def test_a_changed_layer_is_not_widened(change, monkeypatch):
    monkeypatch.setattr("ntkd_lib.nets.wide_convolution.WIDE", 1)
    model = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False))
    if change == "hook":
        model[0].register_forward_hook(lambda _, __, output: 2 * output)
    else:
        model[0].forward = lambda images: 2 * nn.Conv2d.forward(model[0], images)
    images = torch.rand(1, 1, 5, 5)
    before = model(images)
    assert torch.equal(widen(model)(images), before)
    assert type(model[0]) is nn.Conv2d
