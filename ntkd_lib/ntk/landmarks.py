"""Landmark features: a tangent kernel compressed once, so that any batch's Gram matrix is a small product."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from ntkd_lib.ntk.structured import structured_factors, structured_kernel


class LandmarkKernel:
    """Nystrom features of the trace kernel of a fixed network.

    ``phi(x) = Theta(x, Z) Theta(Z, Z)^(-1/2)``, so that ``phi(x) . phi(x')`` is the Nystrom approximation on
    the landmarks ``Z``: exact on them, never above the kernel in the Loewner order. The exact diagonal is
    kept beside the features.

    Source: Williams and Seeger (2001); kept diagonal as in Snelson and Ghahramani (2005).

    Args:
        model: Network, not trained any further.
        landmarks: Samples ``Z``, ``(r, ...)``.
        floor: Eigenvalues below this share of the largest one are left out.
    """

    def __init__(self, model: nn.Module, landmarks: Shaped[Tensor, "r ..."], floor: float = 1e-6) -> None:
        """Factorise the kernel of the landmarks in float64."""
        self.model = model
        with torch.no_grad():
            self.factors = structured_factors(model, landmarks, "trace")
            gram = structured_kernel(self.factors, self.factors, "trace")
        gram_type, gram = gram.dtype, gram.double()
        values, vectors = torch.linalg.eigh((gram + gram.T) / 2)
        kept = values > floor * values[-1]
        self.root = (vectors[:, kept] / values[kept].sqrt()).to(gram_type)

    @torch.no_grad()
    def features(
        self, inputs: Shaped[Tensor, "n ..."], chunk: int = 500
    ) -> tuple[Float[Tensor, "n r"], Float[Tensor, " n"]]:
        """Give features and the exact diagonal of a batch, some samples at a time.

        Args:
            inputs: Samples.
            chunk: Samples at a time.

        Returns:
            Features, and ``Theta(x, x)``.
        """
        parts = [self._features(part) for part in inputs.split(chunk)]
        return torch.cat([f for f, _ in parts]), torch.cat([d for _, d in parts])

    def _features(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        factors = structured_factors(self.model, inputs, "trace")
        cross = structured_kernel(factors, self.factors, "trace")
        return cross @ self.root, sum(factor.squares() for factor in factors.values())


def landmark_gram(features: Float[Tensor, "n r"], diagonal: Float[Tensor, " n"]) -> Float[Tensor, "n n"]:
    """Rebuild the kernel of a batch from its features and exact diagonal.

    Args:
        features: Landmark features.
        diagonal: Exact diagonal.

    Returns:
        Approximate kernel with an exact diagonal.
    """
    gram = features @ features.T
    return gram + torch.diag(diagonal - gram.diagonal())
