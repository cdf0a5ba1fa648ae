"""The ground: atomic files, digests, cells and their store, provenance, parameters and claims."""

from ntkd_lib.imports import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
