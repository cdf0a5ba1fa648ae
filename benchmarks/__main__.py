"""Run all benchmarks: ``python -m benchmarks``."""

from benchmarks import (
    dntk,
    entk,
    infinite,
    kernels,
    koopman,
    masks,
    nint,
    optics,
    probe,
    ridge,
    spectral,
    teacher_step,
    training_step,
)

for benchmark in (
    kernels,
    infinite,
    training_step,
    teacher_step,
    masks,
    koopman,
    spectral,
    dntk,
    nint,
    optics,
    probe,
    ridge,
):
    benchmark.main()

entk.main(["--quick"])
