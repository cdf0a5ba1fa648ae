"""Networks: digital teachers and the digital back ends of hybrid students."""

from ntkd_lib.imports import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, __file__)
