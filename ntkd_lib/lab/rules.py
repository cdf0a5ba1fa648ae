"""Rules of claims applied to numbers seed by seed, exactly as the header of `claims.yml` says."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property, lru_cache
from statistics import mean
from typing import Literal

from ntkd_lib.lab.claims import AtLeast, AtMost, Claim, Ordering, RatioAtLeast, SlopeWithin, Within
from ntkd_lib.lab.statistics import Interval, bootstrap_interval, bootstrap_ratio_interval

Decision = Literal["exceeded", "reproduced", "not reproduced"]
_EVERY_SEED_BELOW = 8
_bootstrap_once = lru_cache(maxsize=512)(bootstrap_interval)


@dataclass(frozen=True)
class Estimate:
    """Our number for a claim."""

    seeds: int  # that it rests on
    single: tuple[float, ...]  # its numbers seed by seed, the numerators of a ratio
    below: tuple[float, ...] = ()  # the denominators of a ratio
    pooled: bool = False  # one number for all seeds, which has no interval

    @cached_property
    def value(self) -> float:
        """The mean, or the ratio of the two means."""
        return mean(self.single) / mean(self.below) if self.below else mean(self.single)

    @cached_property
    def interval(self) -> Interval | None:
        """The contract's 95 % bootstrap interval; None for one number for all seeds."""
        if self.pooled:
            return None
        if self.below:
            return bootstrap_ratio_interval(self.single, self.below)
        return _bootstrap_once(self.single)

    def is_above(self, bound: float, sign: int = 1) -> bool:
        """Tell whether the whole interval lies above a bound, or with sign -1 below it."""
        # the interval holds the mean and lies within the numbers: computed only if these do not decide
        if sign * self.value <= sign * bound:
            return False
        if not self.below and min(sign * number for number in self.single) > sign * bound:
            return not self.pooled
        return self.interval is not None and sign * self.interval[sign < 0] > sign * bound


def estimate(claim: Claim, single: Sequence[float], below: Sequence[float] = (), *, seeds: int) -> Estimate:
    """Bundle a claim's numbers; the rule reads one number for all seeds where the contract says so."""
    short = len(single) < seeds or 0 < len(below) < seeds
    defined = not below and any(definition.pooled for definition in claim.terms.definitions.values())
    return Estimate(seeds, tuple(single), tuple(below), short or defined)


def decide(claim: Claim, numbers: Estimate) -> Decision:
    """Apply a claim's rule."""
    if not _holds(claim, numbers):
        return "not reproduced"
    return "exceeded" if _exceeds(claim, numbers) else "reproduced"


def _holds(claim: Claim, numbers: Estimate) -> bool:
    if not isinstance(claim.rule, Ordering):
        return tolerance_needed(claim, numbers) <= 0
    if numbers.seeds < _EVERY_SEED_BELOW:  # the lower end is never below the smallest difference
        return min(numbers.single) > claim.rule.margin
    return numbers.is_above(claim.rule.margin)


def missed(claim: Claim, numbers: Estimate) -> str:
    """Say what the rule needed and the numbers have missed; empty when the rule holds."""
    rule = claim.rule
    if isinstance(rule, Ordering):
        return _order_missed(rule, numbers)
    if tolerance_needed(claim, numbers) <= 0:
        return ""
    if isinstance(rule, Within | SlopeWithin):
        return f"needed {rule.low:g} to {rule.high:g}"
    return f"needed at {'most' if isinstance(rule, AtMost) else 'least'} {rule.threshold:g}"


def _order_missed(rule: Ordering, numbers: Estimate) -> str:
    low = numbers.interval[0] if numbers.interval else numbers.value
    if not low > rule.margin:
        return f"needed a difference surely above {rule.margin:g}"
    short = sum(not difference > rule.margin for difference in numbers.single)
    if short and numbers.seeds < _EVERY_SEED_BELOW:
        return f"needed every difference above {rule.margin:g}, not so for {short} of {numbers.seeds} seeds"
    return ""


def side(claim: Claim, numbers: Estimate) -> Literal["", "above", "below"]:
    """Say on which side of its band a number lies."""
    if not isinstance(claim.rule, Within | SlopeWithin):
        return ""
    return "above" if numbers.value > claim.rule.high else "below"


def tolerance_needed(claim: Claim, numbers: Estimate) -> float:
    """Compute by how much the threshold must be loosened for the rule to hold; negative: room to spare."""
    rule, value = claim.rule, numbers.value
    if isinstance(rule, AtLeast | RatioAtLeast):
        return rule.threshold - value
    if isinstance(rule, AtMost):
        return value - rule.threshold
    if isinstance(rule, Ordering):
        few = numbers.seeds < _EVERY_SEED_BELOW or numbers.interval is None
        return rule.margin - (min(numbers.single) if few else numbers.interval[0])
    return max(rule.low - value, value - rule.high)


def _exceeds(claim: Claim, numbers: Estimate) -> bool:
    """Say whether a claim whose rule holds is beaten beyond the noise of both."""
    if claim.value is None or numbers.pooled or isinstance(claim.rule, Within | SlopeWithin):
        return False
    sign = -1 if isinstance(claim.rule, AtMost) else 1
    spread = claim.spread or 0.0 if isinstance(claim.rule, AtLeast | AtMost) else 0.0
    return numbers.is_above(decimal_sum(claim.value, sign * spread), sign)


def decimal_sum(first: float, second: float) -> float:
    """Add two numbers as they are written: 97.3 + 0.6 is 97.9, where floats give 97.89999999999999."""
    return float(Decimal(repr(float(first))) + Decimal(repr(float(second))))
