"""Methods for a tangent kernel: ours, PyTorch's tutorial, and four libraries, behind one interface."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, jvp, vjp, vmap

from benchmarks.sequence_nets import CausalDecoder, SequenceDecoder, SequenceEncoder
from ntkd_lib.nets.colour_teachers import alexnet_cifar
from ntkd_lib.nets.efficientnet_lite import EfficientNetLite0
from ntkd_lib.nets.resnet import resnet18_cifar
from ntkd_lib.nets.two_convolutions import lenet
from ntkd_lib.ntk.empirical import empirical_ntk

JACOBIANS = 4 * 2**30  # bytes that the Jacobians of a peer may take together
PRODUCT_ROWS = 2048  # outputs that a peer's NTK-vector products may hold at a time


def mlp(width: int = 2048, classes: int = 10) -> nn.Sequential:
    """Build the wide network of Novak, Sohl-Dickstein, Schoenholz (2022) for images of 784 pixels.

    Args:
        width: Of both hidden layers.
    """
    hidden = [nn.Linear(784, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*hidden, nn.Linear(width, classes))


NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "MLP": (mlp, (784,)),
    "LeNet": (lenet, (1, 28, 28)),
    "AlexNet": (alexnet_cifar, (3, 32, 32)),
    "ResNet-18": (resnet18_cifar, (3, 32, 32)),
    "small encoder": (lambda: SequenceEncoder(64), (16, 64)),
    "encoder": (lambda: SequenceEncoder(128), (64, 128)),
    "decoder": (lambda: SequenceDecoder(64), (16, 64)),
    "GPT-2 small": (CausalDecoder, (32,)),
    "EfficientNet-Lite0": (lambda: EfficientNetLite0(10), (3, 64, 64)),
}


@dataclass(frozen=True)
class Task:
    """One kernel to compute.

    Attributes:
        model: Network in evaluation mode.
        kind: ``full`` or ``trace``.
    """

    model: nn.Module
    x: Tensor
    kind: str
    classes: int

    def bytes_a_sample(self) -> int:
        """Count the bytes of one sample's Jacobian.

        Returns:
            Bytes.
        """
        return 4 * self.classes * sum(p.numel() for p in self.model.parameters())

    def tile(self) -> int:
        """Choose how many samples a peer takes at a time: all, or what lets two Jacobians fit."""
        n, each = len(self.x), self.bytes_a_sample()
        if n * each <= JACOBIANS:
            return n
        most = max(1, JACOBIANS // (2 * each))
        return max(t for t in range(1, n + 1) if n % t == 0 and t <= most)


def task(net: str, n: int, kind: str, classes: int = 10) -> Task:
    """Build a network and a batch, the same for every way.

    Args:
        classes: Logits; other than 10 for the MLP alone.
    """
    torch.manual_seed(0)
    build, shape = NETS[net]
    model = mlp(classes=classes) if net == "MLP" else build()
    words = net == "GPT-2 small"
    x = torch.randint(CausalDecoder.WORDS, (n, *shape)) if words else torch.rand(n, *shape)
    return Task(model.eval(), x, kind, classes)


def ours(method: str, tile: int | None = None) -> Callable[[Task], Tensor]:
    """Build our method.

    Args:
        method: Method of `empirical_ntk`.
    """

    def compute(task: Task) -> Tensor:
        with torch.no_grad():
            return empirical_ntk(task.model, task.x, kind=task.kind, method=method, tile=tile)

    return compute


def _single(task: Task) -> tuple[dict[str, Tensor], Callable]:
    parameters = {name: p.detach() for name, p in task.model.named_parameters()}
    buffers = dict(task.model.named_buffers())

    def output(moving: dict[str, Tensor], sample: Tensor) -> Tensor:
        return functional_call(task.model, (moving, buffers), (sample[None],))[0]

    return parameters, output


def torch_contraction(task: Task) -> Tensor:
    """Contract whole Jacobians, as PyTorch's tutorial "Neural Tangent Kernels" does, in tiles."""
    parameters, output = _single(task)
    spec = "Naf,Mbf->NMab" if task.kind == "full" else "Naf,Maf->NM"

    def whole(samples: Tensor) -> list[Tensor]:
        rows = vmap(jacrev(output), (None, 0))(parameters, samples)
        return [row.flatten(2) for row in rows.values()]

    def rows(part: Tensor) -> Tensor:
        left = whole(part)
        rights = [left] if len(parts) == 1 else (whole(other) for other in parts)
        return torch.cat([_contracted(spec, left, right) for right in rights], dim=1)

    parts = task.x.split(task.tile())
    return torch.cat([rows(part) for part in parts])


def _contracted(spec: str, left: list[Tensor], right: list[Tensor]) -> Tensor:
    total = torch.einsum(spec, left[0], right[0])
    for a, b in zip(left[1:], right[1:], strict=True):
        total += torch.einsum(spec, a, b)
    return total


def torch_products(task: Task) -> Tensor:
    """Compute NTK-vector products, as PyTorch's tutorial "Neural Tangent Kernels" does, in tiles of rows."""
    parameters, output = _single(task)

    def pair(a: Tensor, b: Tensor) -> Tensor:
        logits, pull = vjp(lambda p: output(p, a), parameters)

        def column(vector: Tensor) -> Tensor:
            return jvp(lambda p: output(p, b), (parameters,), pull(vector))[1]

        return vmap(column)(torch.eye(logits.numel()))

    block = vmap(vmap(pair, (None, 0)), (0, None))
    full = torch.cat([block(part, task.x) for part in task.x.split(products_tile(task))])
    return full if task.kind == "full" else full.diagonal(dim1=2, dim2=3).sum(2)


def products_tile(task: Task) -> int:
    """Choose the rows of which tangents and outputs fit into memory."""
    most = min(PRODUCT_ROWS // (len(task.x) * task.classes), 2**30 // task.bytes_a_sample())
    return max(1, min(len(task.x), most))


def nngeometry(task: Task) -> Tensor:
    """Compute the Gram matrix by nngeometry."""
    from nngeometry.gram import GramMatrix

    gram = GramMatrix(task.model, (task.x.clone(),), function=lambda *batch: task.model(batch[0])).to_torch()
    full = gram.permute(1, 3, 0, 2)
    return full if task.kind == "full" else full.diagonal(dim1=2, dim2=3).sum(2)


def asdfghjkl(task: Task) -> Tensor:
    """Compute the implicit kernel by asdfghjkl, or by class for the trace.

    Its direct full kernel fails in release 0.1a5, which looks for gradients where they are no longer kept.
    """
    import asdl

    if task.kind == "full":
        return asdl.empirical_implicit_ntk(task.model, task.x)
    return asdl.empirical_class_wise_direct_ntk(task.model, task.x).sum(2)


@cache
def _engine(model: nn.Module) -> object:
    from torchjd.autogram import Engine

    return Engine(model, batch_dim=0)


def torchjd(task: Task) -> Tensor:
    """Compute the Gramian of all logits by torchjd's autogram."""
    gram = _engine(task.model).compute_gramian(task.model(task.x))
    return _reduced(gram, task)


def curvlinops(task: Task) -> Tensor:
    """Multiply the Jacobian with its transpose by curvlinops, which holds one gradient per logit."""
    from curvlinops import JacobianLinearOperator

    parameters, data = list(task.model.parameters()), [(task.x, torch.zeros(len(task.x), task.classes))]
    jacobian = JacobianLinearOperator(task.model, parameters, data, check_deterministic=False)
    rows = jacobian.adjoint() @ torch.eye(len(task.x) * task.classes)
    return _reduced(jacobian @ rows, task)


def _reduced(gram: Tensor, task: Task) -> Tensor:
    full = gram.view(len(task.x), task.classes, len(task.x), task.classes).permute(0, 2, 1, 3)
    return full if task.kind == "full" else full.diagonal(dim1=2, dim2=3).sum(2)


WAYS: dict[str, Callable[[Task], Tensor]] = {
    "ours, auto": ours("auto"),
    "ours, structured": ours("structured"),
    "torch.func contraction": torch_contraction,
    "torch.func vector products": torch_products,
    "nngeometry": nngeometry,
    "asdfghjkl": asdfghjkl,
    "torchjd": torchjd,
    "curvlinops": curvlinops,
}
TILES = {"torch.func contraction": Task.tile, "torch.func vector products": products_tile}
LIBRARIES = {"curvlinops": "curvlinops-for-pytorch"} | {
    name: name for name in ("nngeometry", "asdfghjkl", "torchjd")
}


def growth_of(way: str, small: Task, large: Task) -> float:
    """Estimate how many times as long a peer takes on a larger batch, at least.

    Returns:
        Linear growth for libraries that run once per logit, and for Jacobians that fit into memory at once;
        in tiles they are formed again for each pair of tiles; the other ways pass through the network for
        each pair of samples.
    """
    samples = len(large.x) / len(small.x)
    if way == "torch.func contraction":
        return samples * (len(large.x) / large.tile())
    by_class = way == "asdfghjkl" and large.kind == "trace"
    return samples if way in ("nngeometry", "torchjd", "curvlinops") or by_class else samples**2


def installed(way: str) -> str | None:
    """Return the version of a method's library.

    Returns:
        Its version, that of torch for ways without a library, None if it is not installed.
    """
    try:
        return version(LIBRARIES.get(way, "torch"))
    except PackageNotFoundError:
        return None
