"""LPIPS on weights that are drawn: against a slow twin in float64, and what must hold for any weights."""

import numpy as np
import pytest
from scipy.signal import correlate

from ntkd_lib.inr.perceptual import SCALE, SHIFT, Lpips

SHAPES = ((11, 11, 3, 4), (5, 5, 4, 3), (3, 3, 3, 5), (3, 3, 5, 4), (3, 3, 4, 2))


def drawn():
    generator = np.random.default_rng(0)
    layers = {
        f"Conv_{i}": {
            "kernel": generator.normal(0, 0.3, shape).astype(np.float32),
            "bias": generator.normal(0, 0.1, shape[-1]).astype(np.float32),
        }
        for i, shape in enumerate(SHAPES)
    }
    heads = {
        f"NetLinLayer_{i}": {"Conv_0": {"kernel": generator.random((1, 1, s[-1], 1)).astype(np.float32)}}
        for i, s in enumerate(SHAPES)
    }
    return {"AlexNet_0": layers, **heads}


def images(seed=1):
    generator = np.random.default_rng(seed)
    return generator.random((36, 40, 3)).astype(np.float32), generator.random((36, 40, 3)).astype(np.float32)


def slow_layer(x, kernel, bias, stride, padding):
    x = np.pad(x, ((padding, padding), (padding, padding), (0, 0)))
    maps = [
        sum(correlate(x[:, :, c], kernel[:, :, c, k], "valid") for c in range(x.shape[2])) + bias[k]
        for k in range(kernel.shape[3])
    ]
    return np.maximum(np.stack(maps, 2)[::stride, ::stride], 0)


def slow_pool(x):
    rows, columns = ((size - 3) // 2 + 1 for size in x.shape[:2])
    return np.array(
        [[x[2 * i : 2 * i + 3, 2 * j : 2 * j + 3].max((0, 1)) for j in range(columns)] for i in range(rows)]
    )


def slow_features(arrays, image):
    x, found = (2 * image.astype(float) - 1 - SHIFT) / np.array(SCALE), []
    for i, (stride, padding) in enumerate(((4, 2), (1, 2), (1, 1), (1, 1), (1, 1))):
        layer = arrays["AlexNet_0"][f"Conv_{i}"]
        x = slow_layer(
            slow_pool(x) if i in (1, 2) else x, layer["kernel"].astype(float), layer["bias"], stride, padding
        )
        found.append(x / (np.linalg.norm(x, axis=2, keepdims=True) + 1e-10))
    return found


def slow_distance(arrays, a, b):
    pairs = zip(slow_features(arrays, a), slow_features(arrays, b), strict=True)
    return sum(
        (((x - y) ** 2) @ arrays[f"NetLinLayer_{i}"]["Conv_0"]["kernel"].ravel().astype(float)).mean()
        for i, (x, y) in enumerate(pairs)
    )


def test_distance_is_that_of_a_slow_twin():
    arrays, (a, b) = drawn(), images()
    assert Lpips(arrays).distance(a, b) == pytest.approx(slow_distance(arrays, a, b), rel=1e-4)


def test_equal_images_are_at_no_distance_and_order_does_not_matter():
    lpips, (a, b) = Lpips(drawn()), images()
    assert lpips.distance(a, a) == 0
    assert lpips.distance(a, b) == pytest.approx(lpips.distance(b, a), rel=1e-6)
    assert lpips.distance(a, b) > lpips.distance(a, 0.9 * a + 0.1 * b) > 0


def test_stretched_inputs_hide_contrast_and_standard_ones_do_not():
    lpips, (a, _) = Lpips(drawn()), images()
    pale = 0.25 + 0.5 * a
    assert lpips.distance(pale, a, "stretched") < 1e-6 < lpips.distance(pale, a)


def test_values_beyond_the_range_are_clipped():
    lpips, (a, b) = Lpips(drawn()), images()
    assert lpips.distance(3 * a - 1, b) == lpips.distance(np.clip(3 * a - 1, 0, 1), b)


def test_small_or_unequal_images_are_refused():
    lpips, (a, _) = Lpips(drawn()), images()
    with pytest.raises(ValueError, match=r"images of \(31, 40, 3\) and \(31, 40, 3\); allowed: equal shapes"):
        lpips.distance(a[:31], a[:31])
    with pytest.raises(ValueError, match=r"\(36, 32, 3\) and \(36, 40, 3\)"):
        lpips.distance(a[:, :32], a)


def test_other_weights_are_refused():
    with pytest.raises(ValueError, match=r"not the weights of LPIPS .*: 'NetLinLayer_0' is missing"):
        Lpips({"AlexNet_0": drawn()["AlexNet_0"]})


def test_a_target_of_another_range_is_refused():
    image, other = images()
    with pytest.raises(ValueError, match=r"^target: got values from .* to 25\d\.?\d*, needs 0 to 1$"):
        Lpips(drawn()).distance(image, 255 * other)
