"""Decode idx files, CIFAR batches and pickled arrays without trusting them."""

import io
import math
import pickle
from typing import Any

import numpy as np
from jaxtyping import UInt8

from ntkd_lib.data.settings import DataError

_RECONSTRUCT = np.empty(0).__reduce__()[0]
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


def parse_idx(data: UInt8[np.ndarray, " size"], name: str) -> UInt8[np.ndarray, "..."]:
    """Decode an idx file of unsigned bytes, of rank 1 (labels) or 3 (images).

    The header is `0, 0, 8, rank` and `rank` big-endian 32-bit sizes.
    """
    rank = int(data[3]) if data.size >= 4 else 0
    start = 4 + 4 * rank
    if rank not in (1, 3) or data[:3].tolist() != [0, 0, 8] or data.size < start:
        raise DataError(f"{name} is not an idx file of unsigned bytes")
    shape = [int(size) for size in np.frombuffer(data[4:start].tobytes(), ">u4")]
    if data.size - start != math.prod(shape):
        raise DataError(f"{name} holds {data.size - start} values, its header says {math.prod(shape)}")
    return data[start:].reshape(shape)


class _ArrayUnpickler(pickle.Unpickler):
    """Rebuild plain containers and NumPy arrays, and refuse everything else."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) not in _ALLOWED:
            raise DataError(f"it asks for {module_name}.{global_name}; only NumPy arrays are allowed")
        return _ALLOWED[module_name, global_name]


def unpickle_arrays(data: bytes, name: str) -> Any:
    """Rebuild plain containers of NumPy arrays; check the hash of the bytes before."""
    try:
        return _ArrayUnpickler(io.BytesIO(data), encoding="latin1").load()
    except Exception as error:  # a broken pickle can raise anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{name} cannot be unpickled: {reason}") from None


def parse_batch(data: bytes, name: str) -> tuple[UInt8[np.ndarray, "n 3 32 32"], UInt8[np.ndarray, " n"]]:
    """Decode one pickled CIFAR-10 batch; check the hash of the bytes before."""
    batch = unpickle_arrays(data, name)
    pixels = batch.get("data") if isinstance(batch, dict) else None
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (3072,):
        raise DataError(f"{name} is not a CIFAR batch: data must be uint8 (n, 3072)")
    labels = batch.get("labels")
    if not isinstance(labels, list) or len(labels) != len(pixels) or any(x not in range(10) for x in labels):
        raise DataError(f"{name} is not a CIFAR batch: labels must be {len(pixels)} integers from 0 to 9")
    return pixels.reshape(-1, 3, 32, 32), np.array(labels, dtype=np.uint8)
