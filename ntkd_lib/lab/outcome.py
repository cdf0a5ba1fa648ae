"""The verdicts on all claims of the contract, by the evidence at hand."""

from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.evidence import collect_evidence
from ntkd_lib.lab.verdicts import Verdict, judge


def all_verdicts(tier: str) -> list[Verdict]:
    """Judge every claim by the evidence at hand."""
    evidences = collect_evidence(tier)
    return [judge(claim, evidences) for claim in load_claims().claims]
