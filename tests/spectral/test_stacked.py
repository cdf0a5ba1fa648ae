"""Stacked networks train as ordinary ones do, one after another."""

import pytest
import torch

from ntkd_lib.spectral.stacked import parameter_count, squared_error, stacked_nets, train_stacked


def ordinary(nets, replicate):
    """Make the same network of PyTorch's own layers."""
    layers = []
    for weight, bias in nets.weights:
        layer = torch.nn.Linear(*weight.shape[1:])
        layer.weight.data = weight[replicate].detach().T.clone()
        layer.bias.data = bias[replicate, 0].detach().clone()
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1]).double()


@pytest.mark.parametrize("falling", [False, True])
def test_stacked_training_is_training_one_by_one(falling):
    torch.manual_seed(0)
    x, y = torch.randn(3, 30, 4).double(), torch.randn(3, 30).double()
    mask = torch.ones(3, 30).double()
    mask[1, :10] = 0
    nets = stacked_nets(4, (8, 5), 1, [0, 1, 2])
    twins = [ordinary(nets, replicate) for replicate in range(3)]
    for pair in nets.weights:
        for tensor in pair:
            tensor.data = tensor.data.double()
    decay = torch.tensor([0.0, 0.0, 0.5]).double()
    train_stacked(nets, squared_error(y, mask), x, 25, lr=0.01, falling=falling, decay=decay)
    for replicate, twin in enumerate(twins):
        optimiser = torch.optim.Adam(twin.parameters(), lr=0.01)
        fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 25 if falling else 10**9)
        kept = mask[replicate] > 0
        for _ in range(25):
            optimiser.zero_grad()
            (twin(x[replicate])[kept, 0] - y[replicate][kept]).square().mean().backward()
            with torch.no_grad():
                for name, weight in twin.named_parameters():
                    if "weight" in name:
                        weight.mul_(1 - fall.get_last_lr()[0] * decay[replicate])
            optimiser.step()
            fall.step()
        torch.testing.assert_close(nets(x)[replicate], twin(x[replicate]), rtol=1e-7, atol=1e-9)


def test_a_start_does_not_depend_on_its_company():
    alone, together = stacked_nets(4, (8,), 1, [7]), stacked_nets(4, (8,), 1, [3, 7])
    for (first, _), (second, _) in zip(alone.weights, together.weights, strict=True):
        torch.testing.assert_close(first[0], second[1], rtol=0, atol=0)


def test_left_out_samples_do_not_matter():
    torch.manual_seed(0)
    x, y = torch.randn(1, 20, 3), torch.randn(1, 20)
    mask = (torch.arange(20) < 15).float()[None]
    ends = []
    for other in (0.0, 100.0):
        nets = stacked_nets(3, (6,), 1, [0])
        changed = torch.where(mask > 0, y, y + other)
        train_stacked(nets, squared_error(changed, mask), x, 10, lr=0.01)
        ends.append(nets(x))
    torch.testing.assert_close(*ends, rtol=0, atol=0)


def test_checkpoints_come_after_every_epoch():
    seen = []
    nets = stacked_nets(2, (3,), 1, [0])
    loss = squared_error(torch.zeros(1, 4), torch.ones(1, 4))
    train_stacked(nets, loss, torch.randn(1, 4, 2), 3, lr=0.01, checkpoint=seen.append)
    assert seen == [1, 2, 3]


@pytest.mark.parametrize(("widths", "count"), [((32,), 513), ((64, 32), 3073), ((512, 256), 139_265)])
def test_parameters_are_counted_with_all_biases(widths, count):
    assert parameter_count(14, widths) == count
    nets = stacked_nets(14, widths, 1, [0])
    assert sum(tensor.numel() for tensor in nets.parameters()) == count
