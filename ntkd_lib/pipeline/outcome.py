"""What the claims came to, in a line or two at the end of a command."""

from collections import Counter

from ntkd_lib.lab.verdicts import Verdict, all_verdicts

STANDIN = "stand-in data"


def outcome_lines(tier: str) -> list[str]:
    """Judge every claim by the evidence at hand and say what came of it."""
    verdicts = all_verdicts(tier)
    counts = Counter(verdict.status for verdict in verdicts)
    total = ", ".join(f"{number} {status}" for status, number in sorted(counts.items()))
    return [f"claims on tier {tier}: {total}", *_for_want_of_data(verdicts)]


def _for_want_of_data(verdicts: list[Verdict]) -> list[str]:
    waiting: dict[str, list[str]] = {}
    for verdict in verdicts:
        if verdict.reason.startswith(STANDIN):
            waiting.setdefault(verdict.reason, []).append(verdict.claim.id)
    return [
        f"{reason}, so not assessed: {', '.join(claims)} (make data says how to get the real data)"
        for reason, claims in waiting.items()
    ]
