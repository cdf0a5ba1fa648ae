"""Run all benchmarks: ``python -m benchmarks``."""

from benchmarks import dntk, entk, kernels, training_step

for benchmark in (kernels, training_step, dntk):
    benchmark.main()

entk.main(["--quick"])
