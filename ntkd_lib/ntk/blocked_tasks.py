"""One block of a kernel as a task: on one thread, bit-identical on every worker."""

import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from ntkd_lib.imports import extra

with extra("cluster"):
    import cloudpickle

from ntkd_lib.lab.memory import keep_freed_memory
from ntkd_lib.lab.worker import torch_on_one_thread
from ntkd_lib.ntk.assembly import tiled_kernel
from ntkd_lib.ntk.factors import Factor
from ntkd_lib.ntk.functional import plain_operations
from ntkd_lib.ntk.kinds import Kind, finish
from ntkd_lib.ntk.layout import make_plan, two_samples
from ntkd_lib.ntk.tiles import METHODS, TileData, Tiles

# Samples that pass through the network at a time: a backward pass for every class holds far more than is
# kept of a sample. With the colour student 8 take 3.0 ms a sample and 64 take 7.1, most of it to fetch fresh
# memory; LeNet pays 0.3 ms for it.
PIECE = 8


@dataclass(frozen=True)
class BlockSettings:
    """Settings of the computation of a block."""

    kind: Kind
    method: str
    tile: int  # samples whose factors fit into memory beside those of as many others


class PassingTiles:
    """A method that runs few samples at a time through the network and stores the factors of all."""

    def __init__(self, tiles: Tiles) -> None:
        """Wrap a method, whose selecting and pairing stay the same."""
        self.tiles, self.rows, self.pair = tiles, tiles.rows, tiles.pair

    def keep(self, inputs: Shaped[Tensor, "n ..."]) -> TileData:
        """Compute what the kernel needs of some samples, written into place piece by piece."""
        whole = None
        for start in range(0, len(inputs), PIECE):
            part = self.tiles.keep(inputs[start : start + PIECE])
            whole = _room(part, len(inputs)) if whole is None else whole
            _write(part, whole, start)
        return whole


def compute_block(
    packed: bytes,
    settings: BlockSettings,
    left: Shaped[np.ndarray, "n ..."],
    right: Shaped[np.ndarray, "m ..."] | None = None,
) -> Shaped[np.ndarray, "..."]:
    """Compute the kernel between two chunks of samples on one thread."""
    keep_freed_memory()
    with _alone(settings.method), plain_operations(), torch_on_one_thread(), torch.no_grad():
        model = cloudpickle.loads(packed)
        x1 = _tensor(left, model)
        tiles = PassingTiles(
            METHODS[settings.method](model, settings.kind, make_plan(model, two_samples(x1)))
        )
        tile = (
            settings.tile if settings.tile < max(len(left), len(left if right is None else right)) else None
        )
        x2 = None if right is None else _tensor(right, model)
        kernel = tiled_kernel(tiles, settings.kind, x1, x2, tile)
    return laid_out(finish(kernel, settings.kind), settings.kind)


def laid_out(kernel: Shaped[Tensor, "..."], kind: Kind) -> Shaped[np.ndarray, "..."]:
    """Rearrange a kernel with its data axes last; ``full`` as ``(n c, m c)``, grouped by sample."""
    if kind == "full":
        n, m, c, _ = kernel.shape
        kernel = kernel.permute(0, 2, 1, 3).reshape(n * c, m * c)
    return kernel.cpu().numpy()


def _tensor(chunk: np.ndarray, model: nn.Module) -> Tensor:
    # torch.tensor copies into memory aligned by torch, on which the order of sums may depend
    return torch.tensor(chunk, device=next(model.parameters()).device)


def _room(part: TileData, count: int) -> TileData:
    if isinstance(part, Tensor):
        return part.new_empty((count, *part.shape[1:]))
    return {
        key: replace(factor, **{name: _room(value, count) for name, value in _tensors(factor)})
        for key, factor in part.items()
    }


def _write(part: TileData, whole: TileData, start: int) -> None:
    if isinstance(part, Tensor):
        whole[start : start + len(part)] = part
        return
    for key, factor in part.items():
        for name, value in _tensors(factor):
            _write(value, getattr(whole[key], name), start)


def _tensors(factor: Factor) -> list[tuple[str, Tensor]]:
    values = [(field.name, getattr(factor, field.name)) for field in fields(factor)]
    return [(name, value) for name, value in values if isinstance(value, Tensor)]


def _alone(method: str) -> AbstractContextManager:
    """Lock torch's forward mode, whose level is global to the process, to one thread at a time."""
    return _FORWARD_MODE if method == "products" else nullcontext()


_FORWARD_MODE = threading.Lock()
