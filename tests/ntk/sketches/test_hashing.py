"""Hashes and signs that take the place of stored random numbers."""

import torch

from ntkd_lib.ntk.sketches.hashing import hashed, key_of, signs


def slow_splitmix(state: int) -> int:
    mask = 2**64 - 1
    z = state & mask
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & mask
    return z ^ (z >> 31)


def test_hash_is_splitmix() -> None:
    places, key = torch.tensor([0, 1, 2, 77, 2**40]), key_of(3, "layer", 1)
    expected = [slow_splitmix(int(i) * 0x9E3779B97F4A7C15 + key) % 2**63 for i in places]
    assert hashed(places, key).tolist() == expected
    # the first number of the published generator from state 1234567 is 6457827717110365317
    advanced = torch.tensor([1])
    assert hashed(advanced, 1234567).item() == 6457827717110365317 % 2**63


def test_hash_is_even() -> None:
    bits = hashed(torch.arange(100_000), key_of(0, "a"))
    counts = torch.bincount((bits >> 1) % 10, minlength=10).double()
    assert ((counts - 1e4).abs() < 4 * (1e5 * 0.1 * 0.9) ** 0.5).all()
    assert abs((bits & 1).double().mean() - 0.5) < 4 * 0.5 / 1e5**0.5


def test_keys_differ_by_seed_and_place() -> None:
    assert len({key_of(seed, name, i) for seed in range(9) for name in "abc" for i in range(5)}) == 135
    assert key_of(0, "a", 1) == -2515183147749962199


def test_signs() -> None:
    drawn = signs(5, (300, 300))
    assert drawn.dtype == torch.int8
    assert drawn.unique().tolist() == [-1, 1]
    assert drawn.double().mean().abs() < 4 / 300
    assert torch.equal(drawn, signs(5, (300, 300)))
