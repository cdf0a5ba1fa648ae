"""Distillation of images: what it matches, where it starts, and that the network is left alone."""

import pytest
import torch
from torch import nn

from ntkd_lib.dntk import matching
from ntkd_lib.dntk.matching import barycentre, channel_moments, distil_images, last_inputs
from ntkd_lib.nets.two_convolutions import compact_cnn
from ntkd_lib.ntk.contraction import jacobian


@pytest.fixture
def scene() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """Return a network, 40 images and labels of ten classes."""
    torch.manual_seed(0)
    return compact_cnn(hidden=30, filters=(3, 4)).eval(), torch.rand(40, 1, 28, 28), torch.arange(40) % 10


def test_matching_falls_and_leaves_network_and_data_alone(scene) -> None:
    model, images, labels = scene
    before = ([p.clone() for p in model.parameters()], images.clone())
    made = distil_images(model, images, labels, per_class=2, steps=8)
    assert made.losses[-1] < 0.8 * made.losses[0]
    assert made.images.shape == (20, 1, 28, 28)
    assert made.labels.tolist() == [c for c in range(10) for _ in range(2)]
    assert 0 <= made.images.min() <= made.images.max() <= 1
    assert all(
        torch.equal(a, b) and b.requires_grad for a, b in zip(before[0], model.parameters(), strict=True)
    )
    assert torch.equal(images, before[1])


def test_no_steps_give_real_images_of_the_class(scene) -> None:
    model, images, labels = scene
    made = distil_images(model, images, labels, per_class=3, steps=0)
    for image, label in zip(made.images, made.labels, strict=True):
        matches = (images == image).flatten(1).all(1)
        assert labels[matches].tolist() == [label]


def test_all_images_of_a_class_match_it_perfectly(scene) -> None:
    model, images, labels = scene
    made = distil_images(model, images, labels, per_class=4, steps=1)
    start = distil_images(model, images, labels, per_class=2, steps=1)
    assert made.losses[0] < start.losses[0]


def test_too_many_images_a_class_are_refused(scene) -> None:
    model, images, labels = scene
    with pytest.raises(ValueError, match="per_class: got 5, at most 4: the rarest class has no more"):
        distil_images(model, images, labels, per_class=5, steps=1)


def test_a_barycentre_of_as_many_atoms_as_points_is_the_points() -> None:
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(6, 3, generator=generator)
    atoms = barycentre(features, 6)
    assert torch.cdist(features, atoms).min(1).values.max() < 1e-5
    torch.testing.assert_close(barycentre(features, 1)[0], features.mean(0))


def test_last_inputs_are_the_rows_of_the_last_layers_jacobian(scene) -> None:
    model, images, _ = scene
    features = last_inputs(model, images[:3])
    rows = jacobian(model, images[:3], ["dense2.weight", "dense2.bias"])
    theta = rows[:, 4] @ rows[:, 4].T
    torch.testing.assert_close(theta, features @ features.T)


def test_moments_of_channels_and_their_gradient_are_those_of_autograd() -> None:
    generator = torch.Generator().manual_seed(4)
    maps = (3 + torch.randn(2, 3, 4, 5, 6, generator=generator, dtype=torch.float64)).requires_grad_()
    mean, variance = maps.mean((1, 3, 4)), maps.var((1, 3, 4), correction=0)
    own = channel_moments(maps)
    torch.testing.assert_close(own, (mean, variance))
    slopes = torch.randn(2, 2, 4, generator=generator, dtype=torch.float64)
    exact, ours = (
        torch.autograd.grad((slopes * torch.stack(pair)).sum(), maps) for pair in ((mean, variance), own)
    )
    torch.testing.assert_close(ours, exact)


def test_classes_at_once_change_no_image(scene, monkeypatch) -> None:
    model, images, labels = scene
    whole = distil_images(model, images, labels, per_class=3, steps=4)
    monkeypatch.setattr(matching, "AT_ONCE", 7)  # two classes
    blocks = distil_images(model, images, labels, per_class=3, steps=4)
    torch.testing.assert_close(blocks.images, whole.images, rtol=0, atol=2e-4)
    assert blocks.losses == pytest.approx(whole.losses, rel=1e-4)
