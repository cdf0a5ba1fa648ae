"""Teachers and back ends."""

import pytest
import torch
from torch import nn

from ntkd_lib.nets.back_ends import UpSampling, dense_back_end, mlp
from ntkd_lib.nets.two_convolutions import lenet


def test_lenet_has_the_size_that_the_paper_names() -> None:
    net = lenet()
    count = sum(p.numel() for p in net.parameters())
    assert count == 44_426
    assert count * 4 / 1e6 == pytest.approx(0.178, abs=5e-4)  # megabytes: the "0.18M" of Table 2
    assert net(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def test_back_end_without_relu_is_affine() -> None:
    torch.manual_seed(0)
    back = dense_back_end((5, 4, 3), rectify=False).double()
    a, b, zero = torch.randn(1, 5).double(), torch.randn(1, 5).double(), torch.zeros(1, 5).double()
    torch.testing.assert_close(back(a + b) + back(zero), back(a) + back(b))
    assert not any(isinstance(layer, nn.ReLU) for layer in back)


def test_back_end_ends_with_its_last_dense_layer() -> None:
    back = dense_back_end((5, 4, 3))
    assert [type(layer) for layer in back] == [nn.Linear, nn.ReLU, nn.Linear]
    assert [type(layer) for layer in dense_back_end((5, 3))] == [nn.Linear]


def test_too_few_widths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"widths: got \(5,\), needs an input width and a number of classes"):
        dense_back_end((5,))


def test_mlp_ends_with_its_last_dense_layer() -> None:
    net = mlp((784, 256, 64, 10))
    assert [type(layer) for layer in net] == [nn.Flatten, nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]
    assert net[:-1](torch.zeros(2, 1, 28, 28)).shape == (2, 64)
    with pytest.raises(ValueError, match=r"mlp: widths = \(5,\); allowed: an input width and a number"):
        mlp((5,))


@pytest.mark.parametrize("pixels", [1, 2, 3, 4, 5])
def test_up_sampling_has_so_many_pixels_per_side_of_a_position_and_is_centred(pixels) -> None:
    torch.manual_seed(0)
    up, read_out = UpSampling(2, pixels), torch.rand(1, 2, 5, 6)
    with torch.no_grad():
        up.layer.weight += up.layer.weight.flip(2, 3)  # a filter that is its own mirror image
        logits = up(read_out)
        mirrored = up(read_out.flip(2, 3)).flip(2, 3)
    assert logits.shape == (1, 1, 5 * pixels, 6 * pixels)
    torch.testing.assert_close(logits, mirrored)
