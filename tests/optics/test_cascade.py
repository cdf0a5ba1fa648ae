"""The merged front end against slow ways: depth by depth, pixel by pixel, one gradient at a time; energy."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from ntkd_lib.distill.dense import PooledLogits, ProjectedLogits
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.reference import reference_ntk
from ntkd_lib.optics import energy
from ntkd_lib.optics.cascade import BinnedLens, CascadeFrontEnd, binned, merged
from ntkd_lib.optics.segmentation import MaskStudent, carvana_student


def small(**changes):
    torch.manual_seed(0)
    return CascadeFrontEnd((2, 3, 4), **changes).double()


def scene(n=2, side=12):
    torch.manual_seed(1)
    return torch.rand(n, 3, side, side, dtype=torch.float64)


def test_merged_filters_do_what_the_depths_do_one_after_another():
    front, images = small(), scene()
    slow = functional.pad(images, (3, 3, 3, 3))
    for filters in front.depths:
        slow = functional.conv2d(slow, filters)
    fast = functional.conv2d(functional.pad(images, (3, 3, 3, 3)), front.bank)
    torch.testing.assert_close(fast, slow, rtol=1e-12, atol=1e-13)


def test_one_depth_is_itself_and_merging_is_associative():
    first, second, third = small().depths
    assert torch.equal(merged(first), first)
    assert merged(first, second, third).shape == (4, 3, 7, 7)
    inner = [merged(first, second)[..., i : i + 3, j : j + 3] for i in (0, 2) for j in (0, 2)]
    assert all(part.shape == (3, 3, 3, 3) for part in inner)
    point = torch.zeros(1, 3, 7, 7, dtype=torch.float64)
    point[0, 1, 3, 3] = 1  # the response to a point of the second colour is that colour's filter, turned
    response = functional.conv2d(functional.pad(point, (3, 3, 3, 3)), merged(first, second, third))
    torch.testing.assert_close(response[0], merged(first, second, third)[:, 1].flip(1, 2))


@pytest.mark.parametrize("pixels", [1, 2, 4])
def test_a_coarse_sensor_averages_what_a_fine_one_sees(pixels):
    front, images = small(pixels=pixels), scene()
    fine = functional.conv2d(functional.pad(images, (3, 3, 3, 3)), front.bank)
    grey = front.bank.sum((1, 2, 3))[:, None, None] / 2
    torch.testing.assert_close(front(images), functional.avg_pool2d(fine, pixels) - grey)
    assert binned(front.bank, pixels).shape[-1] == 6 + pixels


def test_captures_are_light_and_their_difference_is_the_read_out():
    front, images = small(), scene()
    plus, minus, gain = front.captures(images)
    assert plus.min() >= 0
    assert minus.min() >= 0
    difference = ((plus - minus) * gain[:, None, None]).sum(2)
    grey = front.bank.sum((1, 2, 3))[:, None, None] / 2
    torch.testing.assert_close(difference - grey, front(images))


def test_gradients_of_samples_are_those_of_one_sample_at_a_time():
    front, images = small(), scene()
    signal = torch.randn(2, 5, *front(images).shape[1:], dtype=torch.float64)
    fast = front.per_sample_gradients(images, signal)
    for n in range(2):
        for c in range(5):
            value = (front(images[n : n + 1]) * signal[n, c]).sum()
            slow = torch.autograd.grad(value, front.depths)
            for name, gradient in zip(front.names, slow, strict=True):
                torch.testing.assert_close(fast[name][n, c], gradient)
    assert front.passing_values == 3 * 10 * 10


class Tiny(nn.Module):
    """A back end with one nonlinearity."""

    def __init__(self):
        super().__init__()
        self.rise = nn.ConvTranspose2d(4, 1, 4, stride=4)

    def forward(self, read_out):
        return self.rise(read_out.relu())


@pytest.mark.parametrize("summary", [PooledLogits(4), ProjectedLogits(3, 144, 7)])
def test_the_structured_kernel_of_summarised_logits_is_exact_and_can_be_differentiated(summary):
    student, images = MaskStudent(small(), Tiny().double()), scene(3)
    model = nn.Sequential(student, summary.double())
    exact = reference_ntk(model, images).diagonal(dim1=2, dim2=3).sum(-1)
    fast = empirical_ntk(model, images, kind="trace", method="structured")
    torch.testing.assert_close(fast, exact, rtol=1e-9, atol=1e-12)
    fast.square().sum().backward()
    filters = student.front.depth1
    direction, step = torch.randn_like(filters), 1e-6
    moved = []
    for sign in (1, -1):
        with torch.no_grad():
            filters.add_(sign * step * direction)
            moved.append(empirical_ntk(model, images, kind="trace").square().sum().item())
            filters.sub_(sign * step * direction)
    assert (filters.grad * direction).sum().item() == pytest.approx(
        (moved[0] - moved[1]) / 2 / step, rel=1e-4
    )


def test_training_non_negative_filters_is_refused():
    with pytest.raises(ValueError, match="positive=True needs trainable=False"):
        CascadeFrontEnd(positive=True)
    assert min(f.min() for f in CascadeFrontEnd((8,), positive=True, trainable=False).depths) >= 0


def test_a_lens_gives_a_little_less_than_the_filters_and_keeps_a_grey_scene_dark():
    lens, front = BinnedLens(), CascadeFrontEnd()
    images = torch.full((1, 3, 160, 240), 0.5)
    assert lens(images).shape == (1, 27, 40, 60)
    assert front(images).shape == (1, 32, 40, 60)
    assert lens(images).abs().max() == 0
    assert front(images)[..., 1:-1, 1:-1].abs().max() < 1e-5


@pytest.mark.parametrize("optics", ["signed", "random", "lens", "random-positive"])
def test_students_give_one_logit_a_pixel_and_stay_within_the_papers_size(optics):
    student = carvana_student(optics)
    assert student(torch.rand(1, 3, 160, 240)).shape == (1, 1, 160, 240)
    assert sum(p.numel() for p in student.parameters()) <= 1_060_000
    assert any(p.requires_grad for p in student.front.parameters()) == (optics == "signed")


def test_multiply_adds_of_a_convolution_by_hand():
    layers = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.ConvTranspose2d(5, 2, 2, stride=2))
    expected = 8 * 6 * (5 * 3 * 9 + 5 * 2 * 4) / 1e6
    assert energy.count_macs(layers, (3, 8, 6)) == pytest.approx(expected)


def test_work_of_the_optics_by_hand_and_by_running_the_layers():
    front = CascadeFrontEnd()
    counted = energy.cascade_macs(front, 160, 240)
    assert counted["layers"] == pytest.approx(38_400 * 9 * (3 * 8 + 8 * 16 + 16 * 32) / 1e6)
    assert counted["merged"] == pytest.approx(38_400 * 32 * 3 * 49 / 1e6)
    assert counted["binned"] == pytest.approx(energy.count_macs(BankOf(front), (3, 160, 240)))


class BankOf(nn.Module):
    """The merged, binned bank as a plain convolution."""

    def __init__(self, front):
        super().__init__()
        bank = binned(front.bank, front.pixels).detach()
        self.layer = nn.Conv2d(3, 32, bank.shape[-1], stride=front.pixels, padding=3)

    def forward(self, images):
        return self.layer(images)


def test_the_papers_energies_follow_from_its_multiply_adds():
    hybrid = energy.Budget("hybrid", 65, energy.OPTICAL_CAPTURE)
    twin = energy.Budget("twin", 239, energy.LENS_CAPTURE)
    assert hybrid.total == pytest.approx(5.83, abs=0.005)
    assert twin.total == pytest.approx(9.73, abs=0.02)
    assert energy.saving(hybrid, twin) == pytest.approx(40.1, abs=0.2)
    assert energy.saving(twin, twin) == 0


def test_torch_func_may_swap_the_filters():
    torch.manual_seed(0)
    front, images = CascadeFrontEnd((2, 3)), torch.rand(2, 3, 8, 8)
    doubled = {name: 2 * p.detach() for name, p in front.named_parameters()}
    seen = torch.func.functional_call(front, doubled, (images,))
    assert torch.allclose(seen, 4 * front(images), rtol=1e-5, atol=1e-6)
