"""Run all benchmarks: ``python -m benchmarks``."""

from benchmarks import kernels, training_step

for benchmark in (kernels, training_step):
    benchmark.main()
