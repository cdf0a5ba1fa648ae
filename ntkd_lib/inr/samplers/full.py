"""Full batch: every point at every step."""

import torch

from ntkd_lib.inr.samplers.base import Indices, Sampler, SamplerContext


class FullBatch(Sampler):
    """All points, in order; the training loop works on them in chunks."""

    def indices(self, step: int, state: SamplerContext) -> Indices:  # noqa: ARG002
        """Choose all points."""
        return torch.arange(self.count, device=self.device)
