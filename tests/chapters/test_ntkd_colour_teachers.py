"""Teachers on colour images: all can be trained and sketched, and training starts at whitened patches."""

import pytest
import torch

from ntkd_lib.chapters.ntkd_colour import cells, tangent, teacher
from ntkd_lib.nets.colour_teachers import MAKERS, WHITENED, colour_teacher
from ntkd_lib.nets.compact_resnet import whiten_first


def test_every_teacher_can_be_trained_and_sketched() -> None:
    for known in (teacher.RECIPES, tangent.EXACT, cells.SECONDS):
        assert known.keys() == MAKERS.keys()


@pytest.mark.parametrize("name", WHITENED)
def test_training_starts_at_whitened_patches(name) -> None:
    images = torch.rand(50, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    started = teacher._started(name, images)
    torch.manual_seed(0)
    plain = colour_teacher(name)
    whiten_first(plain[1], plain[0](images))
    torch.testing.assert_close(started[1][0].weight, plain[1][0].weight)
