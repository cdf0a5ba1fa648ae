"""Run all benchmarks: ``python -m benchmarks``."""

from benchmarks import entk, kernels, koopman, spectral, training_step

for benchmark in (kernels, training_step, koopman, spectral):
    benchmark.main()

entk.main(["--quick"])
