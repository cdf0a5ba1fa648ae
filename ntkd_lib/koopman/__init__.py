"""Koopman students: a fixed nonlinear lift of PCA scores, then one linear map, fitted in several ways."""

from ntkd_lib.imports import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
