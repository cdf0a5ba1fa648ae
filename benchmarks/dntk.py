"""The streamed kernel against torch.func Jacobians with random projections and ridge of scikit-learn."""

import numpy as np
import torch
from sklearn.kernel_ridge import KernelRidge
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection

from benchmarks.timing import interleaved, report
from ntkd_lib.dntk.stream import StreamedRegression
from ntkd_lib.nets.two_convolutions import compact_cnn
from ntkd_lib.ntk.contraction import jacobian
from ntkd_lib.ntk.sketches.kronecker import KroneckerSketch
from ntkd_lib.ntk.sketches.sparse import SparseSketch
from ntkd_lib.ntk.sketches.stream import sketched_features

SIZE = 256


def projection(n: int) -> None:
    """Time the projection of all per-class gradients of some images."""
    torch.manual_seed(0)
    model, images = compact_cnn().eval(), torch.rand(n, 1, 28, 28)
    peers = [make(SIZE, random_state=0) for make in (GaussianRandomProjection, SparseRandomProjection)]
    shape = np.zeros((1, sum(p.numel() for p in model.parameters())), np.float32)
    gaussian, sparse = (peer.fit(shape) for peer in peers)

    def rows() -> np.ndarray:
        return jacobian(model, images).detach().flatten(0, 1).numpy()

    ours = "ours, Kronecker"
    ways = {
        ours: lambda: sketched_features(model, images, KroneckerSketch(SIZE)),
        "ours, sparse": lambda: sketched_features(model, images, SparseSketch(SIZE)),
        "torch.func, sklearn GaussianRandomProjection": lambda: gaussian.transform(rows()),
        "torch.func, sklearn SparseRandomProjection": lambda: sparse.transform(rows()),
    }
    report(f"96,884 parameters, {SIZE} features a class, n = {n}", interleaved(ways, 3), ours)


def regression(n: int) -> None:
    """Time ridge regression on ready features of ten classes, whose mean squared length is their number."""
    generator, ridge = torch.Generator().manual_seed(0), 1e-3
    features = torch.randn(n, 10, SIZE, generator=generator)
    targets = torch.randn(n, 10, 1, generator=generator)

    def streamed() -> None:
        fit = StreamedRegression(10, SIZE)
        fit.add(features, targets)
        fit.solve([ridge])

    def dual() -> None:
        for c in range(10):
            KernelRidge(alpha=ridge * SIZE).fit(features[:, c].numpy(), targets[:, c].numpy())

    ways = {"ours, streamed": streamed, "sklearn KernelRidge": dual}
    report(f"regression on {SIZE} features, ten classes, n = {n}", interleaved(ways, 3), "ours, streamed")


def main() -> None:
    """Print all tables."""
    projection(32)
    regression(2000)


if __name__ == "__main__":
    main()
