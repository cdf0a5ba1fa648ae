"""Coordinate networks trained on chosen points: scores, samplers, clock, metrics."""

from ntkd_lib.imports import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
