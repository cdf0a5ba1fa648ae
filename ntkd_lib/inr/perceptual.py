"""Perceptual distance of two images: LPIPS 0.1 with AlexNet."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d, relu

Image = Float[np.ndarray, "h w 3"]
Other = Float[np.ndarray, "h2 w2 3"]  # of any shape, so that another one is refused in words
STRIDES, PADDINGS, POOLED = (4, 1, 1, 1, 1), (2, 2, 1, 1, 1), (1, 2)  # pooling comes before these layers
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
TINY = 1e-10
SMALLEST = 32  # pixels; below, AlexNet's last layers have nothing left


class Lpips:
    r"""Learned perceptual distance.

    With unit-length features $\hat y_l$ of five layers and weights $w_l \ge 0$ of their channels,

    $$d(a, b) = \sum_l \frac{1}{h_l w_l} \sum_{ij} \lVert
    \sqrt{w_l} \odot (\hat y_l^a - \hat y_l^b)_{ij} \rVert^2 .$$

    Source: Zhang et al. (2018), Eq. 1, version 0.1 of their weights.

    Args:
        arrays: Kernels ``(h, w, in, out)``, biases and heads, as the published pickle nests them.

    Raises:
        ValueError: The arrays do not belong to this network.
    """

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        """Convert kernels to torch's order."""
        try:
            layers = [arrays["AlexNet_0"][f"Conv_{i}"] for i in range(5)]
            heads = [arrays[f"NetLinLayer_{i}"]["Conv_0"]["kernel"] for i in range(5)]
            self.kernels = [_tensor(layer["kernel"]).permute(3, 2, 0, 1).contiguous() for layer in layers]
            self.biases = [_tensor(layer["bias"]) for layer in layers]
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the weights of LPIPS with AlexNet: {error} is missing") from None
        self.heads = [_tensor(head).flatten() for head in heads]

    @torch.no_grad()
    def distance(
        self, estimate: Image, target: Other, scaling: Literal["standard", "stretched"] = "standard"
    ) -> float:
        """Compute the perceptual distance between two images, 0 for equal ones.

        Args:
            estimate: The fitted image, values from 0 to 1; clipped.
            scaling: ``standard`` maps 0 and 1 to -1 and 1; ``stretched`` each image's own least and largest
                value, which hides a wrong contrast.

        Raises:
            ValueError: Images that differ in shape, or are too small; a target with other values than 0 to 1.
        """
        if estimate.shape != target.shape or min(estimate.shape[:2]) < SMALLEST:
            raise ValueError(
                f"images of {estimate.shape} and {target.shape}; allowed: equal shapes of at least "
                f"{SMALLEST} x {SMALLEST} pixels"
            )
        if target.min() < 0 or target.max() > 1:
            raise ValueError(f"target: got values from {target.min():g} to {target.max():g}, needs 0 to 1")
        pair = torch.stack([_scaled(np.clip(image, 0, 1), scaling) for image in (estimate, target)])
        total = 0.0
        for features, head in zip(self._features(pair), self.heads, strict=True):
            unit = features / (features.norm(dim=1, keepdim=True) + TINY)
            total += (unit[0] - unit[1]).square().mean((1, 2)).double() @ head.double()
        return float(total)

    def _features(self, images: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        x = (images - torch.tensor(SHIFT)[:, None, None]) / torch.tensor(SCALE)[:, None, None]
        features = []
        for i, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            if i in POOLED:
                x = max_pool2d(x, 3, 2)
            x = relu(conv2d(x, kernel, bias, STRIDES[i], PADDINGS[i]))
            features.append(x)
        return features


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(values, np.float32))


def _scaled(image: Image, scaling: str) -> Float[Tensor, "3 h w"]:
    low, high = (float(image.min()), float(image.max())) if scaling == "stretched" else (0.0, 1.0)
    unit = (image - low) / max(high - low, TINY)
    return _tensor(2 * unit - 1).permute(2, 0, 1)
