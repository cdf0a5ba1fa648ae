"""Cells that train the network whose tangent kernel is distilled."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ntkd_lib.chapters.distilled_ntk.setting import prepare
from ntkd_lib.data.torchvision import torchvision
from ntkd_lib.distill.training import Images, Schedule, converged, fit
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.seeds import deterministic
from ntkd_lib.nets.two_convolutions import compact_cnn

BATCH = 64
SPEEDS = {"cifar-10": (2e-3, 1e-3), "imagenette": (1e-3, 5e-2)}  # learning rate, weight decay
SPEED = (2e-3, 1e-3)


class Switched(nn.Module):
    """A network that is in training mode wherever gradients are enabled, and in evaluation mode elsewhere."""

    def __init__(self, net: nn.Module) -> None:
        """Wrap the network."""
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        """Give logits."""
        self.net.train(torch.is_grad_enabled())
        return self.net(images)


def build_network(data: str) -> nn.Module:
    """Build the network of a data set: a compact CNN, or for Imagenette a ResNet-18."""
    if data == "imagenette":
        return torchvision.models.resnet18(num_classes=10).eval()
    if data == "cifar-10":
        return compact_cnn(3, 32, filters=(12, 16), hidden=220).eval()
    return compact_cnn().eval()


def train(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Train a network.

    Args:
        arguments: What `prepare` takes, and ``epochs``.

    Returns:
        Test accuracy in percent, the validation curve and whether it converged; weights by name.
    """
    del needs
    setting = prepare(arguments)
    model = build_network(arguments["data"]).to(arguments["device"])
    curve = train_on(
        model, setting.images, setting.labels, setting.held_images, setting.held_labels, arguments
    )
    values = {
        "accuracy": _percent(model, setting.test_images, setting.test_labels),
        "curve": curve,
        "converged": converged(curve),
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    return CellResult(values, {f"weights.{k}": v.cpu().numpy() for k, v in model.state_dict().items()})


def train_on(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    held: Tensor,
    held_labels: Tensor,
    arguments: Mapping[str, Any],
) -> list[float]:
    """Train a network in place on some images and follow its validation accuracy.

    Args:
        arguments: ``data`` and ``epochs``.

    Returns:
        Validation accuracy in percent, twice an epoch.
    """
    everything = Images(torch.cat([images, held]), torch.cat([labels, held_labels]))
    rows = torch.arange(len(everything.labels), device=labels.device)
    rate, decay = SPEEDS.get(arguments["data"], SPEED)
    shift = 8 if arguments["data"] == "imagenette" else 0
    schedule = Schedule(arguments["epochs"], BATCH, lr=rate, weight_decay=decay, shift=shift)
    curve = fit(
        Switched(model),
        everything,
        rows[: len(labels)],
        rows[len(labels) :],
        lambda net, batch: cross_entropy(net(batch.images), batch.labels),
        schedule,
    )
    model.eval()
    return curve


def restore_network(record: Record, arguments: Mapping[str, Any]) -> nn.Module:
    """Rebuild a trained network from its record.

    Args:
        arguments: ``data`` and ``device``.

    Returns:
        The network, on the device, in evaluation mode.
    """
    model = build_network(arguments["data"])
    prefix = "weights."
    model.load_state_dict(
        {k.removeprefix(prefix): torch.tensor(v) for k, v in record.arrays.items() if k.startswith(prefix)}
    )
    return model.to(arguments["device"]).eval()


def initial_network(arguments: Mapping[str, Any]) -> nn.Module:
    """Rebuild a network as it was before training.

    Args:
        arguments: ``data``, ``seed`` and ``device``.

    Returns:
        The network, on the device, in evaluation mode.
    """
    deterministic(arguments["seed"])
    return build_network(arguments["data"]).to(arguments["device"])


@torch.no_grad()
def logits_of(model: nn.Module, images: Tensor) -> Tensor:
    """Give logits of images, some at a time."""
    return torch.cat([model(part) for part in images.split(250)])


def _percent(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    return 100 * (logits_of(model, images).argmax(1) == labels).double().mean().item()
