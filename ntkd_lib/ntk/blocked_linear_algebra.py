"""Eigenpairs and ridge regression of kernels that are read block by block."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy.sparse.linalg import LinearOperator, cg

from ntkd_lib.imports import extra

with extra("cluster"):
    import dask.array as da

Eigenpairs = tuple[Float[np.ndarray, " r"], Float[np.ndarray, "n r"]]


def randomised_svd(
    array: da.Array, rank: int, *, oversampling: int = 10, power_iterations: int = 2, seed: int
) -> Eigenpairs:
    """Compute the leading eigenpairs ``Theta ~ V diag(values) V'`` of a tangent kernel.

    A tangent kernel is positive semi-definite, so that its singular values are its eigenvalues. The kernel
    is read ``2 power_iterations + 2`` times and is at no time in memory; a kernel that is not on disk is
    computed anew each time.

    Source: Halko, Martinsson and Tropp (2011), by ``dask.array.linalg.svd_compressed`` with an
    orthonormal basis in each iteration, as small eigenvalues would drown beside large ones.

    Args:
        oversampling: Random directions beyond the rank.
        power_iterations: Passes by which the basis is improved.

    Raises:
        ValueError: Not a square matrix, or a rank that it does not have.
    """
    _check_square(array)
    if not 1 <= rank <= len(array):
        raise ValueError(f"rank: got {rank}, allowed are 1 to {len(array)}")
    form = {"n_power_iter": power_iterations, "n_oversamples": oversampling, "seed": seed}
    whole = array.astype(np.float64)
    _, values, vectors = da.linalg.svd_compressed(whole, rank, iterator="QR", compute=True, **form)
    values, vectors = da.compute(values, vectors)
    return values, vectors.T


def ridge_solve(
    array: da.Array,
    targets: Float[np.ndarray, "n ..."],
    ridge: float,
    *,
    tolerance: float = 1e-6,
    passes: int = 1000,
    eigenpairs: Eigenpairs | None = None,
) -> Float[np.ndarray, "n ..."]:
    """Solve ``(Theta + ridge I) A = Y`` by conjugate gradients in float64, all columns in one run.

    One pass over the blocks an iteration, and no second matrix: a Cholesky factor would be as large as the
    kernel, and its tasks wait for each other. The iterations grow with the root of
    ``values[0] / ridge``; with ``r`` leading eigenpairs as a preconditioner, of ``values[r] / ridge``.

    Source: Hestenes and Stiefel (1952); preconditioner of Frangella, Tropp and Udell (2021), Eq. 1.3.

    Args:
        array: Own kernel, ``(n, n)``, best on disk.
        targets: Right-hand sides ``Y``.
        ridge: Ridge, above 0.
        tolerance: Norm of the residual, relative to the norm of the targets.
        passes: Iterations at most.
        eigenpairs: Leading eigenpairs from `randomised_svd`.

    Raises:
        ValueError: Shapes that do not fit, or a ridge that is not positive.
        RuntimeError: A tolerance that was not met.
    """
    _check_square(array)
    targets = np.asarray(targets, np.float64)
    if len(targets) != len(array):
        raise ValueError(f"targets: got {len(targets)} rows, the kernel has {len(array)}")
    if not ridge > 0:
        raise ValueError(f"ridge: got {ridge}, needs to be above 0")
    shape, count = targets.shape, targets.size
    operator = _on_columns(lambda x: _product(array, x) + ridge * x, len(array), count)
    nearly = None if eigenpairs is None else _preconditioner(*eigenpairs, ridge)
    first = nearly and _on_columns(nearly, len(array), count)
    right = targets.ravel()
    solution, unmet = cg(operator, right, rtol=tolerance, maxiter=passes, M=first)
    missed, size = np.linalg.norm(operator @ solution - right), np.linalg.norm(right)
    if unmet or missed > 2 * tolerance * size:  # the iteration's own residual parts from the true one
        came = f"residual {missed / size:.1e} after {unmet or 'all'} passes, wanted {tolerance:g}"
        raise RuntimeError(f"ridge_solve: {came}; raise the ridge, or give more eigenpairs")
    return solution.reshape(shape)


def _check_square(array: da.Array) -> None:
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise ValueError(f"array: got shape {array.shape}, needs a square matrix, such as one class's kernel")


def _on_columns(function: Callable[[np.ndarray], np.ndarray], rows: int, count: int) -> LinearOperator:
    """Apply a function of ``(n, k)`` to all columns of a flattened matrix at once."""
    return LinearOperator(
        (count, count), matvec=lambda flat: function(flat.reshape(rows, -1)).ravel(), dtype=np.float64
    )


def _product(array: da.Array, columns: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    return (array @ da.from_array(columns, chunks=(array.chunks[1], -1))).compute()


def _preconditioner(
    values: Float[np.ndarray, " r"], vectors: Float[np.ndarray, "n r"], ridge: float
) -> Callable[[np.ndarray], np.ndarray]:
    """Build ``x -> x + V ((v_r + ridge) / (v + ridge) - 1) V' x``, which flattens the leading eigenvalues."""
    shrunk = (values[-1] + ridge) / (values + ridge) - 1
    return lambda x: x + vectors @ (shrunk[:, None] * (vectors.T @ x))
