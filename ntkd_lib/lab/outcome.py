"""The verdicts on all claims of the contract, one per claim in its order."""

from collections.abc import Sequence

from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.evidence import Evidence, collect_evidence, recorded_evidence
from ntkd_lib.lab.verdicts import Verdict, judge


def verdicts_on(evidences: Sequence[Evidence]) -> list[Verdict]:
    """Judge every claim by some evidence."""
    return [judge(claim, evidences) for claim in load_claims().claims]


def all_verdicts(tier: str) -> list[Verdict]:
    """Judge every claim by a tier's live evidence and by what is recorded."""
    return verdicts_on(collect_evidence(tier))


def recorded_verdicts() -> list[Verdict]:
    """Judge every claim by what is recorded in the project, live runs left out."""
    return verdicts_on(recorded_evidence())
