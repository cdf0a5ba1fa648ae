"""Distillation for the tangent kernel: images whose gradients capture the most energy of all gradients.

Feature matching (`ntkd_lib.dntk.matching`) has no tangent kernel in its loss. Here the loss is the quantity
in the DNTK paper's theory: the share of the gradients in the span of the images' gradients.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkd_lib.ntk.contraction import jacobian
from ntkd_lib.ntk.sketches.sparse import SparseSketch
from ntkd_lib.ranges import check_intensities

RATE = 0.01  # of Adam, for intensities in [0, 1]; five times larger steps lower the energy at first
JITTER = 1e-6  # share of the mean squared length that keeps near duplicates apart
ENTRIES = 2**24  # of Jacobians that are held at once


@dataclass(frozen=True)
class TunedImages:
    """Images tuned to the tangent kernel."""

    images: Float[Tensor, "m _ _ _"]  # intensities in [0, 1]
    shares: list[float]  # share of the energy captured before each step, and after the last


def gradient_features(
    model: nn.Module, images: Float[Tensor, "m _ _ _"], sketch: SparseSketch
) -> Float[Tensor, "m c k"]:
    """Sketch per-class gradients in a way that can be differentiated with respect to the images."""
    parts = images.split(_chunk(model, images))
    return torch.cat([sketch.whole("all", jacobian(model, part)) for part in parts])


def second_moments(features: Float[Tensor, "n c k"]) -> Float[Tensor, "c k k"]:
    """Compute the second moments ``M_c = sum_x phi_c(x) phi_c(x)'``."""
    columns = features.double().transpose(0, 1)
    return columns.mT @ columns


def captured_energy(features: Float[Tensor, "m c k"], moments: Float[Tensor, "c k k"]) -> Float[Tensor, ""]:
    """Compute the share of the gradients' energy in the span of some images' gradients.

    ``sum_c tr(P_c M_c) / sum_c tr(M_c)`` with the projection ``P_c`` on the span of the features of class
    ``c``: ``|Pi Phi|_F^2`` over ``|Phi|_F^2``. The best ``m`` images can do no better than the ``m`` leading
    eigenvalues of each ``M_c``.

    Source: DNTK paper, Corollary 3.5 and Proposition 3.6, from public descriptions.
    """
    rows = features.double().transpose(0, 1)
    gram = rows @ rows.mT
    shift = JITTER * gram.diagonal(dim1=1, dim2=2).mean(1)
    held = gram + shift[:, None, None] * torch.eye(gram.shape[1]).to(gram)
    solved = torch.linalg.solve(held, rows @ moments @ rows.mT)
    return solved.diagonal(dim1=1, dim2=2).sum() / moments.diagonal(dim1=1, dim2=2).sum()


def maximise_energy(
    model: nn.Module,
    starts: Float[Tensor, "m _ _ _"],
    moments: Float[Tensor, "c k k"],
    sketch: SparseSketch,
    steps: int,
) -> TunedImages:
    """Change images until their gradients capture more of the energy, by Adam on the pixels.

    Each step takes the Jacobians of all images twice, once for the energy and once for its derivative, so
    that never more than a few of them are held.
    """
    check_intensities("starts", starts)
    images = starts.clone().requires_grad_(True)
    optimiser, shares = torch.optim.Adam([images], lr=RATE), []
    for _ in range(steps):
        features = _features(model, images, sketch).requires_grad_(True)
        share = captured_energy(features, moments)
        (slope,) = torch.autograd.grad(share, features)
        images.grad = -_pulled_back(model, images, sketch, slope)
        optimiser.step()
        images.data.clamp_(0, 1)
        shares.append(share.item())
    shares.append(captured_energy(_features(model, images, sketch), moments).item())
    return TunedImages(images.detach(), shares)


@torch.no_grad()
def _chunk(model: nn.Module, images: Tensor) -> int:
    """Choose the number of images whose Jacobians fit into memory."""
    weights = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return max(1, ENTRIES // (model(images[:1].detach()).shape[1] * weights))


@torch.no_grad()
def _features(model: nn.Module, images: Tensor, sketch: SparseSketch) -> Float[Tensor, "m c k"]:
    return gradient_features(model, images.detach(), sketch)


def _pulled_back(
    model: nn.Module, images: Tensor, sketch: SparseSketch, slope: Float[Tensor, "m c k"]
) -> Float[Tensor, "m _ _ _"]:
    """Pull a derivative with respect to features back to the images."""
    gradients, chunk = [], _chunk(model, images)
    for part, cotangent in zip(images.detach().split(chunk), slope.split(chunk), strict=True):
        moved = part.clone().requires_grad_(True)
        gradients += torch.autograd.grad(gradient_features(model, moved, sketch), moved, cotangent)
    return torch.cat(gradients)
