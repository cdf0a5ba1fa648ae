"""Figures and claim tables: style, publishing, and one drawing module a notebook."""

from ntkd_lib.imports import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
