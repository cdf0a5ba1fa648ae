"""`verdicts.json`: every verdict of a book as plain data; its schema lies in `book/_static`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ntkd_lib.lab.atomic import write_json
from ntkd_lib.lab.verdicts import Verdict

NAME, SCHEMA = "verdicts.json", "verdicts.schema.json"
OF_CLAIM = ("id", "paper", "where", "value", "spread", "unit")
OF_VERDICT = ("status", "outcome", "qualifier", "reason")


def stage_verdicts(folder: Path, verdicts: Iterable[Verdict], tier: str) -> None:
    """Write the file into a folder."""
    rows = [_row(verdict) for verdict in verdicts]
    write_json(folder / NAME, {"$schema": SCHEMA, "version": 1, "tier": tier, "verdicts": rows})


def _row(verdict: Verdict) -> dict[str, Any]:
    claim, run, source = verdict.claim, verdict.run, verdict.source
    ours = {"value": verdict.value, "interval": verdict.printed_interval, "seeds": verdict.seeds}
    made = {"protocol": run.protocol, "commit": run.provenance.get("commit")} if run else {}
    return {
        **{name: getattr(claim, name) for name in OF_CLAIM},
        **{name: getattr(verdict, name) for name in OF_VERDICT},
        "claim": claim.claim.strip(),
        "page": f"{claim.notebook}.html#claim-{claim.id}",
        "superseded_by": claim.replacement and claim.replacement.id,
        "rule": claim.rule.model_dump(mode="json"),
        "ours": None if verdict.value is None else {**ours, "deciding_interval": verdict.interval},
        "run": source and {"protocol": "", "commit": None, **vars(source), **made},
    }
