"""Ranges of settings, which scikit-learn checks when an estimator is fitted."""

from math import inf
from numbers import Integral, Real
from typing import Any

from ntkd_lib.imports import extra

with extra("koopman"):
    from sklearn.utils._param_validation import Interval

Setting = Any  # of an estimator: checked when it is fitted and not before, as scikit-learn asks
Table = Any  # arrays, lists, memory maps, data frames: what scikit-learn's own validation takes

COUNT = Interval(Integral, 1, None, closed="left")
RIDGE = Interval(Real, 0, inf, closed="left")
POSITIVE = Interval(Real, 0, inf, closed="neither")
