"""Least squares and EDMD: direct pseudo-inverses, exact linear systems, and what EDMD reduces to."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.preprocessing import PolynomialFeatures

from ntkd_lib.koopman.dictionaries import Monomials
from ntkd_lib.koopman.edmd import EDMDSurrogate, read_out
from ntkd_lib.koopman.least_squares import normal_equations
from ntkd_lib.koopman.lifted import LiftedInputs, fit_principal

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(400, 6)) * np.array([3, 2, 1.5, 1, 0.7, 0.5])
H = np.maximum(X @ GENERATOR.normal(size=(6, 8)), 0)
WEIGHT, BIAS = GENERATOR.normal(size=(3, 8)), GENERATOR.normal(size=3)


def lifted_by_scikit_learn(surrogate: EDMDSurrogate) -> np.ndarray:
    return PolynomialFeatures(surrogate.degree).fit_transform(surrogate.input_map_.scores(X))


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_edmd_is_a_direct_pseudo_inverse(degree: int) -> None:
    surrogate = EDMDSurrogate(degree=degree, n_components=4).fit(X, H)
    functions = lifted_by_scikit_learn(surrogate)
    direct = functions @ np.linalg.pinv(functions) @ H
    np.testing.assert_allclose(surrogate.predict(X), direct, atol=1e-8 * np.abs(direct).max())
    np.testing.assert_allclose(surrogate.condition_, np.linalg.cond(functions), rtol=1e-6)


def test_the_degree_one_block_does_not_need_the_others() -> None:
    part, whole = (
        EDMDSurrogate(n_components=4, hidden_components=3, ridge=1e-3, full=full).fit(X, H)
        for full in (False, True)
    )
    assert whole.koopman_.shape == (Monomials(3, 2).count, Monomials(4, 2).count)
    np.testing.assert_allclose(part.predict(X), whole.predict(X), atol=1e-10)


@pytest.mark.parametrize("ridge", [0.0, 1e-2])
def test_with_all_hidden_components_edmd_is_least_squares_to_the_logits(ridge: float) -> None:
    surrogate = EDMDSurrogate(n_components=4, ridge=ridge).fit(X, H)
    functions = lifted_by_scikit_learn(surrogate)
    centred = H @ WEIGHT.T - (H @ WEIGHT.T).mean(0)
    oracle = Ridge(alpha=ridge * len(X), fit_intercept=False, solver="svd").fit(functions, centred)
    expected = oracle.predict(functions) + H.mean(0) @ WEIGHT.T + BIAS
    np.testing.assert_allclose(surrogate.logits(X, WEIGHT, BIAS), expected, atol=1e-8)


def test_read_out_folds_edmd_and_the_last_layer() -> None:
    surrogate = EDMDSurrogate(n_components=4, hidden_components=5, ridge=1e-4).fit(X, H)
    hidden = fit_principal(H, 8, scaled=False)
    scores = torch.from_numpy(surrogate.input_map_.scores(X))
    equations = normal_equations(LiftedInputs(Monomials(4, 2), scores), hidden.scores(H)[:, :5])
    folded = read_out(equations, hidden, 1e-4, (WEIGHT, BIAS))
    np.testing.assert_allclose(
        (folded @ Monomials(4, 2).lift(scores).numpy()).T, surrogate.logits(X, WEIGHT, BIAS), atol=1e-9
    )


def test_a_system_that_is_linear_in_the_lift_is_found_exactly() -> None:
    surrogate = EDMDSurrogate(n_components=6).fit(X, H)
    truth = lifted_by_scikit_learn(surrogate) @ GENERATOR.normal(size=(28, 2))
    found = EDMDSurrogate(n_components=6).fit(X, truth).predict(X)
    np.testing.assert_allclose(found, truth, atol=1e-9 * np.abs(truth).max())


def test_fewer_components_are_part_of_more() -> None:
    scores = torch.from_numpy(fit_principal(X, 5).scores(X))
    whole, part = (normal_equations(LiftedInputs(Monomials(d, 3), scores[:, :d]), H) for d in (5, 3))
    kept = np.flatnonzero(Monomials(5, 3).exponents()[:, 3:].sum(1) == 0)
    restricted = whole.restrict(kept)
    np.testing.assert_allclose(restricted.gram, part.gram, atol=1e-12)
    np.testing.assert_allclose(restricted.cross, part.cross, atol=1e-12)


def test_least_norm_where_functions_repeat() -> None:
    doubled = np.hstack([X, X[:, :1]])
    equations = normal_equations(LiftedInputs(Monomials(7, 1), torch.from_numpy(doubled)), H)
    functions = np.hstack([np.ones((len(X), 1)), doubled])
    np.testing.assert_allclose(equations.solve().T, np.linalg.pinv(functions) @ H, atol=1e-9)


@pytest.mark.parametrize(
    "setting, text",
    [
        ({"degree": 0}, r"'degree' parameter of EDMDSurrogate .* range \[1, inf\). Got 0 instead"),
        ({"ridge": -1.0}, r"'ridge' parameter .* range \[0.0, inf\). Got -1.0 instead"),
        ({"ridge": float("nan")}, r"'ridge' parameter .* Got nan instead"),
        ({"hidden_components": 0}, r"'hidden_components' parameter .* Got 0 instead"),
        ({"hidden_components": 99}, r"^hidden_components: got 99, allowed: 1 to \d+, the width"),
        ({"full": "no"}, r"'full' parameter .* Got 'no' instead"),
        ({"n_components": "4"}, r"'n_components' parameter .* Got '4' instead"),
    ],
)
def test_bad_settings_are_named(setting: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        EDMDSurrogate(**setting).fit(X, H)
