"""The kernel as an operator against the dense kernel, its eigenvalues and its inverse."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import aslinearoperator, cg, eigsh
from torch import nn

from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.operator import DIRECTIONS, NTKOperator
from tests.ntk.faults import Net
from tests.ntk.nets import TiedEmbedding, build, dense_net

OPERATOR_KINDS = ("full", "trace", "pseudo")


def setting(n: int = 7, m: int = 4) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return dense_net().double(), torch.randn(n, 6).double(), torch.randn(m, 6).double()


def dense_kernel(model: nn.Module, x1: torch.Tensor, x2: torch.Tensor | None, kind: str) -> np.ndarray:
    kernel = empirical_ntk(model, x1, x2, kind=kind).detach()
    if kind == "full":
        n, m, c, _ = kernel.shape
        kernel = kernel.permute(0, 2, 1, 3).reshape(n * c, m * c)
    return kernel.numpy()


@pytest.mark.parametrize("kind", OPERATOR_KINDS)
@pytest.mark.parametrize("name", ["dense", "lenet", "convolutions", "attention of dense layers", "embedding"])
def test_agrees_with_the_dense_kernel(name: str, kind: str) -> None:
    model, x, y = build(name)
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
        model = model.to(dtype)
        a, b = (t.to(dtype) if t.is_floating_point() else t for t in (x, y))
        for other in (None, b):
            dense = dense_kernel(model, a, other, kind)
            operator = NTKOperator(model, a, other, kind=kind, chunk=2)
            found = operator @ np.eye(dense.shape[1])
            assert operator.shape == dense.shape
            assert operator.dtype == found.dtype == dense.dtype
            assert np.linalg.norm(found - dense) <= tolerance * np.linalg.norm(dense)


@pytest.mark.parametrize("kind", OPERATOR_KINDS)
@pytest.mark.parametrize("chunk", [1, 3, None])
def test_chunks_change_nothing(kind: str, chunk: int | None) -> None:
    model, x, y = setting()
    dense = dense_kernel(model, x, y, kind)
    columns = np.random.default_rng(0).normal(size=(dense.shape[1], DIRECTIONS + 3))
    operator = NTKOperator(model, x, y, kind=kind, chunk=chunk)
    np.testing.assert_allclose(operator @ columns, dense @ columns, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(operator @ columns[:, 0], dense @ columns[:, 0], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("kind", OPERATOR_KINDS)
def test_adjoint_is_the_transpose(kind: str) -> None:
    model, x, y = setting()
    operator, rng = NTKOperator(model, x, y, kind=kind, chunk=3), np.random.default_rng(1)
    v, u = rng.normal(size=operator.shape[1]), rng.normal(size=operator.shape[0])
    assert u @ (operator @ v) == pytest.approx(operator.rmatvec(u) @ v, rel=1e-12)
    np.testing.assert_allclose(operator.H @ np.eye(len(u)), dense_kernel(model, x, y, kind).T, atol=1e-10)
    np.testing.assert_allclose(u @ operator, operator.T @ u)
    own = NTKOperator(model, x, kind=kind)
    assert own.H is own


def test_leading_eigenvalues() -> None:
    model, x, _ = setting(12)
    operator = NTKOperator(model, x, chunk=5)
    values = eigsh(operator, k=4, v0=np.ones(operator.shape[0]), return_eigenvectors=False)
    exact = np.linalg.eigvalsh(dense_kernel(model, x, None, "full"))[-4:]
    np.testing.assert_allclose(values, exact, rtol=1e-8)


def test_kernel_regression_by_conjugate_gradients() -> None:
    model, x, _ = setting(9)
    operator = NTKOperator(model, x, kind="trace")
    right, ridge = np.sin(np.arange(9.0)), 0.1
    found, code = cg(operator + ridge * aslinearoperator(np.eye(9)), right, rtol=1e-12, maxiter=200)
    assert code == 0
    exact = np.linalg.solve(dense_kernel(model, x, None, "trace") + ridge * np.eye(9), right)
    np.testing.assert_allclose(found, exact, rtol=1e-7)


@given(st.floats(-3, 3), st.integers(0, 10**6))
@settings(max_examples=10, deadline=None, derandomize=True)
def test_products_are_linear_and_positive(factor: float, seed: int) -> None:
    model, x, _ = setting(5)
    operator, rng = NTKOperator(model, x, kind="trace"), np.random.default_rng(seed)
    v, u = rng.normal(size=(2, 5))
    np.testing.assert_allclose(operator @ (factor * v + u), factor * (operator @ v) + operator @ u, atol=1e-9)
    assert v @ (operator @ v) >= 0


def test_arrays_and_keywords_are_the_same_samples() -> None:
    model, x, y = setting()
    dense = dense_kernel(model, x, y, "full")
    columns = np.eye(dense.shape[1])
    for a, b in ((x.numpy(), y.numpy()), ({"input": x}, {"input": y}), ((x,), (y,))):
        operator = NTKOperator(model, a, b, chunk=3)
        np.testing.assert_allclose(operator @ columns, dense, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(operator.H @ np.eye(len(dense)), dense.T, rtol=1e-10, atol=1e-10)


def test_gram_of_a_parameter_that_is_one_number() -> None:
    torch.manual_seed(0)
    model = Net(lambda s, x: s.scale * s.a(x), a=nn.Linear(6, 3), scale=nn.Parameter(torch.rand(()))).double()
    x, v = torch.randn(5, 6).double(), torch.randn(5, 2).double()
    theta = empirical_ntk(model, x, kind="trace", method="contraction").detach()
    torch.testing.assert_close(NTKOperator(model, x, kind="trace").gram(v), v.T @ theta @ v)


def test_products_carry_no_gradients_and_whole_numbers_are_converted() -> None:
    model, x, y = setting()
    operator = NTKOperator(model, x, y, kind="trace")
    assert not operator.matmul(torch.ones(4, 1).double()).requires_grad
    np.testing.assert_array_equal(operator @ np.ones(4, dtype=int), operator @ np.ones(4))


@pytest.mark.parametrize(
    "change, text",
    [
        ({"kind": "per_class"}, "kind: got 'per_class', allowed for an operator are full, trace, pseudo"),
        ({"chunk": 0}, "chunk: got 0, needs at least 1 sample"),
        ({"x1": torch.zeros(0, 6)}, "inputs: got an empty batch"),
        ({"x2": torch.zeros(2, 5)}, r"x2: got samples of shape \(5,\), x1 has \(6,\)"),
        ({"model": nn.Flatten()}, "model: got no trainable parameter"),
        (
            {"model": nn.Linear(6, 2).bfloat16(), "x1": torch.zeros(2, 6).bfloat16()},
            "type torch.bfloat16, allowed are float32, float64",
        ),
        (
            {"model": TiedEmbedding(padding=0), "x1": torch.zeros(2, 4, dtype=torch.long)},
            "layer 'table': an embedding with padding whose table is shared",
        ),
    ],
)
def test_refusals_name_what_came(change: dict, text: str) -> None:
    arguments = {"model": dense_net(), "x1": torch.zeros(2, 6)} | change
    with pytest.raises(ValueError, match=text):
        NTKOperator(**arguments)


def test_complex_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="v: got complex numbers"):
        NTKOperator(dense_net(), torch.zeros(2, 6), kind="trace") @ np.array([1j, 0])


def test_samples_that_mix_are_refused() -> None:
    class Centred(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(6, 4), nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            hidden = self.first(x)
            return self.second(hidden - hidden.mean(0))

    torch.manual_seed(0)
    with pytest.raises(ValueError, match="a sample changes with the rest of its batch"):
        NTKOperator(Centred(), torch.randn(4, 6))
