"""Landmark features: a compressed tangent kernel, whose Gram matrix on any batch is a small product."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from ntkd_lib.ntk.checks import check_batches, check_model
from ntkd_lib.ntk.empirical import find_fault, start_probe, warn_slow
from ntkd_lib.ntk.layout import UnsettledError
from ntkd_lib.ntk.probe import ProbeError, check_results
from ntkd_lib.ntk.structured import warn_whole
from ntkd_lib.ntk.tiles import LoopTiles, StructuredTiles


class LandmarkKernel:
    """Nystrom features of the trace kernel of a fixed network.

    ``phi(x) = Theta(x, Z) Theta(Z, Z)^(-1/2)``, so that ``phi(x) . phi(x')`` is the Nystrom approximation on
    the landmarks ``Z``: exact on them, never above the kernel in the Loewner order. The exact diagonal is
    kept beside the features.

    Source: Williams and Seeger (2001); kept diagonal as in Snelson and Ghahramani (2005).
    """

    def __init__(
        self, model: nn.Module, landmarks: Shaped[Tensor, "r ..."], floor: float = 1e-6, *, probe: bool = True
    ) -> None:
        """Factorise the kernel of the landmarks in float64."""
        check_batches(landmarks, names=("landmarks", ""))
        check_model(model)
        if not 0 <= floor < 1:
            raise ValueError(f"floor: got {floor}, needs a number from 0 to below 1")
        self.probe, self.landmarks, self.floor = probe, landmarks, floor
        self.model, plan, _ = start_probe(model, landmarks, None, "trace")
        self.tiles = StructuredTiles(self.model, "trace", plan)
        error = find_fault(self.model, landmarks) if probe else None
        if error is not None:
            self._loop(error)
        else:
            warn_whole(plan.left_out)
            try:
                self._factorise()
            except (UnsettledError, ProbeError) as failure:
                self._loop(failure)

    def _loop(self, error: ValueError) -> None:
        """Compute everything anew by the slow loop."""
        warn_slow(error, stacklevel=4)
        self.tiles = LoopTiles(self.model, "trace")
        self._factorise()

    @torch.no_grad()
    def _factorise(self) -> None:
        self.factors = self.tiles.keep(self.landmarks)
        gram = self.tiles.pair(self.factors, self.factors)
        check_results(self.model, gram, (self.landmarks, 0), (self.landmarks, 1))
        values, vectors = torch.linalg.eigh((gram + gram.T).double() / 2)
        large = values > self.floor * values[-1]
        self.root = (vectors[:, large] / values[large].sqrt()).to(gram.dtype)

    @torch.no_grad()
    def features(
        self, inputs: Shaped[Tensor, "n ..."], chunk: int = 500
    ) -> tuple[Float[Tensor, "n r"], Float[Tensor, " n"]]:
        """Compute features and the exact diagonal of a batch in chunks.

        Warns:
            SlowKernelWarning: A kernel between samples and landmarks that differs from plain autograd; all is
                computed anew by the slow loop, and features of earlier batches do not belong to these.
        """
        check_batches(self.landmarks, inputs, names=("landmarks", "inputs"))
        looped = isinstance(self.tiles, LoopTiles)
        if self.probe and not looped and (error := find_fault(self.model, inputs, self.landmarks)):
            self._loop(error)
        try:
            parts = [self._features(part) for part in inputs.split(chunk)]
        except UnsettledError as error:
            self._loop(error)
            parts = [self._features(part) for part in inputs.split(chunk)]
        features, diagonal = (torch.cat(part) for part in zip(*parts, strict=True))
        check_results(self.model, diagonal, (inputs, 0))
        return features, diagonal

    def _features(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        factors = self.tiles.keep(inputs)
        diagonal = sum(factor.squares() for factor in factors.values())
        return self.tiles.pair(factors, self.factors) @ self.root, diagonal


def landmark_gram(features: Float[Tensor, "n r"], diagonal: Float[Tensor, " n"]) -> Float[Tensor, "n n"]:
    """Rebuild the kernel of a batch from its features and exact diagonal."""
    gram = features @ features.T
    return gram + torch.diag(diagonal - gram.diagonal())
