"""NINT: a shrinking share by a score, then the largest errors, the rest at random."""

from math import exp, floor

from torch import Tensor

from ntkd_lib.inr.samplers.base import Indices, Sampler, SamplerContext, largest, magnitude
from ntkd_lib.inr.signals import Signal
from ntkd_lib.ranges import check_number, check_word


class Nint(Sampler):
    r"""NTK-guided choice.

    At step ``t`` the share ``(1 - xi) exp(-lam t / alpha)`` of the batch has the largest scores. So much of
    the rest that both together make ``1 - xi`` has the largest errors, and ``xi`` is drawn evenly. The score
    is refreshed every ``alpha`` steps and its ranking kept in between; errors are computed at the present
    weights, at the price of a forward pass over all points per step.

    ``score`` names what ranks the points: ``tangent`` is ``||(theta g)_i||``, the paper's; ``prediction`` is
    ``||f(x_i)||``, what the released code computes in its place. ``staircase`` turns the decay into that of
    the released code, whose operator precedence takes the floor of the exponent.

    Source: NINT, Algorithm 1 and the schedule of its experiments.

    Args:
        xi: Share that is drawn evenly.
        lam: Speed of the decay; 0 keeps the score's share for ever.
        alpha: Time constant of the decay and steps between refreshes.
        score: What ranks the points, as ``State.score`` names it.
        staircase: Whether to use the decay of the released code.
    """

    def __init__(
        self,
        signal: Signal,
        batch: int,
        seed: int,
        *,
        xi: float = 0.7,
        lam: float = 1.0,
        alpha: int = 10,
        score: str = "tangent",
        staircase: bool = False,
    ) -> None:
        check_number("xi", xi, 0, 1)
        check_number("lam", lam, 0)
        check_number("alpha", alpha, 1, whole=True)
        check_word("staircase", staircase, (True, False))
        super().__init__(signal, batch, seed)
        self.xi, self.hard, self.lam, self.alpha = xi, round((1 - xi) * batch), lam, alpha
        self.score, self.staircase = score, staircase
        self.ranking: Tensor | None = None

    def share(self, step: int) -> float:
        """Compute the share of the batch that the score chooses at a step, from 0 to ``1 - xi``.

        >>> from ntkd_lib.inr import waves
        >>> sampler = Nint(waves(8, (1,)), batch=16, seed=0, xi=0.5)
        >>> [round(sampler.share(step), 3) for step in (0, 10, 20)]
        [0.5, 0.184, 0.068]
        """
        exponent = -self.lam * (step + self.staircase) / self.alpha
        return (1 - self.xi) * exp(floor(exponent) if self.staircase else exponent)

    def indices(self, step: int, state: SamplerContext) -> Indices:
        """Choose by score, then by error, then evenly."""
        guided = self._guided(step, state)
        if not (rest := self.hard - len(guided)):
            return self.fill([guided])
        hardest = largest(magnitude(state.residuals()), rest, self.mask([guided]))
        return self.fill([guided, hardest])

    def _guided(self, step: int, state: SamplerContext) -> Indices:
        number = self.hard if self.lam == 0 else int(self.share(step) * self.batch)
        if number and (self.ranking is None or (step + self.staircase) % self.alpha == 0):
            self.ranking = largest(state.score(self.score), max(number, self.hard))
        return self.uniform(0) if self.ranking is None else self.ranking[:number]
