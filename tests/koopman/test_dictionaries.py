"""Monomials and radial functions: counts, order, values."""

from math import comb

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import PolynomialFeatures

from ntkd_lib.koopman.dictionaries import Monomials, radial_functions, random_features
from ntkd_lib.koopman.lifted import BLOCK, LiftedInputs

GRID = [(d, q) for d in (10, 15, 20, 30, 40) for q in (2, 3)]


@pytest.mark.parametrize("d, q", GRID)
def test_counts_are_binomial(d: int, q: int) -> None:
    monomials = Monomials(d, q)
    assert monomials.count == comb(d + q, q)
    assert monomials.products == monomials.count - d - 1


@pytest.mark.parametrize("d, q", [(10, 2), (15, 2), (10, 3), (5, 4)])
def test_exponents_are_those_of_scikit_learn(d: int, q: int) -> None:
    expected = PolynomialFeatures(q).fit(np.zeros((1, d))).powers_
    np.testing.assert_array_equal(Monomials(d, q).exponents(), expected)


@given(d=st.integers(1, 6), q=st.integers(1, 4), seed=st.integers(0, 99))
def test_values_are_the_products_that_exponents_name(d: int, q: int, seed: int) -> None:
    scores = torch.randn(3, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    monomials = Monomials(d, q)
    expected = np.prod(scores.numpy()[:, None, :] ** monomials.exponents(), axis=2).T
    np.testing.assert_allclose(monomials.lift(scores).numpy(), expected, rtol=1e-12, atol=1e-12)


def test_radial_functions_are_one_at_their_centres() -> None:
    scores = torch.randn(50, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    radial = radial_functions(scores, 11, 1.0, torch.Generator().manual_seed(1))
    values = radial.lift(radial.centres)
    assert values.shape == (radial.count, 10) == (11, 10)
    torch.testing.assert_close(values[1:].diagonal(), torch.ones(10).double())
    assert (values > 0).all()
    assert (values <= 1 + 1e-12).all()


@pytest.mark.parametrize("memory", [0, 2**30])
def test_blocks_are_the_matrix_held_or_not(memory: int) -> None:
    scores = torch.randn(BLOCK + 7, 3)
    monomials = Monomials(3, 2)
    lifted = LiftedInputs(monomials, scores, memory=memory)
    assert lifted.streamed == (memory == 0)
    for _ in range(2):
        next(iter(lifted))  # who stops early must not leave half a matrix behind
        torch.testing.assert_close(torch.cat(list(lifted), 1), monomials.lift(scores))


def test_subset_lifts_the_chosen_inputs() -> None:
    scores = torch.randn(9, 2)
    rows = torch.tensor([1, 4, 8])
    (block,) = LiftedInputs(Monomials(2, 3), scores).subset(rows)
    torch.testing.assert_close(block, Monomials(2, 3).lift(scores[rows]))


def test_squares_of_projections_span_all_products_of_degree_two() -> None:
    generator = torch.Generator().manual_seed(0)
    scores, monomials = torch.randn(200, 4, generator=generator).double(), Monomials(4, 2)
    squares = random_features(scores, monomials.count, torch.square, 2.0, generator)
    lifted, products = squares.lift(scores), monomials.lift(scores)
    assert lifted.shape == products.shape == (15, 200)
    weights = torch.linalg.lstsq(lifted.T, products.T).solution
    torch.testing.assert_close(lifted.T @ weights, products.T, rtol=0, atol=1e-8)


def test_projections_have_the_size_that_was_asked_for() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = 5 * torch.randn(500, 3, generator=generator)
    same = random_features(scores, 4001, lambda u: u, 2.0, generator)
    centred = same.lift(scores)[1:] - same.offsets
    assert centred.square().mean().sqrt().item() == pytest.approx(2.0, rel=0.05)


def test_equal_inputs_do_not_set_the_width_of_radial_functions():
    generator = torch.Generator().manual_seed(0)
    apart = torch.randn(60, 3, generator=generator, dtype=torch.float64)
    scores = torch.cat([torch.zeros(300, 3, dtype=torch.float64), apart])
    functions = radial_functions(scores, 361, 0.5, torch.Generator().manual_seed(1))
    distances = torch.pdist(scores)
    assert functions.width == pytest.approx(0.5 * distances[distances > 0].median().item())
    alone = radial_functions(torch.ones(5, 3), 4, 0.5, torch.Generator().manual_seed(1))
    assert alone.width == 0.5
