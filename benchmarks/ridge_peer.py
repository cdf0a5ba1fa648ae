"""Solve a ridge regression by rlaopt, by an interpreter that needs nothing of this project.

``python ridge_peer.py FOLDER RIDGE RANK TOLERANCE`` reads ``kernel.npy`` and ``targets.npy``, writes
``weights.npy``, and prints CPU seconds and passes over the kernel: one for the sketch of its preconditioner,
and one an iteration.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from rlaopt.linalg import LinSys, NystromConfig
from rlaopt.solvers import PCG, PCGConfig, PCGStoppingCriteria


def main(folder: Path, ridge: float, rank: int, tolerance: float) -> None:
    """Solve once on one thread."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    kernel, targets = (torch.from_numpy(np.load(folder / f"{name}.npy")) for name in ("kernel", "targets"))
    start = time.process_time()
    config = PCGConfig(preconditioner_config=NystromConfig(rank_init=rank, base_damping=ridge))
    solver = PCG(LinSys(kernel, targets, reg=ridge), config)
    result = solver.solve(stopping_criteria=PCGStoppingCriteria(max_iters=2000, tol=tolerance))
    seconds = time.process_time() - start
    np.save(folder / "weights.npy", result.solution.detach().numpy())
    print(json.dumps({"seconds": seconds, "passes": int(result.num_iters) + 1}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
