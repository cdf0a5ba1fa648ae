"""Two views of each drawn car instead of eight, for tests that train on drawings."""

from contextlib import contextmanager

import pytest

from ntkd_lib.data import registry, standins
from ntkd_lib.data.cars import draw_cars


@contextmanager
def few_drawings(cache):
    """Hide the user's own photographs: what runs here runs on 60 drawings of 30 cars."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("NTKD_DATA", raising=False)
        patch.setenv("NTKD_CACHE", str(cache))
        patch.setitem(standins._MAKERS, "drawn-cars", lambda: draw_cars(views=2))
        _forget()
        yield
    _forget()


def _forget():
    registry._locate.cache_clear()
    standins.standin.cache_clear()
