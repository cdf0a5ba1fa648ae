"""Seeds: derived from what they are for, and set everywhere at once."""

import os
import random

from ntkd_lib.lab.digest import digest_json


def derive_seed(*parts: object) -> int:
    """Turn plain data into a seed, the same in every process and on every machine.

    >>> derive_seed("mnist", "student", 3)
    1453270355
    """
    return int(digest_json(list(parts))[:16], 16) % 2**31


def deterministic(seed: int) -> None:
    """Seed `random`, NumPy and torch, and allow deterministic algorithms on one thread only."""
    # cuBLAS reads this when it starts, and gives other sums without it
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries draw from this state
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    torch.set_deterministic_debug_mode("error")  # use_deterministic_algorithms loads the compiler first: 2 s
    # torch would also fill fresh memory with NaN, which finds bugs and changes no result; 7 % of a small step
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.backends.cudnn.benchmark = False
