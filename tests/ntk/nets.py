"""Networks of every sort for which the methods must agree."""

import torch
from torch import Tensor, nn

from ntkd_lib.nets.colour_teachers import alexnet_cifar
from ntkd_lib.nets.resnet import resnet18_cifar
from ntkd_lib.nets.sine import siren
from ntkd_lib.nets.two_convolutions import lenet
from ntkd_lib.nets.unet import UNet
from ntkd_lib.optics.student import cifar_student, mnist_student


def dense_net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3, bias=False), nn.Tanh(), nn.Linear(3, 4))


def wide_net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))


class Tied(nn.Module):
    """One dense layer used twice, and its weight by a second layer with another bias."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(4, 4)
        self.twin = nn.Linear(4, 4)
        self.twin.weight = self.dense.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.twin(self.dense(self.dense(x).relu()).tanh())


class TiedEmbedding(nn.Module):
    """An embedding whose table also gives the logits."""

    def __init__(self, padding: int | None = None) -> None:
        super().__init__()
        self.table = nn.Embedding(7, 5, padding_idx=padding)
        self.norm = nn.LayerNorm(5)
        self.read = nn.Linear(5, 7, bias=False)
        self.read.weight = self.table.weight

    def forward(self, words: Tensor) -> Tensor:
        return self.read(self.norm(self.table(words)).mean(1))


class Words(nn.Module):
    """A large embedding, few words a sample."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(5000, 6, padding_idx=1)
        self.read = nn.Linear(6, 3)

    def forward(self, words: Tensor) -> Tensor:
        return self.read(self.table(words).tanh().sum(1))


class Attention(nn.Module):
    """A block of attention with a residual path; its projections are used behind the back of their layer."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.norm, self.rms = nn.LayerNorm(6), nn.RMSNorm(6)
        self.dense = nn.Linear(6, 5)
        self.scale = nn.Parameter(torch.tensor(0.7))

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x + self.attention(x, x, x, need_weights=False)[0])
        return self.scale * self.dense(self.rms(x)).mean(1)


class Plain(nn.Module):
    """The same attention written with dense layers, which are all known."""

    def __init__(self) -> None:
        super().__init__()
        self.keys, self.queries, self.values = (nn.Linear(6, 6) for _ in range(3))
        self.read = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        weights = torch.softmax(self.queries(x) @ self.keys(x).mT / 6**0.5, dim=-1)
        return self.read((weights @ self.values(x)).mean(1))


class Pooled(nn.Module):
    """A U-Net whose logits are averaged over the quarters of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.net = UNet(width=4, depth=2)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.adaptive_avg_pool2d(self.net(x), 2).flatten(1)


def convolutions() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2),
        nn.ReLU(inplace=True),
        nn.Conv2d(6, 6, (2, 3), dilation=(2, 1), padding="same", padding_mode="circular"),
        nn.GroupNorm(3, 6),
        nn.Conv2d(6, 6, 3, groups=6, bias=False),
        nn.Tanh(),
        nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1, groups=2),
        nn.ConvTranspose2d(4, 3, (2, 3), dilation=(1, 2), bias=False),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(12, 3),
    )


def other_dimensions() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(2, 8, 3, padding=2, dilation=2),
        nn.BatchNorm1d(8),
        nn.Unflatten(2, (2, 2, 2)),
        nn.Conv3d(8, 4, 2, padding=1, padding_mode="replicate"),
        nn.ELU(),
        nn.ConvTranspose3d(4, 2, 2, stride=2),
        nn.Flatten(2),
        nn.ConvTranspose1d(2, 3, 5, stride=3),
        nn.AdaptiveMaxPool1d(1),
        nn.Flatten(),
    )


def settled(net: nn.Module) -> nn.Module:
    """Give normalisations other values than their start, and set the network to evaluation."""
    for layer in net.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.running_mean.normal_(std=0.2)
            layer.running_var.uniform_(0.5, 2)
            nn.init.normal_(layer.weight, 1, 0.2)
            nn.init.normal_(layer.bias, 0, 0.2)
    return net.eval()


def images(*shape: int):
    return lambda n: torch.randn(n, *shape)


def words(vocabulary: int):
    return lambda n: torch.randint(vocabulary, (n, 4))


CASES = {
    "dense": (dense_net, images(6)),
    "wide": (wide_net, images(784)),
    "lenet": (lenet, images(1, 28, 28)),
    "alexnet": (lambda: alexnet_cifar(4, 64), images(3, 32, 32)),
    "resnet18": (lambda: resnet18_cifar(3), images(3, 16, 16)),
    "unet": (Pooled, images(3, 8, 8)),
    "siren": (lambda: siren(width=32), images(2)),
    "optical student": (mnist_student, images(1, 28, 28)),
    "colour optical student": (lambda: cifar_student(hidden=(8, 6), filters=4), images(3, 32, 32)),
    "tied": (Tied, images(4)),
    "tied embedding": (TiedEmbedding, words(7)),
    "embedding": (Words, words(5000)),
    "convolutions": (convolutions, images(4, 8, 8)),
    "other dimensions": (other_dimensions, images(2, 8)),
    "attention": (Attention, images(3, 6)),
    "attention of dense layers": (Plain, images(3, 6)),
}
LARGE = {"alexnet", "resnet18", "wide"}
WHOLE = {"attention"}  # holds parameters that only whole Jacobians reach


def build(name: str, n: int = 3, m: int = 2) -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    net, draw = CASES[name]
    return settled(net()), draw(n), draw(m)
