"""Verdicts as data: on recorded evidence, under version control so that none moves unseen, and a book's."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from ntkd_lib.lab import Verdict, all_verdicts, recorded_verdicts, results_root, write_json
from ntkd_lib.lab.checks import numbers_by_seed
from ntkd_lib.lab.evidence import Evidence, collect_evidence, is_rerun, reference_evidence
from ntkd_lib.lab.manifest import read_recorded, write_recorded
from ntkd_lib.lab.statistics import student_interval
from ntkd_lib.pipeline.errors import PipelineError
from ntkd_lib.show.html import element, raw_block, table
from ntkd_lib.show.numbers import difference, ends, number

WRITE = "python -m ntkd_lib.pipeline.readme"
NAME, SCHEMA = "verdicts.json", "verdicts.schema.json"
OF_CLAIM = ("id", "paper", "where", "value", "spread", "unit")
OF_VERDICT = ("status", "outcome", "qualifier", "reason")
STANDIN = "stand-in data"
Row = dict[str, Any]


def ledger_rows(verdicts: list[Verdict]) -> dict[str, Row]:
    """Write verdicts as plain data: status and reason, and the number where there is a verdict."""
    return {verdict.claim.id: _row(verdict) for verdict in verdicts}


def _row(verdict: Verdict) -> Row:
    row = {"status": verdict.status, "reason": verdict.reason}
    return row if verdict.status == "not assessed" else {**row, "value": verdict.value}


def write_ledger() -> None:
    """Commit to the verdicts that the recorded evidence gives today."""
    write_recorded("verdicts/recorded.json", ledger_rows(recorded_verdicts()))


def read_ledger(name: str) -> dict[str, Row]:
    """Read the verdicts `recorded` now, or those of the `first` registration; else one line says why not."""
    try:
        return read_recorded(f"verdicts/{name}.json")
    except (OSError, ValueError) as error:
        raise PipelineError(f"results/verdicts/{name}.json: cannot be read: {error}") from None


def ledger_problems() -> Iterator[str]:
    """Compare the committed verdicts with what the recorded evidence gives today."""
    if not any(results_root().glob("*.json")):
        return
    before, now = read_ledger("recorded"), ledger_rows(recorded_verdicts())
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if _decisive(old) != _decisive(new):
            yield (
                f"verdict {name}: committed as {_words(old)}, the evidence gives {_words(new)}; "
                f"if that is meant, run {WRITE}"
            )


def _decisive(row: Row | None) -> tuple[str, float | None] | None:
    return row and (row["status"], row.get("value"))


def _words(row: Row | None) -> str:
    if row is None:
        return "no claim"
    detail = row["reason"] if row["status"] == "not assessed" else f"{row['value']:.6g}"
    return f"{row['status']} ({detail})"


def moved_table() -> str:
    """Show which claims of the first registration have another verdict by today's judge, and why."""
    first = read_ledger("first")
    verdicts = [v for v in recorded_verdicts() if v.claim.id in first]
    moved = [v for v in verdicts if v.status != first[v.claim.id]["status"]]
    rows = [
        (element("code", name := v.claim.id), first[name]["status"], v.status, v.reason, _sentences(v))
        for v in moved
    ]
    caption = f"{len(moved)} of {len(first)} verdicts moved: the protocol is part of the rule, reruns count"
    headers = ["Claim", "First round", "Now", "Why", "What the contract says"]
    return raw_block(table(headers, rows, caption=caption))


def _sentences(verdict: Verdict) -> str:
    """Quote the set-ups that a verdict's reason names parameters of."""
    setups = verdict.claim.terms.setups.values()
    return " ".join(s.says for s in setups if any(f"{name} is " in verdict.reason for name in s.requires))


def stage_verdicts(folder: Path, verdicts: Iterable[Verdict], tier: str) -> None:
    """Write `verdicts.json`, every verdict of a book; its schema lies in `book/_static`."""
    rows = [_verdict_row(verdict) for verdict in verdicts]
    write_json(folder / NAME, {"$schema": SCHEMA, "version": 1, "tier": tier, "verdicts": rows})


def _verdict_row(verdict: Verdict) -> dict[str, Any]:
    claim = verdict.claim
    return {
        **{name: getattr(claim, name) for name in OF_CLAIM},
        **{name: getattr(verdict, name) for name in OF_VERDICT},
        "claim": claim.claim.strip(),
        "page": f"{claim.notebook}.html#claim-{claim.id}",
        "superseded_by": claim.replacement and claim.replacement.id,
        "rule": claim.rule.model_dump(mode="json"),
        **_number_row(verdict),
        "reruns": [{"status": rerun.status, **_number_row(rerun)} for rerun in verdict.reruns],
    }


def _number_row(verdict: Verdict) -> dict[str, Any]:
    run, source = verdict.run, verdict.source
    ours = {"value": verdict.value, "interval": verdict.printed_interval, "seeds": verdict.seeds}
    made = {"protocol": run.protocol, "commit": run.provenance.get("commit")} if run else {}
    return {
        "ours": None if verdict.value is None else {**ours, "deciding_interval": verdict.interval},
        "run": source and {"protocol": "", "commit": None, **vars(source), **made},
    }


def outcome_lines(tier: str) -> list[str]:
    """Judge every claim by the evidence at hand and say what came of it."""
    verdicts = all_verdicts(tier)
    current = [verdict.status for verdict in verdicts if verdict.claim.replacement is None]
    counts = [f"{number} {status}" for status, number in sorted(Counter(current).items())]
    counts += [f"+ {len(verdicts) - len(current)} superseded"] if len(verdicts) > len(current) else []
    return [f"claims on tier {tier}: {', '.join(counts)}", *_for_want_of_data(verdicts), *_moved_lines(tier)]


class NumberPair(NamedTuple):
    """A recorded number and its live rerun, formatted."""

    name: str
    recorded: str  # with its 95 % interval
    live: str
    difference: str
    moved: str  # "outside" of that interval, "differs" where there is none; else empty


def pair_numbers(live: Evidence) -> list[NumberPair]:
    """Pair a live run's numbers with those recorded with the same parameters and data, moved ones first."""
    same = (run for run in reference_evidence() if is_rerun(run, live))
    if live.recorded or (recorded := next(same, None)) is None:
        return []
    shared = sorted(live.metrics.keys() & recorded.metrics.keys())
    pairs = [_pair(name, recorded, live) for name in shared if _data(live, name) == _data(recorded, name)]
    return sorted(pairs, key=lambda pair: not pair.moved)


def _data(run: Evidence, metric: str) -> list[str]:
    return sorted(run.data[name].sha256 for name in run.metrics[metric].data)


def _pair(name: str, *runs: Evidence) -> NumberPair:
    before, after = (numbers_by_seed(run.metrics[name], run.metrics[name].seeds) for run in runs)
    then, now, interval = mean(before), mean(after), student_interval(before)
    inside = interval is not None and interval[0] <= now <= interval[1]
    shown = f"{number(then, None)} {ends(interval, None)}" if interval else number(then, None)
    moved = "" if inside or f"{then:.4g}" == f"{now:.4g}" else "outside" if interval else "differs"
    return NumberPair(name, shown, number(now, None), difference(now - then, None), moved)


def _moved_lines(tier: str) -> list[str]:
    live = [run for run in collect_evidence(tier) if not run.recorded]
    pairs = [(run.notebook[:2], pair) for run in live for pair in pair_numbers(run)]
    moved = [
        f"  {chapter} {pair.name}: recorded {pair.recorded}, here {pair.live}, difference {pair.difference}"
        for chapter, pair in pairs
        if pair.moved
    ]
    return [f"live: {moved_words([pair for _, pair in pairs])}", *moved] if pairs else []


def moved_words(pairs: Sequence[NumberPair]) -> str:
    """Count the numbers outside of recorded intervals, and those that differ from a number without one."""
    count = Counter(pair.moved for pair in pairs)
    alone = f"; {count['differs']} without an interval differ" if count["differs"] else ""
    return f"{count['outside']} of {len(pairs)} numbers lie outside the recorded 95 % intervals{alone}"


def _for_want_of_data(verdicts: list[Verdict]) -> list[str]:
    waiting: dict[str, list[str]] = {}
    for verdict in verdicts:
        if verdict.reason.startswith(STANDIN):
            waiting.setdefault(verdict.reason, []).append(verdict.claim.id)
    return [
        f"{reason}, so not assessed: {', '.join(claims)} (make data says how to get the real data)"
        for reason, claims in waiting.items()
    ]
