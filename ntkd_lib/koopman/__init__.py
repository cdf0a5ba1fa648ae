"""Koopman students: a fixed nonlinear lift of PCA scores, then one linear map, fitted in several ways."""

from ntkd_lib.imports import lazy_exports

_HOMES = {
    "Dictionary": "dictionaries",
    "DistillationLoss": "loss",
    "EDMDSurrogate": "edmd",
    "KoopmanClassifier": "classifier",
    "Monomials": "dictionaries",
    "NormalEquations": "least_squares",
    "Optimum": "newton",
    "Problem": "problem",
    "RadialFunctions": "dictionaries",
    "certify": "newton",
    "exported": "export",
    "minimise": "newton",
    "missing": "hardware",
    "noisy": "hardware",
    "normal_equations": "least_squares",
    "npz_logits": "export",
    "quantise": "hardware",
    "radial_functions": "dictionaries",
    "read_out": "edmd",
    "save_npz": "export",
    "to_onnx": "export",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
