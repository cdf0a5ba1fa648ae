"""Trials of a search: points that cover a space evenly."""

from collections.abc import Mapping

from scipy.stats import qmc

from ntkd_lib.experiments.spaces import Range, place


def draw(
    space: Mapping[str, Range], seed: int, trial: int, *, points: int, dimensions: int | None = None
) -> dict[str, float]:
    """Give the settings of a trial: a point of a scrambled Sobol sequence, which covers a space evenly.

    Args:
        space: Range of each setting.
        seed: Seed of the sequence.
        trial: Number of the trial.
        points: Length of the sequence, a power of two.
        dimensions: Of the sequence, where several spaces share it: each takes the first coordinates;
            left out, as many as the space has.

    Returns:
        One value for each name of the space, rounded to three significant digits.
    """
    point = qmc.Sobol(dimensions or len(space), rng=seed).random(points)[trial]
    pairs = zip(space.items(), point[: len(space)], strict=True)
    return {name: place(bounds, share) for (name, bounds), share in pairs}
