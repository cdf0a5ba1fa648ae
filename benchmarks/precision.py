"""Error and time of the kernel at lower precisions, by depth and width: ``python -m benchmarks.precision``.

The kernel obeys PyTorch's own switches: with ``torch.set_float32_matmul_precision("medium")`` a CPU with AMX
multiplies float32 matrices as bfloat16 ones. Sums of the products of two or three bfloat16 parts, which give
digits back, are made here and are no part of the library: on AMX they are slower than float32.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.timing import interleaved
from ntkd_lib.lab.atomic import write_json
from ntkd_lib.lab.layout import results_root
from ntkd_lib.lab.manifest import renew_manifest
from ntkd_lib.lab.provenance import snapshot
from ntkd_lib.ntk import empirical_ntk

SEEDS = (0, 1, 2)
SAMPLES = {"MLP": 256, "ConvNet": 64}
MLPS = ((2, 256), (4, 256), (8, 256), (16, 256), (4, 64), (4, 1024))  # depth, width
CONVOLUTIONS = ((2, 32), (4, 32), (8, 32), (4, 16), (4, 64))  # depth, channels
aten = torch.ops.aten


def networks() -> dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]]:
    """List networks by name: a function that builds one, and the shape of its inputs."""
    made = (
        ("MLP", mlp, (64,), MLPS),
        ("ConvNet", convolutional, (3, 8, 8), CONVOLUTIONS),
    )
    return {
        f"{kind}, {depth} layers of {width}": (partial(make, depth, width), (SAMPLES[kind], *shape))
        for kind, make, shape, sizes in made
        for depth, width in sizes
    }


def mlp(depth: int, width: int) -> nn.Module:
    """Build a perceptron of ReLU layers and ten outputs."""
    sizes = [64, *depth * [width], 10]
    layers = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
    return _started(nn.Sequential(*layers[:-1]))


def convolutional(depth: int, channels: int) -> nn.Module:
    """Build convolutions of 3 x 3 with ReLU, a mean over the image, and ten outputs."""
    sizes = [3, *depth * [channels]]
    layers = [part for a, b in pairwise(sizes) for part in (nn.Conv2d(a, b, 3, padding=1), nn.ReLU())]
    return _started(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)))


def _started(model: nn.Module) -> nn.Module:
    """Draw weights that keep the size of signals over any depth."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return model


class ProductsInParts(TorchDispatchMode):
    """Compute every product and convolution from bfloat16 parts of its factors, small pairs left out."""

    def __init__(self, parts: int) -> None:
        super().__init__()
        self.parts = parts

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (aten.mm.default, aten.bmm.default):
            return split_product(*args, self.parts)
        if func in (aten.addmm.default, aten.baddbmm.default, aten.addmm_.default):
            scaled = kwargs.get("alpha", 1) * split_product(*args[1:], self.parts)
            total = scaled + kwargs.get("beta", 1) * args[0]
            return args[0].copy_(total) if func is aten.addmm_.default else total
        if func is aten.convolution.default:
            images, weight, bias, *rest = args
            result = split_product(images, weight, self.parts, lambda a, b: func(a, b, None, *rest))
            return result if bias is None else result + bias.view(-1, *(result.ndim - 2) * [1])
        if func is aten.convolution_backward.default:
            return self._backward(func, *args)
        return func(*args, **kwargs)

    def _backward(self, func: Any, gradient: Tensor, images: Tensor, weight: Tensor, *rest: Any) -> Any:
        first = split(gradient, self.parts)
        factors = list(zip(split(images, self.parts), split(weight, self.parts), strict=True))
        sums = [func(first[i], *factors[j], *rest) for i, j in pairs(self.parts)]
        bias = func(gradient, images, weight, *rest)[2]
        return (*(None if each[0] is None else sum(each) for each in list(zip(*sums, strict=True))[:2]), bias)


def split(values: Tensor, parts: int) -> list[Tensor]:
    """Split float32 values into parts that bfloat16 holds exactly, the largest first."""
    result: list[Tensor] = []
    for _ in range(parts):
        result.append(values.bfloat16().float())
        values = values - result[-1]
    return result


def pairs(parts: int) -> list[tuple[int, int]]:
    """List the pairs of parts whose product is not below the error that is left, the largest first."""
    return sorted(((i, j) for i in range(parts) for j in range(parts - i)), key=sum)


def split_product(
    a: Tensor, b: Tensor, parts: int, product: Callable[[Tensor, Tensor], Tensor] = torch.matmul
) -> Tensor:
    """Multiply float32 factors as the largest products of their bfloat16 parts, 3 of two or 6 of three."""
    first, second = split(a, parts), split(b, parts)
    total, *others = (product(first[i], second[j]) for i, j in pairs(parts))
    for other in others:
        total.add_(other)
    return total


@contextmanager
def bfloat16_products() -> Iterator[None]:
    """Let PyTorch round the factors of float32 products to bfloat16, by its own switches."""
    convolutions = torch.backends.mkldnn.conv
    before = torch.get_float32_matmul_precision(), convolutions.fp32_precision
    torch.set_float32_matmul_precision("medium")
    convolutions.fp32_precision = "bf16"
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        convolutions.fp32_precision = before[1]


@torch.no_grad()
def kernel(model: nn.Module, x: Tensor, *, coarse: bool = False, parts: int = 0) -> Tensor:
    """Compute the trace kernel, its products of bfloat16 factors or of their parts."""
    with ExitStack() as stack:
        if coarse:
            stack.enter_context(bfloat16_products())
        if parts:
            stack.enter_context(ProductsInParts(parts))
        return empirical_ntk(model, x, kind="trace", probe=False)


def ways(model: nn.Module, x: Tensor) -> dict[str, Callable[[], Tensor]]:
    """List the ways to compute a kernel by name."""
    return {
        "float32": partial(kernel, model, x),
        "bfloat16 products": partial(kernel, model, x, coarse=True),
        "two parts, three products": partial(kernel, model, x, coarse=True, parts=2),
        "three parts, six products": partial(kernel, model, x, coarse=True, parts=3),
    }


def relative_errors(build: Callable[[], nn.Module], shape: Sequence[int], seed: int) -> dict[str, float]:
    """Compare every way with float64 at the same weights: ``|K - K64|_F / |K64|_F``."""
    torch.manual_seed(seed)
    model, x = build(), torch.randn(shape)
    kernels = {name: way().double() for name, way in ways(model, x).items()}
    exact = kernel(model.double(), x.double())
    return {name: ((theta - exact).norm() / exact.norm()).item() for name, theta in kernels.items()}


def run_row(name: str, rounds: int) -> dict[str, Any]:
    """Measure one network: the largest error over seeds, and seconds of one thread as PyTorch computes."""
    build, shape = networks()[name]
    by_seed = [relative_errors(build, shape, seed) for seed in SEEDS]
    torch.manual_seed(SEEDS[0])
    timed = dict(list(ways(build(), torch.randn(shape)).items())[:2])
    seconds = interleaved(timed, rounds)
    errors = {way: max(errors[way] for errors in by_seed) for way in by_seed[0]}
    return {"name": name, "errors": errors, "seconds": seconds}


def line(row: Mapping[str, Any]) -> str:
    """Write a row: errors, and how many times as fast bfloat16 products are."""
    float32, coarse = row["seconds"].values()
    cells = [f"{way}: {error:.0e}" for way, error in row["errors"].items()]
    return "\n  ".join([f"{row['name']}: {1e3 * float32:.1f} ms, {float32 / coarse:.2f} x as fast", *cells])


def main(words: list[str] | None = None) -> None:
    """Print all rows and, if a file is named, write a record."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.precision", description=__doc__)
    parser.add_argument("--json", type=Path, help="file for the record")
    parser.add_argument("--rounds", type=int, default=15, help="timed rounds")
    chosen = parser.parse_args(words)
    start, rows = time.perf_counter(), []
    for name in networks():
        rows.append(run_row(name, chosen.rounds))
        print(line(rows[-1]), flush=True)
    if chosen.json:
        state = {**snapshot(), "seconds": round(time.perf_counter() - start, 1)}
        amx = torch.cpu.get_capabilities().get("amx_bf16", False)
        write_json(chosen.json, {"rows": rows, "provenance": {**state, "amx": bool(amx)}})
        if results_root() in chosen.json.absolute().parents:
            renew_manifest(chosen.json)


if __name__ == "__main__":
    main()
