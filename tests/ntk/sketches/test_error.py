"""Measured errors of features."""

import pytest
import torch

from ntkd_lib.ntk.contraction import jacobian
from ntkd_lib.ntk.kinds import KINDS
from ntkd_lib.ntk.sketches.jvp_features import jvp_features
from ntkd_lib.ntk.sketches.stream import sketch_error
from tests.ntk.sketches.draws import gram, small_setting


@pytest.mark.parametrize("kind", KINDS)
def test_jacobians_have_no_error_and_nothing_has_all_of_it(kind: str) -> None:
    model, x, _ = small_setting(6)
    exact = jacobian(model, x).detach()
    error = sketch_error(model, x, exact, kind=kind)
    assert error.frobenius < 1e-12
    assert error.largest < 1e-12
    nothing = sketch_error(model, x, 0 * exact, kind=kind)
    assert (nothing.frobenius, nothing.largest) == (1, 1)


def test_errors_of_all_samples() -> None:
    model, x, exact = small_setting(5)
    features = jvp_features(model, x, 9).detach()
    rest = gram(features) - exact
    error = sketch_error(model, x, features)
    assert error.frobenius == pytest.approx((rest.norm() / exact.norm()).item())
    assert error.largest == pytest.approx((rest.abs().max() / exact.abs().max()).item())
    assert error.samples == 5


def test_subset_is_drawn_by_seed() -> None:
    model, x, _ = small_setting(12)
    features = jvp_features(model, x, 9).detach()
    first, again, other = (sketch_error(model, x, features, subset=4, seed=s) for s in (0, 0, 1))
    assert first == again != other
    assert first.samples == 4


def test_refusals_name_what_came() -> None:
    model, x, _ = small_setting()
    features = torch.zeros(2, 2, 5)
    with pytest.raises(ValueError, match="features: got 2 rows for 3 samples, needs one a sample"):
        sketch_error(model, x, features)
    with pytest.raises(ValueError, match="subset: got 0, needs at least 1 sample"):
        sketch_error(model, x[:2], features, subset=0)
