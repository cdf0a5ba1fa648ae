"""The graph of a kernel in blocks: chunks of samples, and a task for each pair of chunks."""

from collections.abc import Iterator
from itertools import product

import numpy as np
from jaxtyping import Shaped

Samples = Shaped[np.ndarray, "_ ..."]


def kernel_graph(
    name: str, task: tuple, left: list[Samples], right: list[Samples] | None, leading: tuple[int, ...] = ()
) -> Iterator[tuple[tuple, object]]:
    """Build the task graph of a kernel.

    Each chunk of samples is one node, so that it travels once. Of an own kernel only blocks on and above the
    diagonal are computed, those below are their transposes.
    """
    for side, chunks in (("x1", left), ("x2", right or [])):
        yield from (((f"{side}-{name}", i), chunk) for i, chunk in enumerate(chunks))
    for i, j in product(range(len(left)), range(len(left if right is None else right))):
        place = (name, *leading, i, j)
        if right is not None:
            yield place, (*task, (f"x1-{name}", i), (f"x2-{name}", j))
        elif i == j:
            yield place, (*task, (f"x1-{name}", i))
        elif i < j:
            yield place, (*task, (f"x1-{name}", i), (f"x1-{name}", j))
        else:
            yield place, (mirror, (name, *leading, j, i))


def mirror(block: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    """Transpose a block to the other side of the diagonal."""
    return np.swapaxes(block, -1, -2)


def chunks_of(samples: Samples, side: int) -> list[Samples]:
    """Cut samples into chunks."""
    return [samples[i : i + side] for i in range(0, len(samples), side)]
