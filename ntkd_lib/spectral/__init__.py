"""Spectral students, their certificates, and a test of overfitting."""

from ntkd_lib.imports import lazy_exports

_HOMES = {
    "GaussianKernel": "kernels",
    "SpectralReport": "report",
    "SpectralStudent": "student",
    "SpectralStudentClassifier": "student",
    "TangentKernel": "kernels",
    "choose_ridge": "shrinkage",
    "clopper_pearson": "certificates",
    "eigenbasis": "basis",
    "empirical_bernstein": "certificates",
    "estimated_optimism": "optimism",
    "gaussian_kernels": "kernels",
    "gcv_scores": "shrinkage",
    "generalised_degrees": "optimism",
    "hoeffding": "certificates",
    "low_rank_basis": "low_rank",
    "noise_floor": "certificates",
    "parseval_tail": "certificates",
    "relevant_dimension": "modes",
    "spectral_report": "report",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
