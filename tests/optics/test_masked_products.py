"""Products of masked signals with patches against one dense product, value and gradient."""

import pytest
import torch

from ntkd_lib.optics import masked_products
from ntkd_lib.optics.masked_products import MaskedProducts


@pytest.mark.parametrize("cached", [1, 48, 2**17])
def test_groups_of_samples_are_one_dense_product(cached: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masked_products, "CACHED", cached)  # groups of 1, 2 and all 5 samples
    torch.manual_seed(0)
    signal = torch.randn(5, 2, 3, 4, dtype=torch.float64).requires_grad_()
    masks = (torch.rand(5, 4, 1, 3, 4) > 0.5).double()
    patches = torch.randn(4, 5, 4, 6, dtype=torch.float64)
    result = MaskedProducts.apply(signal, masks, *patches)
    dense = torch.einsum("nckq,nfkq,fnqs->ncks", signal, masks[:, :, 0], patches)
    torch.testing.assert_close(result, dense)
    slope = torch.randn_like(dense)
    mine, theirs = (torch.autograd.grad(value, signal, slope)[0] for value in (result, dense))
    torch.testing.assert_close(mine, theirs)
