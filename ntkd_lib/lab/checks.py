"""What evidence must fulfil before a rule decides: data, tier, protocol, shape, seeds, machines, plateau."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from statistics import mean

import numpy as np

from ntkd_lib.lab.claims import Claim, ClaimBook, Definition, Ordering, RatioAtLeast, SlopeWithin
from ntkd_lib.lab.evidence import Evidence, Metric
from ntkd_lib.lab.parameters import TIERS
from ntkd_lib.lab.setups import RegisteredProtocol, is_covered


def first_obstacle(claim: Claim, run: Evidence) -> tuple[int, str]:
    """Find the first check that a run fails: (number of checks passed, reason or "")."""
    for stage, check in enumerate(_CHECKS):
        if reason := check(claim, run):
            return stage, reason
    return len(_CHECKS), ""


def find_missing(claim: Claim, run: Evidence) -> str:
    """Say which metric a run has not recorded."""
    missing = [name for name in claim.metric_names if name not in run.metrics]
    return f"not run ({missing[0]} is not recorded)" if missing else ""


def _standin(claim: Claim, run: Evidence) -> str:
    recorded = (run.metrics[name] for name in claim.metric_names if name in run.metrics)
    read = {name for metric in recorded for name in metric.data}
    standins = sorted(name for name in read if run.data[name].kind == "standin")
    return f"stand-in data ({', '.join(standins)})" if standins else ""


def _tier_short(claim: Claim, run: Evidence) -> str:
    short = TIERS.index(run.tier) < TIERS.index(claim.tier)
    return f"needs tier {claim.tier}, ran {run.tier}" if short else ""


def registration_problem(run: Evidence, protocols: Mapping[str, RegisteredProtocol]) -> str:
    """Say why a run is not of a registered protocol as registered; live and reference runs have none."""
    if not run.protocol and (run.reference or not run.recorded):
        return ""
    protocol = protocols.get(run.protocol)
    if protocol is None:
        return f"protocol not registered ({run.protocol or 'none is named'})"
    if (run.notebook, run.tier) != (protocol.notebook, protocol.tier):
        came, allowed = f"{run.notebook} on tier {run.tier}", f"{protocol.notebook} on tier {protocol.tier}"
        return f"protocol: it is of {came}, registered: {allowed}"
    change = protocol.change(run.parameters)
    return f"protocol: {change}" if change else ""


def metric_problem(run: Evidence, name: str, definition: Definition | None) -> str:
    """Say why a recorded number is not what its name says, by the digest of the name's definition."""
    digest = run.definitions.get(name)
    if definition is None or (digest is None and not run.protocol):
        return ""
    if digest is None:
        return f"protocol: {name} does not carry its definition's digest"
    return f"protocol: {name} was recorded under another definition" if digest != definition.digest else ""


def listing_problem(run: Evidence, name: str, protocols: Mapping[str, RegisteredProtocol]) -> str:
    """Say why a registered protocol does not measure a metric, or not with these seeds and no machine."""
    protocol, metric = protocols.get(run.protocol), run.metrics[name]
    if protocol is None:
        return ""
    if not is_covered(name, protocol.metrics):
        return f"protocol: {run.protocol} does not measure {name}"
    if surplus := sorted(set(metric.seeds) - set(protocol.seeds)):
        return f"protocol: seed {surplus[0]} of {name} is not registered"
    return f"protocol: {name} does not say where it was computed" if metric.machines is None else ""


def _unlisted(claim: Claim, run: Evidence) -> str:
    problems = (listing_problem(run, name, claim.terms.protocols) for name in claim.metric_names)
    return next(filter(None, problems), "")


def _redefined(claim: Claim, run: Evidence) -> str:
    problems = (metric_problem(run, name, claim.terms.definitions.get(name)) for name in claim.metric_names)
    return next(filter(None, problems), "")


def _changed(claim: Claim, run: Evidence) -> str:  # noqa: ARG001
    if run.protocol or run.standard:
        return ""
    return f"parameters differ from the tier's ({', '.join(sorted(run.changed))})"


def _off_setup(claim: Claim, run: Evidence) -> str:
    departures = (setup.departure(run.parameters) for setup in claim.terms.setups.values())
    listed = "; ".join(departure for departure in departures if departure)
    return f"protocol: {listed}" if listed else ""


def find_misshapen(claim: Claim, run: Evidence) -> str:
    """Say which metric has not the shape that the rule reads."""
    for name in claim.metric_names:
        if problem := _shape_problem(claim, name, run.metrics[name]):
            return f"{name}: {problem}"
    if isinstance(claim.rule, RatioAtLeast):
        _, denominators = paired(claim, run)
        if denominators and mean(denominators) == 0:
            return f"{claim.rule.denominator} is 0"
    return ""


def _shape_problem(claim: Claim, name: str, metric: Metric) -> str:
    if (metric.series is not None) != isinstance(claim.rule, SlopeWithin):
        return "recorded as a series" if metric.values is None else "recorded without its series"
    count, definition = len(metric.values or metric.seeds), claim.terms.definitions.get(name)
    several = count == len(metric.seeds) and count > 1
    if definition is not None and definition.pooled:
        return "one number for all seeds, recorded seed by seed" if several else ""
    if count == len(metric.seeds):
        return ""
    by_seed = definition is not None or isinstance(claim.rule, Ordering)
    return f"recorded as one number for {len(metric.seeds)} seeds" if by_seed else ""


def _few_seeds(claim: Claim, run: Evidence) -> str:
    count, mixed = len(usable_seeds(claim, run)), mixed_seeds(claim, run)
    if count >= claim.seeds:
        return ""
    shared = " in common" if len({tuple(sorted(m.seeds)) for m in metrics_of(claim, run)}) > 1 else ""
    lost = f" (seed {', '.join(map(str, mixed))}: arms from different machines)" if mixed else ""
    return f"needs {claim.seeds} seeds{shared}, has {count}{lost}"


def _unconverged(claim: Claim, run: Evidence) -> str:
    read = [(name, run.metrics[name]) for name in claim.metric_names if needs_plateau(claim, run, name)]
    for name, metric in read:
        if metric.converged is None:
            return f"training not shown to have converged ({name})"
    open_seeds = {s for _, m in read for s, done in zip(m.seeds, m.converged or (), strict=True) if not done}
    listed = ", ".join(str(seed) for seed in sorted(open_seeds))
    return f"training not converged (seeds {listed})" if open_seeds else ""


def needs_plateau(claim: Claim, run: Evidence, metric: str) -> bool:
    """Tell whether a metric counts only with trained models on a plateau, as it does unless exempt."""
    protocol = claim.terms.protocols.get(run.protocol)
    setups = (setup for setup in claim.terms.setups.values() if is_covered(metric, setup.metrics))
    return (protocol is None or protocol.plateau) and all(setup.plateau for setup in setups)


_CHECKS: tuple[Callable[[Claim, Evidence], str], ...] = (
    _standin,
    _tier_short,
    find_missing,
    lambda claim, run: registration_problem(run, claim.terms.protocols),
    _unlisted,
    _redefined,
    _changed,
    _off_setup,
    find_misshapen,
    _few_seeds,
    _unconverged,
)


def recording_problems(run: Evidence, book: ClaimBook) -> Iterator[str]:
    """List what makes a recorded file unfit, whatever claim reads it."""
    if problem := registration_problem(run, book.protocols):
        yield problem
    for name in run.metrics:
        yield from filter(None, [metric_problem(run, name, book.metrics.get(name))])
        yield from filter(None, [listing_problem(run, name, book.protocols)])
    for claim in book.claims:
        if run.protocol and claim.notebook == run.notebook and not find_missing(claim, run):
            yield from (f"{claim.id}: {line}" for line in _claim_problems(claim, run))


def _claim_problems(claim: Claim, run: Evidence) -> Iterator[str]:
    if mixed := mixed_seeds(claim, run):
        yield f"seed {', '.join(map(str, mixed))}: arms from different machines"
    unknown = [name for name in claim.metric_names if run.metrics[name].converged is None]
    if silent := [name for name in unknown if needs_plateau(claim, run, name)]:
        yield f"training not shown to have converged ({silent[0]})"


def metrics_of(claim: Claim, run: Evidence) -> list[Metric]:
    """List the metrics that a claim reads, in the order of the rule."""
    return [run.metrics[name] for name in claim.metric_names]


def usable_seeds(claim: Claim, run: Evidence) -> list[int]:
    """List the seeds that all metrics share on one machine, in ascending order."""
    shared = set.intersection(*(set(metric.seeds) for metric in metrics_of(claim, run)))
    return sorted(shared - set(mixed_seeds(claim, run)))


def mixed_seeds(claim: Claim, run: Evidence) -> list[int]:
    """List the seeds whose compared arms were computed on different machines."""
    machines = [dict(zip_longest(m.seeds, m.machines or ())) for m in metrics_of(claim, run)]
    shared = set.intersection(*map(set, machines))
    return sorted(seed for seed in shared if len({by_seed[seed] for by_seed in machines}) > 1)


def numbers_by_seed(metric: Metric, seeds: Sequence[int]) -> tuple[float, ...]:
    """List a metric's numbers for some seeds: slopes of a series, the one number if there is only one."""
    if metric.series is not None:
        numbers = [_slope([p.x for p in points], [p.y for p in points]) for points in metric.series]
    else:
        numbers = metric.values or []
    if len(numbers) < len(metric.seeds):
        return tuple(numbers)
    by_seed = dict(zip(metric.seeds, numbers, strict=True))
    return tuple(by_seed[seed] for seed in seeds)


def _slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Fit the least-squares line: sum((x - mean x) y) / sum((x - mean x)^2)."""
    centred = np.asarray(x) - mean(x)
    return float(centred @ (np.asarray(y) - mean(y)) / (centred @ centred))


def paired(claim: Claim, run: Evidence) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """List the numbers of both metrics of a claim at the seeds that they share."""
    first, second = metrics_of(claim, run)
    seeds = usable_seeds(claim, run)
    return numbers_by_seed(first, seeds), numbers_by_seed(second, seeds)
