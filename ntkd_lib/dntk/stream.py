"""The streamed tangent kernel: regression and subspaces from one pass of sketched gradients.

Memory is independent of the number of samples: no kernel, no Jacobian and no list of features is stored.
"""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.ntk.regression import EPS


class StreamedRegression:
    """Ridge regression on sketched per-class features, from their second moments alone.

    ``w_c = (G_c + ridge t_c I)^-1 b_c`` with ``G_c = sum_x phi_c(x) phi_c(x)'``, ``b_c = sum_x phi_c(x) y_c``
    and the mean diagonal ``t_c = tr(G_c) / n``: what regression with the kernels ``phi_c phi_c'`` gives,
    in ``O(n k^2)`` operations and ``O(c k^2)`` memory.

    >>> stream = StreamedRegression(classes=1, size=1)
    >>> for part in (torch.ones(2, 1, 1), torch.ones(3, 1, 1)):
    ...     stream.add(part, 2 * part)
    >>> stream.solve([0.0]).item(), stream.count
    (2.0, 5)
    """

    def __init__(self, classes: int, size: int, device: torch.device | str = "cpu") -> None:
        self.moments = torch.zeros(classes, size, size, dtype=torch.float64, device=device)
        self.products: Tensor | None = None
        self.count = 0

    def add(self, features: Float[Tensor, "n c k"], targets: Float[Tensor, "n c q"]) -> None:
        """Add the moments of some samples."""
        columns = features.transpose(0, 1).double()
        self.moments = torch.baddbmm(self.moments, columns.mT, columns)  # `+=` would broadcast one class
        products = columns.mT @ targets.transpose(0, 1).double()
        self.products = products if self.products is None else self.products + products
        self.count += len(features)

    def solve(self, ridges: Iterable[float]) -> Float[Tensor, "c k q"]:
        """Solve for the weights, with the ridge of each target as a share of the mean diagonals.

        Raises:
            ValueError: Before any sample came, another number of ridges than of targets, or too small ones.
        """
        if self.products is None:
            raise ValueError("solve: got no sample yet, needs at least one batch")
        ridges, count = list(ridges), self.products.shape[2]
        if len(ridges) != count:
            raise ValueError(f"ridges: got {len(ridges)}, allowed: {count}, one per target")
        scale = self.moments.diagonal(dim1=1, dim2=2).sum(1) / self.count
        eye, columns = torch.eye(self.moments.shape[1]).to(self.moments), []
        for ridge, products in zip(ridges, self.products.unbind(2), strict=True):
            damped = self.moments + (ridge * scale)[:, None, None] * eye
            factors, places, _ = torch.linalg.lu_factor_ex(damped)
            pivots = factors.diagonal(dim1=1, dim2=2).abs()
            if not (ridge >= 0 and (pivots.amin(1) > len(eye) * EPS * pivots.amax(1)).all()):
                came = f"{ridge:g}, which leaves the moments singular"
                raise ValueError(f"ridges: got {came}; needs a larger one")
            columns.append(torch.linalg.lu_solve(factors, places, products[:, :, None]))
        return torch.cat(columns, 2)


class FrequentDirections:
    """The leading subspace of a stream of rows, in memory of ``2 l`` rows, with a bound that always holds.

    ``0 <= A'A - B'B <= |A - A_r|_F^2 / (l - r)`` for every rank ``r < l``, in the Loewner order, where ``A``
    holds all rows, ``A_r`` is its best approximation of rank ``r`` and ``B`` the ``l`` rows that are kept.

    Source: Liberty (2013); Ghashami, Liberty, Phillips, Woodruff (2016), Theorem 1.1.
    """

    def __init__(self, rows: int, size: int, device: torch.device | str = "cpu") -> None:
        self.rows = rows
        self.buffer = torch.zeros(2 * rows, size, dtype=torch.float64, device=device)
        self.filled = 0

    def add(self, rows: Float[Tensor, "n k"]) -> None:
        """Add some rows."""
        for part in rows.double().split(self.rows):
            if self.filled + len(part) > len(self.buffer):
                self._shrink()
            self.buffer[self.filled : self.filled + len(part)] = part
            self.filled += len(part)

    def sketch(self) -> Float[Tensor, "l k"]:
        """Return the sketch's rows."""
        self._shrink()
        return self.buffer[: self.rows].clone()

    def _shrink(self) -> None:
        _, values, right = torch.linalg.svd(self.buffer[: self.filled], full_matrices=False)
        if len(values) > self.rows:
            values = (values.square() - values[self.rows].square()).clamp(min=0).sqrt()
        count = min(self.rows, len(values))
        self.buffer.zero_()
        self.buffer[:count] = values[:count, None] * right[:count]
        self.filled = count


def spectral_error(exact: Float[Tensor, "c m m"], approximate: Float[Tensor, "c m m"], ridge: float) -> float:
    """Compute the error of an approximate kernel: its largest eigenvalue over the ridge.

    ``max_c |theta_c - theta'_c|_2 / (ridge t_c)`` with the mean diagonal ``t_c``. Below 1 the errors drown
    in the ridge, whatever the targets are; above it the approximation is not certified, though it may work.

    Args:
        ridge: Ridge as a share of the mean diagonal.
    """
    errors = torch.linalg.matrix_norm((exact - approximate).double(), ord=2)
    floors = ridge * exact.diagonal(dim1=1, dim2=2).double().mean(1)
    return (errors / floors).max().item()
