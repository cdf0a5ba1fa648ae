"""Several recordings of one protocol: pooled when they complete each other, kept apart when they differ."""

from collections.abc import Iterable, Sequence
from typing import Any

from ntkd_lib.lab.digest import digest_json
from ntkd_lib.lab.evidence import Evidence, Metric

_BY_SEED = ("values", "series", "converged", "machines")


def protocol_key(evidence: Evidence) -> str:
    """Return the digest of what recordings of one protocol share: all but seeds, numbers and provenance."""
    shared = (evidence.notebook, evidence.protocol, evidence.tier, _without_seeds(evidence.parameters))
    return digest_json([*shared, sorted(evidence.definitions.items()), evidence.recorded])


def _without_seeds(parameters: Any) -> Any:
    if not isinstance(parameters, dict):
        return parameters
    return {
        key: _without_seeds(value) for key, value in parameters.items() if not key.endswith(("seed", "seeds"))
    }


def pool_recordings(evidences: Iterable[Evidence]) -> list[Evidence]:
    """Pool the recordings of each protocol, seeds of all; one that contradicts an earlier one stays apart."""
    # it does if a metric has two numbers for one seed, or two for all seeds; live runs are never pooled
    pooled: list[Evidence] = []
    for evidence in sorted(evidences, key=lambda each: str(each.provenance.get("time") or "")):
        place = next((place for place, other in enumerate(pooled) if _completes(other, evidence)), None)
        if place is None:
            pooled.append(evidence)
        else:
            pooled[place] = _pooled(pooled[place], evidence)
    return pooled


def _completes(first: Evidence, second: Evidence) -> bool:
    if not second.recorded or protocol_key(first) != protocol_key(second):
        return False
    return not any(_contradict(first.metrics[name], second.metrics[name]) for name in _shared(first, second))


def _shared(first: Evidence, second: Evidence) -> set[str]:
    return first.metrics.keys() & second.metrics.keys()


def _contradict(first: Metric, second: Metric) -> bool:
    numbers, others = first.values or first.series or [], second.values or second.series or []
    if len(numbers) < len(first.seeds) or len(others) < len(second.seeds):
        return (first.seeds, first.values) != (second.seeds, second.values)
    by_seed = dict(zip(first.seeds, numbers, strict=True))
    return any(by_seed.get(seed, other) != other for seed, other in zip(second.seeds, others, strict=True))


def _pooled(first: Evidence, second: Evidence) -> Evidence:
    metrics = {**first.metrics, **second.metrics}
    metrics |= {name: _joined(first.metrics[name], second.metrics[name]) for name in _shared(first, second)}
    both = {"metrics": metrics, "origins": first.origins | second.origins, "data": first.data | second.data}
    return second.model_copy(update=both)


def _joined(first: Metric, second: Metric) -> Metric:
    """Append the seeds of the second metric that the first has not."""
    new = [place for place, seed in enumerate(second.seeds) if seed not in first.seeds]
    if not new:
        return first
    columns = {
        name: _column(getattr(first, name), getattr(second, name), new) for name in ("seeds", *_BY_SEED)
    }
    lists = {name: sorted({*getattr(first, name), *getattr(second, name)}) for name in ("data", "cells")}
    return Metric(**columns, **lists)


def _column(
    first: Sequence[Any] | None, second: Sequence[Any] | None, new: Sequence[int]
) -> list[Any] | None:
    if first is None or second is None:
        return None
    return [*first, *(second[place] for place in new)]
