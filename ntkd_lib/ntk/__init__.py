"""Empirical tangent kernels: exact, matrix-free, blocked and sketched; infinite width; regression on them."""

from ntkd_lib.imports import lazy_exports

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
__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
