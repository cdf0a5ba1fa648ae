"""The distilled tangent kernel: its three stages, streamed and selected alternatives, and a cost ledger."""

from ntkd_lib.imports import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
