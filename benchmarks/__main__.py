"""Run all benchmarks: ``python -m benchmarks``."""

from benchmarks import entk, kernels, training_step

for benchmark in (kernels, training_step):
    benchmark.main()

entk.main(["--quick"])
