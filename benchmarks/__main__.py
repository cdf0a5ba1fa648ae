"""Run all benchmarks: ``python -m benchmarks``."""

from benchmarks import entk, kernels, nint, training_step

for benchmark in (kernels, training_step):
    benchmark.main()

entk.main(["--quick"])
nint.main(["--points", "16384", "--side", "256"])
