"""A preconditioner of conjugate gradients: an approximate inverse of the second derivative by class."""

import numpy as np
import scipy.linalg
import torch
from jaxtyping import Float
from scipy.linalg.blas import get_blas_funcs
from torch import Tensor

from ntkd_lib.koopman.lifted import BLOCK, LiftedInputs

# a Gram matrix is formed from the inputs that carry most of the curvature: few functions can afford more
ROWS, ENTRIES = 4096, 7_000_000
MEMORY = 512 * 2**20  # bytes that the factors of all classes may take; beyond, one serves them all


class Preconditioner:
    r"""Solve with the diagonal blocks of the second derivative, one per class.

    $$H_k = \sum_i w_{ik} \psi_i \psi_i^\top + \lambda R$$

    Adding the same vector to the weights of every class leaves all probabilities as they are. The blocks do
    not know that, so the mean over classes is taken out before and after.

    Args:
        factors: Lower Cholesky factors of the blocks; one alone serves every class.
    """

    def __init__(self, factors: Float[Tensor, "k m m"]) -> None:
        self.factors = factors

    @property
    def by_class(self) -> bool:
        """Whether every class has a block of its own."""
        return len(self.factors) > 1

    def solve(self, residual: Float[Tensor, "c m"]) -> Float[Tensor, "c m"]:
        """Apply the approximate inverse, in float64; the solution is zero in the mean over classes."""
        centred = (residual - residual.mean(0)).to(self.factors.dtype)
        columns = centred[:, :, None] if self.by_class else centred.T[None]
        half = torch.linalg.solve_triangular(self.factors, columns, upper=False)
        solved = torch.linalg.solve_triangular(self.factors.mT, half, upper=True)
        solution = (solved[:, :, 0] if self.by_class else solved[0].T).double()
        return solution - solution.mean(0)


def class_blocks(
    lifted: LiftedInputs, weights: Float[Tensor, "c n"], ridge: Float[Tensor, "m m"], *, by_class: bool
) -> Preconditioner:
    """Factorise the diagonal blocks of the second derivative, in the precision of the functions.

    Args:
        weights: Curvature of each input for each class.
        ridge: Second derivative of the ridge term.
        by_class: Whether each class gets a block of its own, if memory allows; else the mean of all.
    """
    m, size = lifted.dictionary.count, lifted.scores.element_size()
    if not by_class or len(weights) * m * m * size > MEMORY:
        weights = weights.mean(0, keepdim=True)
    factors = [_factor(_gram(lifted, row), ridge) for row in weights]
    return Preconditioner(torch.stack(factors))


def price(lifted: LiftedInputs) -> float:
    """Estimate the cost of blocks for all classes, in products with the curvature.

    A block of r inputs takes about ``r m^2 + m^3`` operations, a product ``4 n m`` a class, and those of a
    block run about two and a half times as fast.
    """
    m, n = lifted.dictionary.count, len(lifted)
    return (_rows(m, n) * m + m * m) / (10 * n)


def _rows(m: int, n: int) -> int:
    return min(max(ROWS, ENTRIES // m), n)


def _gram(lifted: LiftedInputs, weights: Float[Tensor, " n"]) -> Float[np.ndarray, "m m"]:
    """Estimate the mean of ``w psi psi'`` from the heaviest inputs, scaled up to the weight of all."""
    m = lifted.dictionary.count
    heaviest = weights.topk(_rows(m, len(weights)))
    scores, roots = lifted.scores[heaviest.indices], heaviest.values.sqrt()
    gram = np.zeros((m, m), scores.numpy().dtype, order="F")
    (add,) = get_blas_funcs(("syrk",), (gram,))
    for part, root in zip(scores.split(BLOCK), roots.split(BLOCK), strict=True):
        functions = (lifted.dictionary.lift(part) * root).numpy().T
        gram = add(1.0, functions, beta=1.0, c=gram, trans=1, overwrite_c=1)
    share = heaviest.values.double().sum() / weights.double().sum().clamp(min=1e-300)
    gram *= float(1 / share.clamp(min=1e-30)) / len(weights)
    return gram


def _factor(upper: Float[np.ndarray, "m m"], ridge: Float[Tensor, "m m"]) -> Float[Tensor, "m m"]:
    """Compute the lower Cholesky factor, with a diagonal shift against rounding."""
    matrix = upper + ridge.numpy().astype(upper.dtype)
    (factorise,) = scipy.linalg.get_lapack_funcs(("potrf",), (matrix,))
    mean = max(float(matrix.diagonal().mean()), 1e-30)
    for shift in 10.0 ** np.arange(-7, 1):
        matrix[np.diag_indices_from(matrix)] += shift * mean
        factor, failed = factorise(matrix, lower=0, clean=1)
        if not failed:
            return torch.from_numpy(factor.T)
    return torch.from_numpy(np.diag(np.sqrt(matrix.diagonal())))
