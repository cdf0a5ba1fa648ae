"""Products of bfloat16 parts: their error, the switches they leave alone, and the record."""

import json

import pytest
import torch
from torch import nn

from benchmarks.precision import ProductsInParts, bfloat16_products, networks, relative_errors, split, ways
from ntkd_lib.show.tangent_kernel import PRECISIONS
from tests.setup.project import ROOT

RECORD = json.loads((ROOT / "results/benchmarks/kernel_precision.json").read_text(encoding="utf-8"))


def test_parts_are_exact_in_bfloat16_and_sum_to_the_value() -> None:
    values = torch.randn(1000)
    parts = split(values, 3)
    assert all(torch.equal(part, part.bfloat16().float()) for part in parts)
    torch.testing.assert_close(sum(parts), values, rtol=2**-22, atol=0)


@pytest.mark.parametrize(("parts", "least", "most"), [(1, 1e-3, 1e-2), (2, 1e-6, 1e-4), (3, 0.0, 2e-6)])
@pytest.mark.parametrize("kind", ["dense", "convolution"])
def test_gradients_err_by_what_the_parts_leave_out(kind: str, parts: int, least: float, most: float) -> None:
    torch.manual_seed(0)
    dense = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
    images = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Tanh(), nn.Conv2d(8, 1, 3), nn.Flatten(), nn.Linear(16, 1))
    model, x = (dense, torch.randn(32, 64)) if kind == "dense" else (images, torch.randn(32, 3, 8, 8))

    def gradient() -> torch.Tensor:
        slopes = torch.autograd.grad(model(x).square().sum(), list(model.parameters()))
        return torch.cat([slope.flatten() for slope in slopes])

    with ProductsInParts(parts):
        rounded = gradient()
    model, x = model.double(), x.double()
    exact = gradient()
    assert least <= (rounded.double() - exact).norm() / exact.norm() <= most


def test_switches_are_put_back() -> None:
    convolutions = torch.backends.mkldnn.conv
    before = torch.get_float32_matmul_precision(), convolutions.fp32_precision
    with bfloat16_products():
        assert torch.get_float32_matmul_precision() == "medium"
    assert (torch.get_float32_matmul_precision(), convolutions.fp32_precision) == before


def test_the_record_holds_every_network_and_way() -> None:
    assert [row["name"] for row in RECORD["rows"]] == list(networks())
    names = ways(nn.Linear(1, 1), torch.ones(1, 1)).keys()
    assert all(row["errors"].keys() == names == set(PRECISIONS) for row in RECORD["rows"])
    assert not RECORD["provenance"]["dirty"]


def test_a_recorded_error_of_float32_is_found_again() -> None:
    (row,) = (row for row in RECORD["rows"] if row["name"] == "MLP, 4 layers of 64")
    build, shape = networks()[row["name"]]
    assert relative_errors(build, shape, 0)["float32"] <= 3 * row["errors"]["float32"]
