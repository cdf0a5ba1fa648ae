"""Run all benchmarks: ``python -m benchmarks``."""

from benchmarks import dntk, entk, kernels, koopman, nint, spectral, training_step

for benchmark in (kernels, training_step, koopman, spectral, dntk, nint):
    benchmark.main()

entk.main(["--quick"])
