"""Coarse sensors and read-outs for masks: closed forms, and a perfect device that equals the student."""

import pytest
import torch
from torch.nn.functional import avg_pool2d, pad

from ntkd_lib.optics.captured_masks import (
    CapturedMaskStudent,
    CoarseDevice,
    image_and_bin,
    laid_out,
    mask_read_out,
)
from ntkd_lib.optics.cascade import CascadeFrontEnd
from ntkd_lib.optics.device import Device
from ntkd_lib.optics.front_end import SignedFrontEnd
from ntkd_lib.optics.psf import image_through, target_psfs
from ntkd_lib.optics.segmentation import carvana_student
from ntkd_lib.optics.sensor_errors import Gain, SensorNoise
from ntkd_lib.optics.strength import drawn_errors


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def pictures(count=3):
    return torch.randint(0, 256, (count, 3, 24, 32), dtype=torch.uint8)


def perfect(student):
    targets, gains = target_psfs(student.front.bank.detach())
    return pad(targets, (2,) * 4), gains  # 11 filter pixels a side, as devices are computed with


def test_a_coarse_sensor_averages_what_a_fine_one_sees():
    scenes, psfs = torch.rand(2, 3, 24, 32), torch.rand(5, 3, 11, 11)
    fine = image_through(scenes, psfs)
    expected = avg_pool2d(fine.flatten(1, 2), 4).unflatten(1, (5, 3))
    torch.testing.assert_close(image_and_bin(scenes, psfs, 4), expected)


@torch.no_grad()
def test_captures_of_a_perfect_device_give_the_students_own_read_out_and_logits():
    student, images = carvana_student().eval(), pictures()
    psfs, gains = perfect(student)
    device = CoarseDevice()
    grey = device.grey(psfs, 24, 32)
    torch.testing.assert_close(grey, psfs.sum(dim=(-2, -1)) / 2)
    frames = list(device.photographs(images, psfs, chunk=2))
    assert [len(part) for part in frames] == [2, 1]
    read_out = torch.cat([mask_read_out(part, gains, grey) for part in frames])
    scenes = images.float() / 255
    torch.testing.assert_close(read_out, student.front(scenes), atol=1e-5, rtol=1e-4)
    captured = CapturedMaskStudent(student.back)
    torch.testing.assert_close(captured(laid_out(read_out)), student(scenes), atol=1e-4, rtol=1e-4)


def test_laying_out_loses_nothing_and_only_the_back_end_has_weights():
    read_out, student = torch.rand(2, 32, 6, 8), carvana_student()
    captured = CapturedMaskStudent(student.back)
    assert laid_out(read_out).shape == (2, 2, 24, 32)
    assert torch.equal(captured.front(laid_out(read_out)), read_out)
    assert {name.split(".")[0] for name, _ in captured.named_parameters()} == {"back"}


def test_errors_of_no_strength_change_nothing():
    images, psfs = pictures(2), torch.rand(4, 3, 11, 11)
    (plain,) = CoarseDevice().photographs(images, psfs)
    (made,) = CoarseDevice(drawn_errors(0.0, 5), 5).photographs(images, psfs)
    assert torch.equal(plain, made)


def test_a_gain_scales_scenes_and_grey_field_alike():
    images, psfs = pictures(2), torch.rand(4, 3, 11, 11)
    device = CoarseDevice((Gain(0.2),), 7)
    (plain,), (made,) = CoarseDevice().photographs(images, psfs), device.photographs(images, psfs)
    factors = (made / plain)[0, ..., 2, 3]
    assert factors.std() > 0.05
    torch.testing.assert_close(device.grey(psfs, 24, 32), factors * CoarseDevice().grey(psfs, 24, 32))


def test_noise_repeats_by_name_and_differs_between_names():
    images, psfs = pictures(2), torch.rand(4, 3, 11, 11)
    device = CoarseDevice((SensorNoise(1.0),), 7)
    first, again, other = (torch.cat(list(device.photographs(images, psfs, n))) for n in ("a", "a", "b"))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("scene, psf", [(1, 3), (3, 1)])
def test_scenes_and_psfs_of_different_numbers_of_colours_are_refused(scene, psf):
    images = torch.zeros(2, scene, 24, 32, dtype=torch.uint8)
    scenes, psfs = images.float(), torch.rand(3, psf, 5, 5)
    photographs = [
        lambda: next(Device().frames(scenes, psfs)),
        lambda: next(CoarseDevice().photographs(images, psfs)),
        lambda: SignedFrontEnd(3, 24, colours=psf).captures(scenes),
        lambda: CascadeFrontEnd((3,), colours=psf).captures(scenes),
    ]
    for photograph in photographs:
        with pytest.raises(
            ValueError, match=rf"^psfs: got {psf} colours, allowed: {scene}, those of the scenes$"
        ):
            photograph()
