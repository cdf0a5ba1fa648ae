"""The distilled tangent kernel: its three stages, streamed and selected alternatives, and a cost ledger."""

from ntkd_lib.imports import lazy_exports

_HOMES = {
    "Cost": "ledger",
    "FrequentDirections": "stream",
    "GaussianProjection": "projection",
    "Ledger": "ledger",
    "StreamedRegression": "stream",
    "break_even": "ledger",
    "captured_energy": "energy",
    "cluster_centres": "selection",
    "distil_images": "matching",
    "effective_rank": "rank",
    "farthest_points": "selection",
    "fit_nystrom": "regression",
    "fit_per_class": "regression",
    "leading_eigenvectors": "gradients",
    "leverage_scores": "selection",
    "local_global": "gradients",
    "maximise_energy": "energy",
    "pivoted_cholesky": "selection",
    "predict_per_class": "regression",
    "reduce_kernel": "regression",
    "truncation_rank": "rank",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
