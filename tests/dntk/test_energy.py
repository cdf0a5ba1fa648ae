"""Images tuned to the kernel: the energy of a projection, its derivative, and what cannot be beaten."""

import pytest
import torch
from torch import nn

from ntkd_lib.dntk.energy import captured_energy, gradient_features, maximise_energy, second_moments
from ntkd_lib.ntk.sketches.sparse import SparseSketch
from ntkd_lib.ntk.sketches.stream import sketched_features


@pytest.fixture
def scene() -> tuple[nn.Module, torch.Tensor, SparseSketch]:
    """Return a smooth network, 12 images and a sketch."""
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(48, 8), nn.Tanh(), nn.Linear(8, 2)
    return nn.Sequential(*layers).double(), torch.rand(12, 1, 6, 6, dtype=torch.float64), SparseSketch(40)


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_captured_energy_is_that_of_the_projection() -> None:
    features, wanted = drawn(0, 4, 3, 9), drawn(1, 20, 3, 9)
    kept = total = 0.0
    for c in range(3):
        basis = torch.linalg.qr(features[:, c].T).Q
        kept += (wanted[:, c] @ basis).square().sum().item()
        total += wanted[:, c].square().sum().item()
    found = captured_energy(features, second_moments(wanted)).item()
    assert found == pytest.approx(kept / total, rel=1e-4)


def test_leading_eigenvectors_capture_most_and_all_points_capture_all() -> None:
    wanted = drawn(2, 8, 1, 15)
    moments = second_moments(wanted)
    values, vectors = torch.linalg.eigh(moments[0])
    best = captured_energy(vectors[:, -3:].T[:, None], moments).item()
    assert best == pytest.approx((values[-3:].sum() / values.sum()).item(), rel=1e-5)
    assert all(captured_energy(drawn(s, 3, 1, 15), moments).item() < best for s in range(20))
    assert captured_energy(wanted, moments).item() == pytest.approx(1, abs=1e-4)


def test_features_are_as_exact_as_any_sketch_of_the_gradients(scene) -> None:
    model, images, _ = scene
    exact, other = (
        f.detach().transpose(0, 1)
        for f in (
            gradient_features(model, images, SparseSketch(4000)),
            sketched_features(model, images, SparseSketch(4000)),
        )
    )
    assert ((exact @ exact.mT - other @ other.mT).norm() / (exact @ exact.mT).norm()).item() < 0.1


def test_the_derivative_is_that_of_finite_differences(scene) -> None:
    model, images, sketch = scene
    moments = second_moments(gradient_features(model, images, sketch).detach())
    start, step = images[:3], 1e-5 * drawn(3, 3, 1, 6, 6)
    moved = start.clone().requires_grad_(True)
    share = captured_energy(gradient_features(model, moved, sketch), moments)
    (slope,) = torch.autograd.grad(share, moved)
    with torch.no_grad():
        ends = [captured_energy(gradient_features(model, start + s * step, sketch), moments) for s in (1, -1)]
    assert ((ends[0] - ends[1]) / 2).item() == pytest.approx((slope * step).sum().item(), rel=1e-4)


def test_tuning_captures_more_and_stays_within_intensities(scene) -> None:
    model, images, sketch = scene
    moments = second_moments(gradient_features(model, images, sketch).detach())
    tuned = maximise_energy(model, images[:3], moments, sketch, steps=6)
    assert len(tuned.shares) == 7
    assert all(later > earlier for earlier, later in zip(tuned.shares, tuned.shares[1:], strict=False))
    assert 0 <= tuned.images.min() <= tuned.images.max() <= 1
    again = captured_energy(gradient_features(model, tuned.images, sketch), moments)
    assert again.item() == pytest.approx(tuned.shares[-1], rel=1e-9)


def test_no_steps_give_the_images_back(scene) -> None:
    model, images, sketch = scene
    moments = second_moments(gradient_features(model, images, sketch).detach())
    tuned = maximise_energy(model, images[:2], moments, sketch, steps=0)
    assert torch.equal(tuned.images, images[:2])
    assert len(tuned.shares) == 1
