"""Signals, networks, metrics and shapes: closed forms and errors in words."""

import numpy as np
import pytest
import torch

from ntkd_lib.inr.metrics import crossing, intersection_over_union, si_snr, ssim, value_at
from ntkd_lib.inr.networks import NETWORKS, HashGrid, build
from ntkd_lib.inr.shapes import chamfer, signed_distance, surface, surface_samples, winding_number
from ntkd_lib.inr.signals import Signal, crop, from_pixels, from_samples, torus_distance, waves


def cube():
    """The cube from -0.5 to 0.5 as 12 triangles that face outwards."""
    import trimesh

    mesh = trimesh.creation.box((1, 1, 1))
    return np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces)


def test_images_are_reduced_by_averages():
    pixels = torch.arange(4 * 6 * 3, dtype=torch.uint8).reshape(4, 6, 3)
    signal = from_pixels(pixels, 2)
    assert signal.shape == (2, 2)
    expected = pixels[:2, 1:3].float().mean((0, 1)) / 255
    torch.testing.assert_close(signal.values[0], expected)
    assert from_pixels(pixels).shape == (4, 6)
    assert torch.equal(crop(pixels, 2), pixels[1:3, 2:4])


def test_sides_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match=r"side = 3 does not divide 4; allowed: its divisors"):
        from_pixels(torch.zeros(4, 4, 3, dtype=torch.uint8), 3)
    with pytest.raises(ValueError, match=r"5 values for a grid of \(2, 2\); allowed: one a point"):
        Signal(torch.zeros(5, 1), (2, 2))


def test_coordinates_span_the_grid():
    x = Signal(torch.zeros(6, 1), (2, 3)).coordinates
    assert x.tolist() == [[-1, -1], [-1, 0], [-1, 1], [1, -1], [1, 0], [1, 1]]
    assert from_samples(torch.ones(800), 800).coordinates.abs().max() == 2


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_coordinates_have_the_type_of_the_values(dtype):
    x = Signal(torch.zeros(5, 1, dtype=dtype), (5,)).coordinates
    assert x.dtype == dtype
    assert x[:, 0].tolist() == [-1, -0.5, 0, 0.5, 1]


def test_edges_of_a_ramp_are_its_slope():
    ramp = torch.arange(5.0)[:, None].expand(5, 4).reshape(-1, 1)
    torch.testing.assert_close(Signal(ramp, (5, 4)).edges, torch.ones(20))


def test_sound_is_scaled_to_its_peak():
    signal = from_samples(torch.tensor([0.0, 0.5, -0.25, 0.1]), 2)
    torch.testing.assert_close(signal.values[:, 0], torch.tensor([1.0, -0.5]))


def test_bands_have_their_frequency():
    image = waves(64, (2, 8)).values.reshape(64, 64, 3)
    for column, frequency in ((0, 2), (40, 8)):
        power = torch.fft.rfft(image[:, column, 0] - 0.5).abs()
        assert abs(power.argmax().item() - frequency) <= 1


def test_a_torus_has_its_distance():
    signal = torus_distance(21)
    centre = signal.values.reshape(21, 21, 21)[10, 10, 10].item()
    assert centre == pytest.approx(0.55 - 0.25)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_networks_map_coordinates_to_values(name, inputs):
    model = build(name, inputs, 2, 8, 2)
    x = 2 * torch.rand(5, inputs) - 1
    assert model(x).shape == (5, 2)
    assert torch.isfinite(model(x)).all()


def test_unknown_networks_are_refused():
    with pytest.raises(ValueError, match=r"unknown network 'cnn'; allowed: siren, mlp, pemlp"):
        build("cnn", 2, 3, 8, 1)


def test_a_hash_grid_interpolates_linearly():
    torch.manual_seed(0)
    grid = HashGrid(1, levels=1, entries=64, coarsest=4)
    x = torch.tensor([[-1.0], [-0.75], [-0.5]])
    left, middle, right = grid(x)
    torch.testing.assert_close(middle, (left + right) / 2)
    assert grid(torch.tensor([[1.0]])).shape == (1, 2)


@pytest.mark.parametrize("far", [1.001, -20.0])
def test_coordinates_outside_of_a_hash_grid_are_refused(far):
    with pytest.raises(ValueError, match=rf"^x: got coordinates up to {abs(far):g}, allowed: -1 to 1$"):
        HashGrid(2)(torch.tensor([[0.0, 1.0], [far, 0.0]]))


def test_a_hash_grid_runs_on_single_points():
    grid, x = HashGrid(2), 2 * torch.rand(5, 2) - 1
    torch.testing.assert_close(torch.func.vmap(lambda point: grid(point[None])[0])(x), grid(x))


def test_si_snr_ignores_scale_and_offset():
    torch.manual_seed(0)
    target, noise = torch.randn(2000, 1), torch.randn(2000, 1)
    noise = noise - (noise * target).sum() / target.square().sum() * target
    found = target + 0.1 * noise
    expected = 10 * np.log10((target.var() / (0.01 * noise.var())).item())
    assert si_snr(found, target) == pytest.approx(expected, abs=0.05)
    assert si_snr(3 * found + 1, target) == pytest.approx(si_snr(found, target), abs=1e-3)
    assert si_snr(target, target) == 120
    assert si_snr(torch.zeros(5, 1), torch.ones(5, 1)) <= 0


def test_intersection_over_union():
    a, b = torch.tensor([True, True, False]), torch.tensor([True, False, False])
    assert intersection_over_union(a, b) == 50
    assert intersection_over_union(~(a | ~a), ~(b | ~b)) == 100
    assert intersection_over_union(a[:, None], a[:, None]) == 100
    with pytest.raises(ValueError, match=r"^estimate, target: got torch.bool of shape \(3, 1\) and torch"):
        intersection_over_union(a[:, None], a)
    with pytest.raises(ValueError, match=r"got torch.uint8 of .*, allowed: torch.bool of one shape$"):
        intersection_over_union(255 * a.byte(), 255 * b.byte())


def test_ssim_of_equal_images_is_one():
    image = np.random.default_rng(0).random((16, 16, 3))
    assert ssim(image, image) == pytest.approx(1)
    assert ssim(image[::-1], image) < 0.5


def test_a_target_must_be_kept_for_three_evaluations():
    quality, axis = [10, 21, 19, 20, 22, 23, 24], [0, 1, 2, 3, 4, 5, 6]
    assert crossing(quality, axis, 20) == 3
    assert crossing(quality, axis, 21) == pytest.approx(3.5)
    assert crossing(quality, axis, 23) is None
    assert crossing([30, 30, 30], [5, 6, 7], 20) == 5
    assert value_at([1, 3], [0, 2], 1) == 2
    assert value_at([1, 3], [0, 2], 9) == 3


def test_winding_number_is_one_inside_and_zero_outside():
    vertices, faces = cube()
    points = torch.tensor([[0.0, 0, 0], [0.4, -0.4, 0.3], [0.8, 0, 0], [2, 2, 2]])
    found = winding_number(points, torch.tensor(vertices[faces]), chunk=24)
    torch.testing.assert_close(found, torch.tensor([1.0, 1, 0, 0]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("order", [1, -1])
def test_signed_distance_of_a_cube_however_its_faces_are_wound(order):
    vertices, faces = cube()
    faces = np.ascontiguousarray(faces[:, ::order])
    points = np.array([[0, 0, 0], [0.3, 0, 0], [1.5, 0, 0]], np.float32)
    found = signed_distance(points, vertices, faces, samples=50_000)
    np.testing.assert_allclose(found, [-0.5, -0.2, 1.0], atol=0.01)


def test_surface_samples_lie_on_the_surface():
    vertices, faces = cube()
    found = surface_samples(vertices[faces], 1000)
    np.testing.assert_allclose(np.abs(found).max(1), 0.5, atol=1e-6)


def test_marching_cubes_find_a_sphere():
    grid = Signal(torch.zeros(21**3, 1), (21, 21, 21)).coordinates
    vertices, triangles = surface((grid.norm(dim=1) - 0.6).reshape(21, 21, 21).numpy())
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 0.6, atol=0.01)
    assert triangles.shape[1:] == (3, 3)
    assert surface(np.ones((4, 4, 4))) is None


def test_chamfer_distance_of_a_shift():
    line = np.stack([np.linspace(0, 1, 50), np.zeros(50), np.zeros(50)], 1)
    assert chamfer(line, line) == 0
    assert chamfer(line, line + np.array([0, 0.2, 0])) == pytest.approx(0.2)


def picture(h=4, w=6, c=3):
    return torch.arange(h * w * c, dtype=torch.uint8).reshape(h, w, c) * 3


READ = {
    "grey": (picture()[..., 0], 1),
    "grey with an axis": (picture()[..., :1], 1),
    "grey, channels first": (picture()[..., 0][None], 1),
    "channels first": (picture().movedim(2, 0), 3),
    "with transparency": (picture(c=4), 4),
    "16 bits": (picture().to(torch.int32).mul(257).to(torch.uint16), 3),
    "floats": (picture().float() / 255, 3),
    "floats in 64 bits": (picture().double() / 255, 3),
    "half precision": ((picture().float() / 255).half(), 3),
    "NumPy": (picture().numpy(), 3),
    "NumPy, 16 bits and grey": (picture()[..., 0].numpy().astype("uint16") * 257, 1),
}


@pytest.mark.parametrize("form", READ)
def test_images_of_any_form_are_read_rightly(form):
    pixels, channels = READ[form]
    signal = from_pixels(pixels)
    expected = (picture(c=4) if channels == 4 else picture())[..., :channels].float().reshape(
        -1, channels
    ) / 255
    assert signal.shape == (4, 6)
    torch.testing.assert_close(
        signal.values, expected, atol=1e-3 if form == "half precision" else 1e-6, rtol=0
    )
    assert from_pixels(pixels, 2).values.shape == (4, channels)
    torch.testing.assert_close(from_pixels(crop(pixels, 4), 2).values, from_pixels(pixels, 2).values)


def test_a_mask_is_read_as_zeros_and_ones():
    assert from_pixels(torch.eye(3).bool()).values[:, 0].tolist() == torch.eye(3).flatten().tolist()


@pytest.mark.parametrize(
    "pixels, message",
    [
        (255 * torch.rand(4, 6, 3) + 2, r"^pixels: got floats from .* to .*, needs 0 to 1$"),
        (torch.rand(4, 6, 3) - 0.5, r"^pixels: got floats from -0\.\d+ to .*, needs 0 to 1$"),
        (torch.full((4, 6, 3), torch.nan), r"^pixels: got floats from nan to nan"),
        (torch.zeros(4, 6, 3, dtype=torch.int32), r"^pixels: got torch.int32, needs uint8, uint16, bool"),
        (torch.zeros(2, 4, 6, 3, dtype=torch.uint8), r"^pixels: got shape \(2, 4, 6, 3\), needs \(h, w\)"),
        (torch.zeros(6, 6, 9, dtype=torch.uint8), r"^pixels: got shape \(6, 6, 9\), needs \(h, w\)"),
        (torch.zeros(24, dtype=torch.uint8), r"^pixels: got shape \(24,\), needs \(h, w\)"),
        (torch.zeros(0, 6, 3, dtype=torch.uint8), r"^pixels: got shape \(0, 6, 3\)"),
    ],
)
def test_other_images_are_refused(pixels, message):
    with pytest.raises(ValueError, match=message):
        from_pixels(pixels)


@pytest.mark.parametrize("side", [0, -2, 5])
def test_crops_that_do_not_fit_are_refused(side):
    with pytest.raises(ValueError, match=rf"^side: got {side}, needs 1 to 4, what the image has$"):
        crop(picture(), side)


STEREO = torch.stack([torch.linspace(-1, 1, 50), torch.linspace(0, 0.5, 50)], 1)


@pytest.mark.parametrize(
    "samples", [STEREO, STEREO.T, STEREO.numpy(), STEREO.double(), (STEREO * 20_000).to(torch.int16)]
)
def test_stereo_sound_has_two_channels(samples):
    signal = from_samples(samples, 20)
    assert signal.shape == (20,)
    middle = STEREO[15:35]
    torch.testing.assert_close(
        signal.values, middle / middle.abs().max(), atol=1e-3, rtol=0, check_dtype=False
    )


@pytest.mark.parametrize(
    "samples, length, message",
    [
        (torch.zeros(50, 50), 10, r"^samples: got shape \(50, 50\), needs \(n,\), \(n, c\) or \(c, n\)"),
        (torch.zeros(2, 3, 50), 10, r"^samples: got shape \(2, 3, 50\)"),
        (
            torch.zeros(50, dtype=torch.uint8),
            10,
            r"^samples: got torch.uint8, needs signed integers or floats$",
        ),
        (torch.full((50,), torch.nan), 10, r"^values: got shape \(10, 1\), 10 not finite"),
        (torch.zeros(0), 10, r"^length: got 0 samples, needs at least 1$"),
        (torch.zeros(50), -1, r"^length: got -1 samples"),
    ],
)
def test_other_sound_is_refused(samples, length, message):
    with pytest.raises(ValueError, match=message):
        from_samples(samples, length)


def test_ssim_takes_grey_images_and_refuses_bytes():
    image = np.random.default_rng(0).random((16, 16))
    assert ssim(image, image) == pytest.approx(1)
    with pytest.raises(ValueError, match=r"^images of \(16, 16\) and \(16, 15\); allowed: equal"):
        ssim(image, image[:, 1:])
    with pytest.raises(ValueError, match=r"^target: got values from .*, needs 0 to 1$"):
        ssim(image, 255 * image)
