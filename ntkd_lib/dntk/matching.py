"""Stage 1, distillation of images: match features to barycentres, and channel statistics class by class.

Source: WMDD (arXiv 2311.18531), used by the DNTK paper; rebuilt, not copied. There the statistics
are those of batch normalisation; here they are taken at the outputs of all convolutions, so that networks
without normalisation have them too. No tangent kernel enters the loss.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from ntkd_lib.dntk.exact import frozen
from ntkd_lib.imports import extra
from ntkd_lib.ranges import check_intensities

with extra("dntk"):
    from sklearn.cluster import KMeans

RATE, STATISTICS = 0.05, 10.0  # learning rate of Adam for intensities in [0, 1], weight of the statistics
AT_ONCE = 10  # images whose activations are held; more take longer each, as their maps leave the cache


@dataclass(frozen=True)
class SyntheticImages:
    """Synthetic images."""

    images: Float[Tensor, "m _ _ _"]  # intensities in [0, 1], ``(m, channels, h, w)``, sorted by class
    labels: Int[Tensor, " m"]
    losses: list[float]


def distil_images(
    model: nn.Module,
    images: Float[Tensor, "n _ _ _"],
    labels: Int[Tensor, " n"],
    *,
    per_class: int,
    steps: int,
    seed: int = 0,
) -> SyntheticImages:
    """Optimise images of each class to match the features of the whole class in evaluation mode.

    ``loss = sum_j |h(x_j) - b_j|^2 / (m v) + 10 mean_c sum_l [ |mu_cl - mu*_cl|^2 / |s*_cl| +
    |s_cl - s*_cl|^2 / |s*_cl|^2 ]``: ``h`` is the input of the last dense layer and ``b_j`` the atoms of its
    class's Wasserstein barycentre with variance ``v``; ``mu`` and ``s`` are means and variances of layer
    ``l``'s channels over a class, starred ones of all its images. Starts at random images of the class.

    Raises:
        ValueError: Images that are not in [0, 1], a class with fewer of them than are to be made.
    """
    check_intensities("images", images)
    counts = labels.bincount()
    if counts.min() < per_class:
        raise ValueError(f"per_class: got {per_class}, at most {counts.min()}: the rarest class has no more")
    targets = [_target(model, images[labels == c], per_class, seed) for c in range(len(counts))]
    generator = torch.Generator().manual_seed(seed)
    groups = (images[labels == c] for c in range(len(counts)))
    starts = [x[torch.randperm(len(x), generator=generator)[:per_class].to(x.device)] for x in groups]
    made = torch.cat(starts).clone().requires_grad_(True)
    aims = _Targets.of(targets)
    optimiser, losses = torch.optim.Adam([made], lr=RATE), []
    blocks = torch.arange(len(counts)).split(max(1, AT_ONCE // per_class))
    with frozen(model.parameters()):  # only the images have gradients
        for _ in range(steps):
            optimiser.zero_grad()
            losses.append(0.0)
            for block in blocks:  # the loss is a sum over classes
                part = slice(int(block[0]) * per_class, (int(block[-1]) + 1) * per_class)
                loss = aims.loss(_watch(model, made[part]), part, block)
                loss.backward()
                losses[-1] += loss.item()
            optimiser.step()
            made.data.clamp_(0, 1)
    classes = torch.arange(len(counts)).repeat_interleave(per_class).to(labels)
    return SyntheticImages(made.detach(), classes, losses)


def barycentre(features: Float[Tensor, "n d"], count: int, seed: int = 0) -> Float[Tensor, "m d"]:
    """Compute the atoms of the Wasserstein barycentre of one sample of points.

    With free places and free weights, the best ``m`` atoms in 2-Wasserstein distance are the centres of
    k-means.

    Source: Pollard (1982); Cuturi and Doucet (2014), Sec. 4.
    """
    clusters = KMeans(count, n_init=1, random_state=seed).fit(features.cpu().numpy())
    return torch.tensor(clusters.cluster_centers_).to(features)


@torch.no_grad()
def last_inputs(model: nn.Module, images: Float[Tensor, "n _ _ _"]) -> Float[Tensor, "n d"]:
    """Compute the inputs of the last dense layer, with a one for a bias: features of its tangent kernel.

    The gradient of logit ``c`` over the last layer's weights is this vector in row ``c``, so that the
    last layer's kernel is the same for all classes and takes no backward pass.
    """
    features = torch.cat([_watch(model, part).features[0] for part in images.split(250)])
    bias = [layer for layer in model.modules() if isinstance(layer, nn.Linear)][-1].bias
    return features if bias is None else functional.pad(features, (0, 1), value=1)


@dataclass
class _LayerStatistics:
    features: list[Tensor] = field(default_factory=list)
    maps: list[Tensor] = field(default_factory=list)


@dataclass(frozen=True)
class _Targets:
    """Targets of synthetic images, of a class or stacked: atoms, and mean and variance of each channel."""

    atoms: Float[Tensor, "m d"]
    statistics: list[tuple[Tensor, Tensor]]

    @classmethod
    def of(cls, targets: list["_Targets"]) -> "_Targets":
        layers = zip(*(target.statistics for target in targets), strict=True)
        stacked = [(torch.stack([m for m, _ in own]), torch.stack([v for _, v in own])) for own in layers]
        return cls(torch.cat([target.atoms for target in targets]), stacked)

    def loss(self, seen: _LayerStatistics, part: slice, classes: Int[Tensor, " k"]) -> Tensor:
        """Compute what some classes, whose images are a part of all, add to the loss."""
        spread, share = self.atoms.var(0).sum(), len(classes) / len(self.statistics[0][0])
        total = (seen.features[0] - self.atoms[part]).square().sum(1).sum() / (len(self.atoms) * spread)
        for maps, each in zip(seen.maps, self.statistics, strict=True):
            mean, variance = (moments[classes] for moments in each)
            own_mean, own_variance = channel_moments(maps.unflatten(0, (len(classes), -1)))
            shift = (own_mean - mean).square().sum(1) / variance.sum(1)
            scale = (own_variance - variance).square().sum(1) / variance.square().sum(1)
            total = total + share * STATISTICS * (shift + scale).mean()
        return total


@torch.no_grad()
def _target(model: nn.Module, images: Tensor, count: int, seed: int) -> _Targets:
    parts = [_watch(model, part) for part in images.split(250)]
    features = torch.cat([part.features[0] for part in parts])
    layers = zip(*(part.maps for part in parts), strict=True)
    moments = [channel_moments(torch.cat(layer)[None]) for layer in layers]
    return _Targets(barycentre(features, count, seed), [(mean[0], var[0]) for mean, var in moments])


class _ChannelMoments(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> tuple[Tensor, Tensor]:
        points = maps[:, :, 0].numel() // len(maps)
        mean = maps.sum((3, 4)).sum(1) / points
        away = maps - mean[:, None, :, None, None]  # squares of large means would cancel
        square = torch.linalg.vector_norm(away, dim=(3, 4)).double().square().sum(1) / points
        ctx.points = points
        ctx.save_for_backward(maps, mean)
        return mean, square.to(maps)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        maps, mean = ctx.saved_tensors
        by_mean, by_variance = (slope / ctx.points for slope in slopes)
        level, factor = by_mean - 2 * mean * by_variance, 2 * by_variance
        return torch.addcmul(level[:, None, :, None, None], factor[:, None, :, None, None], maps)


def channel_moments(maps: Float[Tensor, "c n k h w"]) -> tuple[Float[Tensor, "c k"], Float[Tensor, "c k"]]:
    """Compute mean and variance of each channel over a class: one pass forward and one backward.

    ``var(x)`` and its gradient take seven passes, most of the time of a matching step.
    """
    return _ChannelMoments.apply(maps)


def _watch(model: nn.Module, images: Tensor, *, copied: bool = False) -> _LayerStatistics:
    """Run images; record outputs of convolutions, copied if need be, and inputs of the last dense layer."""
    seen, ends, versions = _LayerStatistics(), [], []

    def keep(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
        seen.maps.append(output.clone() if copied else output)
        versions.append(output._version)

    dense = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    if not dense or any(layer.training for layer in model.modules()):
        raise ValueError("model: without a dense layer or in training mode; needs a dense layer, and eval()")
    last, maps = dense[-1], [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
    hooks = [
        last.register_forward_pre_hook(lambda _, inputs: seen.features.append(inputs[0])),
        *(layer.register_forward_hook(keep) for layer in maps),
        last.register_forward_hook(lambda _, __, output: ends.append(output)),
    ]
    try:
        logits = model(images)
    finally:
        for hook in hooks:
            hook.remove()
    if len(ends) != 1 or ends[0].shape != logits.shape or not torch.equal(ends[0], logits):
        raise ValueError("model: its logits are not those of its last dense layer; needs one at its end")
    if [output._version for output in seen.maps] != versions and not copied:  # written over by a later layer
        return _watch(model, images, copied=True)
    return seen
