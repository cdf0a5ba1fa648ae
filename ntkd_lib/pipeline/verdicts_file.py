"""`verdicts.json`: every verdict of a book as plain data, with a JSON schema that other books may use."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from ntkd_lib.lab.atomic import write_json
from ntkd_lib.lab.setups import Strict
from ntkd_lib.lab.verdicts import Outcome, Status, Verdict

NAMES = ("verdicts.json", "verdicts.schema.json")
Interval = tuple[float, float]


class OurNumber(Strict):
    """A measured number, also where it decides nothing."""

    value: float
    interval: Interval | None = Field(description="95 % by Student's t, Fieller's for ratios")
    deciding_interval: Interval | None = Field(description="the one that the rule reads")
    seeds: int


class DecidingRun(Strict):
    """The run that a verdict rests on."""

    recorded: bool = Field(description="false: run for this book")
    protocol: str = Field(description="a registered protocol; empty: the tier's own parameters")
    tier: str
    device: str
    date: str
    commit: str | None


class VerdictRow(Strict):
    """A claim, the paper's number, ours, and what became of it."""

    id: str
    paper: str
    where: str = Field(description="place in the paper")
    claim: str
    page: str = Field(description="address in the book")
    superseded_by: str | None
    value: float | None = Field(description="the paper's number")
    spread: float | None
    unit: str | None
    rule: dict[str, Any] = Field(description="kind and bounds, fixed before anything ran")
    status: Status
    outcome: Outcome = Field(description="status, with failed baselines told from failed claims")
    qualifier: Literal["", "simulated", "proxy"]
    reason: str
    ours: OurNumber | None
    run: DecidingRun | None


class VerdictFile(Strict):
    """All verdicts of a book, in the order of its contract."""

    schema_address: Literal["verdicts.schema.json"] = Field(NAMES[1], alias="$schema")
    version: Literal[1] = 1
    tier: str
    verdicts: list[VerdictRow]


def stage_verdicts(folder: Path, verdicts: Iterable[Verdict], tier: str) -> None:
    """Write the file and its schema into a folder."""
    content = VerdictFile(tier=tier, verdicts=[_row(verdict) for verdict in verdicts])
    write_json(folder / NAMES[0], content.model_dump(mode="json", by_alias=True))
    write_json(folder / NAMES[1], VerdictFile.model_json_schema(mode="serialization"))


def _row(verdict: Verdict) -> VerdictRow:
    claim, names = verdict.claim, ("id", "paper", "where", "value", "spread", "unit")
    return VerdictRow(
        **{name: getattr(claim, name) for name in names},
        **{name: getattr(verdict, name) for name in ("status", "outcome", "qualifier", "reason")},
        claim=claim.claim.strip(),
        page=f"{claim.notebook}.html#claim-{claim.id}",
        superseded_by=claim.replacement and claim.replacement.id,
        rule=claim.rule.model_dump(mode="json"),
        ours=_ours(verdict),
        run=_run(verdict),
    )


def _ours(verdict: Verdict) -> OurNumber | None:
    if verdict.value is None:
        return None
    printed, deciding = verdict.printed_interval, verdict.interval
    return OurNumber(value=verdict.value, interval=printed, deciding_interval=deciding, seeds=verdict.seeds)


def _run(verdict: Verdict) -> DecidingRun | None:
    if (source := verdict.source) is None:
        return None
    protocol, commit = (
        (verdict.run.protocol, verdict.run.provenance.get("commit")) if verdict.run else ("", None)
    )
    return DecidingRun(
        recorded=source.recorded,
        protocol=protocol,
        tier=source.tier,
        device=source.device,
        date=source.date,
        commit=commit,
    )
