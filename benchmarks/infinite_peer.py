"""Time neural-tangents on random colour images, by an interpreter that needs nothing of this project.

``python infinite_peer.py COUNT ROUNDS FILE`` prints seconds and writes the kernel. The library asks for older
releases of JAX and NumPy than this project has: ``pip install neural-tangents 'jax==0.4.30' 'numpy<2'``.
"""

import json
import os
import sys
import time

import numpy as np


def main(count: int, rounds: int, file: str) -> None:
    """Time the kernel after one run that compiles it."""
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    import jax
    from neural_tangents import stax

    spread = {"W_std": 2**0.5, "b_std": None}
    convolution = stax.Conv(1, (7, 7), padding="SAME", **spread)
    _, _, kernel = stax.serial(convolution, stax.Relu(), stax.Flatten(), stax.Dense(1, **spread))
    images = np.random.default_rng(0).integers(0, 256, (2 * count, 3, 32, 32)).astype(np.float32)
    left, right = np.split(images.transpose(0, 2, 3, 1), 2)
    compiled = jax.jit(lambda x1, x2: kernel(x1, x2, "ntk"))
    np.save(file, np.asarray(compiled(left, right)))
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        np.asarray(compiled(left, right))
        seconds.append(time.perf_counter() - start)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
