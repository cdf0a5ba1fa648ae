"""Signed distances of triangle meshes, and the surface of a fitted distance."""

import numpy as np
import torch
from jaxtyping import Float, Int64
from scipy.spatial import cKDTree
from torch import Tensor

from ntkd_lib.imports import extra


def winding_number(
    points: Float[Tensor, "n 3"], triangles: Float[Tensor, "f 3 3"], chunk: int = 2**21
) -> Float[Tensor, " n"]:
    r"""Sum the solid angles of all triangles at each point, in units of the full sphere.

    It is 1 inside and 0 outside of a closed surface, and in between if the surface has holes, so that
    ``> 0.5`` closes them smoothly. The solid angle of a triangle with corners ``a, b, c`` seen from 0 is
    ``2 atan2(a . (b x c), |a||b||c| + (a.b)|c| + (b.c)|a| + (c.a)|b|)``.

    Source: Van Oosterom and Strackee (1983); Jacobson et al. (2013), Eq. 5 and 6.

    Args:
        triangles: Corners, ``(f, 3, 3)``.
        chunk: Pairs of point and triangle at a time.
    """
    rows = max(1, chunk // len(triangles))
    return torch.cat([_winding(part, triangles) for part in points.split(rows)])


def _winding(points: Tensor, triangles: Tensor) -> Tensor:
    a, b, c = (triangles[None, :, k] - points[:, None] for k in range(3))
    la, lb, lc = (corner.norm(dim=-1) for corner in (a, b, c))
    volume = (a * torch.linalg.cross(b, c)).sum(-1)
    spread = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
    return torch.atan2(volume, spread).sum(1) / (2 * torch.pi)


def fit_to_cube(vertices: Float[np.ndarray, "v 3"], margin: float = 0.1) -> Float[np.ndarray, "v 3"]:
    """Move and scale a mesh into the cube from -1 to 1, with a margin at each side."""
    low, high = vertices.min(0), vertices.max(0)
    return (vertices - (low + high) / 2) * (2 * (1 - margin) / (high - low).max())


def signed_distance(
    points: Float[np.ndarray, "n 3"],
    vertices: Float[np.ndarray, "v 3"],
    faces: Int64[np.ndarray, "f 3"],
    samples: int = 100_000,
) -> Float[np.ndarray, " n"]:
    """Compute the signed distance of points from a mesh, negative inside.

    The distance is to the nearest of many even samples of the surface; inside, the winding number is 1 or, of
    faces that are all wound the other way, -1.
    """
    triangles = vertices[faces].astype(np.float32)
    surface = surface_samples(triangles, samples)
    distance = cKDTree(surface).query(points)[0]
    inside = winding_number(torch.tensor(points, dtype=torch.float32), torch.tensor(triangles)).abs() > 0.5
    return np.where(inside.numpy(), -distance, distance).astype(np.float32)


def surface_samples(
    triangles: Float[np.ndarray, "f 3 3"], count: int, seed: int = 0
) -> Float[np.ndarray, "count 3"]:
    """Draw points evenly from a surface of triangles."""
    generator = np.random.default_rng(seed)
    first, second = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    areas = np.linalg.norm(np.cross(first, second), axis=1).astype(float)
    chosen = generator.choice(len(triangles), count, p=areas / areas.sum())
    u, v = np.sort(generator.random((2, count)), axis=0)
    return triangles[chosen, 0] + u[:, None] * first[chosen] + (v - u)[:, None] * second[chosen]


def surface(
    distance: Float[np.ndarray, "x y z"],
) -> tuple[Float[np.ndarray, "v 3"], Float[np.ndarray, "f 3 3"]] | None:
    """Find the surface of a distance on a cube's grid by marching cubes; None if nothing is inside."""
    with extra("inr"):
        from skimage.measure import marching_cubes

    if not distance.min() < 0 < distance.max():
        return None
    vertices, faces, _, _ = marching_cubes(distance, 0.0)
    vertices = (2 * vertices / (distance.shape[0] - 1) - 1).astype(np.float32)
    return vertices, vertices[faces]


def chamfer(first: Float[np.ndarray, "n 3"], second: Float[np.ndarray, "m 3"]) -> float:
    """Average the two mean distances from each point of one set to the nearest of the other.

    >>> chamfer(np.zeros((1, 3)), np.array([[3.0, 4.0, 0.0]]))
    5.0
    """
    there, back = (cKDTree(b).query(a)[0].mean() for a, b in ((first, second), (second, first)))
    return float((there + back) / 2)
