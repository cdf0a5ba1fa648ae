"""Run all benchmarks: ``python -m benchmarks``."""

from benchmarks import entk, kernels, koopman, training_step

for benchmark in (kernels, training_step, koopman):
    benchmark.main()

entk.main(["--quick"])
