"""Networks for which kernels were wrong or failed: right to rounding by every way that is on by default."""

import warnings

import pytest
import torch

from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.probe import SlowKernelWarning
from ntkd_lib.ntk.structured import WholeJacobianWarning
from tests.ntk.faults import KINDS_OF_FAULT, SHAPES

CASES = [(kind, name) for kind, cases in KINDS_OF_FAULT.items() for name in cases]


def loop_jacobian(model: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Compute the Jacobian with backward(), which reentrant checkpoints allow too, sample by sample."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    rows = []
    for sample, c in ((sample, c) for sample in x.split(1) for c in range(model(x[:1]).shape[1])):
        model.zero_grad()
        model(sample)[0, c].backward()
        grads = [torch.zeros_like(p) if p.grad is None else p.grad.to_dense() for p in parameters]
        rows.append(
            torch.cat([torch.view_as_real(g).flatten() if g.is_complex() else g.flatten() for g in grads])
        )
    model.zero_grad()
    return torch.stack(rows).unflatten(0, (len(x), -1))


@pytest.mark.filterwarnings("ignore::ntkd_lib.ntk.structured.WholeJacobianWarning")
@pytest.mark.parametrize("name", SHAPES)
def test_shapes_are_those_of_weights_without_a_probe(name: str) -> None:
    torch.manual_seed(0)
    model, draw = SHAPES[name]
    model, x = model.double(), draw(5)
    x = x.double() if x.is_floating_point() else x
    rows = loop_jacobian(model, x)
    for method in ("auto", "structured"):
        kernel = empirical_ntk(model, x, method=method, probe=False).detach()
        torch.testing.assert_close(kernel, torch.einsum("ncp,mdp->nmcd", rows, rows), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind, name", CASES)
def test_kernel_is_that_of_single_samples(kind: str, name: str) -> None:
    torch.manual_seed(0)
    model, draw = KINDS_OF_FAULT[kind][name]
    model, x, y = model.double(), draw(7), draw(3)
    x, y = (t.double() if t.is_floating_point() else t for t in (x, y))
    left, right = loop_jacobian(model, x), loop_jacobian(model, y)
    state = torch.get_rng_state()
    for method in ("auto", "structured"):
        for a, b, other in ((left, left, None), (left, right, y), (left[:1], left[:1], None)):
            exact = torch.einsum("ncp,mdp->nmcd", a, b)
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always")
                found = empirical_ntk(model, x[: len(a)], other, method=method, tile=4).detach()
            assert (found - exact).norm() <= 1e-9 * exact.norm(), (method, other is None)
            mine = [w for w in seen if issubclass(w.category, SlowKernelWarning | WholeJacobianWarning)]
            assert len(mine) <= 1
    assert torch.equal(state, torch.get_rng_state())
    assert all(p.grad is None for p in model.parameters())
