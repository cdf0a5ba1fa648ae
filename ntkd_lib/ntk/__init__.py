"""Empirical tangent kernels: exact, matrix-free, blocked and sketched; infinite width; regression on them."""

from ntkd_lib.imports import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
