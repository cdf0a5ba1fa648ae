"""Run all benchmarks: ``python -m benchmarks``."""

from benchmarks import entk, kernels, spectral, training_step

for benchmark in (kernels, training_step, spectral):
    benchmark.main()

entk.main(["--quick"])
