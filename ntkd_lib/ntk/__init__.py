"""Empirical tangent kernels: exact, matrix-free, blocked and sketched; infinite width; regression on them.

The public names load with their modules on first use, so that importing one of them loads no other.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "KroneckerSketch": "sketches.kronecker",
    "LandmarkKernel": "landmarks",
    "NTKOperator": "operator",
    "SparseSketch": "sketches.sparse",
    "blocked_flattened_ntk": "infinite.blocked",
    "blocked_ntk": "blocked",
    "choose_ridge": "regression",
    "convolutional_kernels": "infinite.convolutional",
    "dense_kernels": "infinite.dense",
    "empirical_ntk": "empirical",
    "fit_ridge": "regression",
    "flattened_ntk": "infinite.flattened",
    "jvp_features": "sketches.jvp_features",
    "randomised_svd": "blocked_linear_algebra",
    "ridge_solve": "blocked_linear_algebra",
    "save_blocks": "blocked_store",
    "sketch_error": "sketches.error",
    "sketched_features": "sketches.stream",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Load the module of a public name."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
