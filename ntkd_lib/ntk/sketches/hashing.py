"""Random numbers as a function of a seed, a name and a place, recomputed instead of stored."""

from hashlib import blake2b

import torch
from jaxtyping import Int, Int8
from torch import Tensor


def key_of(seed: int, *place: str | int) -> int:
    """Derive a key, equal in every process and on every machine."""
    digest = blake2b(repr((seed, *place)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def hashed(coordinates: Int[Tensor, "..."], key: int) -> Int[Tensor, "..."]:
    """Hash coordinates to 63 bits: SplitMix64 started at the key and advanced to each coordinate.

    Source: Steele, Lea and Flood (2014).
    """
    x = coordinates * _signed(0x9E3779B97F4A7C15) + key
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = _folded(x, shift).mul_(_signed(factor))
    return _folded(x, 31).bitwise_and_(2**63 - 1)


def signs(key: int, shape: tuple[int, ...]) -> Int8[Tensor, "..."]:
    """Draw independent signs, on the CPU, so that every device gets the same."""
    generator = torch.Generator().manual_seed(key)
    return torch.randint(0, 2, shape, generator=generator, dtype=torch.int8).mul_(2).sub_(1)


def _folded(x: Tensor, shift: int) -> Tensor:
    high = (x >> shift).bitwise_and_(2 ** (64 - shift) - 1)  # a shift that fills with zeros
    return x.bitwise_xor_(high)


def _signed(word: int) -> int:
    return word - 2**64 if word >= 2**63 else word
