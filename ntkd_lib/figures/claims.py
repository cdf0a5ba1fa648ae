"""Claim tables: the paper's number, ours, and the verdict, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isnan
from typing import Any, Literal

from ntkd_lib.figures.html import Html, element, join, table
from ntkd_lib.figures.style import STATUSES
from ntkd_lib.lab.claims import Claim, load_claims
from ntkd_lib.lab.evidence import Evidence, collect_evidence
from ntkd_lib.lab.verdicts import Verdict, judge

PAPERS = {
    "ntkd": "NTKD: neural tangent knowledge distillation",
    "koopman": "Koopman models by distillation",
    "spectral": "Spectral knowledge distillation",
    "dntk": "DNTK: the distilled neural tangent kernel",
    "nint": "NINT: NTK-guided implicit neural teaching",
    "ours": "Our own controls",
}
HEADLINES = (
    "ntkd-t3-mnist-ntkd",
    "ntkd-t3-mnist-order",
    "ntkd-t3-cifar10-ntkd",
    "ntkd-t3-carvana-ntkd",
    "ntkd-t4-mnist-ntkd",
    "koopman-q2-accuracy",
    "koopman-mnist-q2-order",
    "spectral-improves-all",
    "dntk-100x-accuracy",
    "nint-time-saving",
)
SIGNS = {"exceeded": "▲", "reproduced": "●", "not reproduced": "✕", "not assessed": "○"}
UNIT_WORDS = {"percent": "%", "points": "points", "ratio": "×"}
MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"
NO_BREAK = "\N{NO-BREAK SPACE}"


def _number(value: float, unit: str | None, digits: int | None = None) -> str:
    if digits is None:
        digits = 2 if unit in ("percent", "points", "dB") else None
    text = f"{value:,.4g}" if digits is None else f"{value:,.{digits}f}"
    return text.replace("-", MINUS)


def format_value(value: float, unit: str | None, digits: int | None = None) -> str:
    """Write a number with its unit."""
    sign = "+" if unit == "points" and value > 0 else ""
    word = UNIT_WORDS.get(unit or "", unit or "")
    return f"{sign}{_number(value, unit, digits)}{NO_BREAK}{word}".strip()


def signed(value: float, digits: int = 2) -> str:
    """Write a number with its sign; a dash for NaN."""
    return NONE if isnan(value) else f"{value:+.{digits}f}".replace("-", MINUS)


def interval_text(low: float, high: float, sign: Literal["", "+"] = "") -> str:
    """Write an interval; a dash for NaN, the interval of a single seed."""
    return NONE if isnan(low) else f"[{low:{sign}.2f}, {high:{sign}.2f}]".replace("-", MINUS)


def gap_words(row: Any) -> str:
    """Say in words on which side of zero the interval of a mean difference lies."""
    if row.seeds == 1:
        return f"{signed(row.mean)} points (one seed)"
    side = "above zero" if row.low > 0 else "below zero" if row.high < 0 else "around zero"
    numbers = f"{signed(row.mean)} points, interval {interval_text(row.low, row.high, sign='+')} {side}"
    return f"{numbers}, {row.seeds} seeds"


def _paper_digits(value: float) -> int | None:
    shown = f"{value:g}"
    return len(shown.partition(".")[2]) if "e" not in shown else None


def paper_value(claim: Claim) -> str:
    """Write the paper's number as the paper gives it, with its spread."""
    if claim.value is None:
        return NONE
    digits = _paper_digits(claim.value)
    text = format_value(claim.value, claim.unit, digits)
    if not claim.spread:
        return text
    number = _number(claim.value, claim.unit, digits)
    return text.replace(
        number,
        f"{number}{NO_BREAK}±{NO_BREAK}{_number(claim.spread, claim.unit, _paper_digits(claim.spread))}",
        1,
    )


def our_value(verdict: Verdict) -> Html:
    """Write our number with its 95 % interval and its seeds."""
    if verdict.value is None:
        return Html(NONE)
    unit = verdict.claim.unit
    value = element("span", format_value(verdict.value, unit), class_="ntkd-number")
    return join([value, *_interval_lines(verdict)])


def _interval_lines(verdict: Verdict) -> list[Html]:
    unit, lines = verdict.claim.unit, []
    if verdict.interval is not None and verdict.interval[0] != verdict.interval[1]:
        low, high = (_number(end, unit) for end in verdict.interval)
        lines.append(element("span", f"[{low}, {high}]", class_="ntkd-interval"))
    if verdict.seeds > 1:
        lines.append(element("span", f"{verdict.seeds} seeds", class_="ntkd-small"))
    return lines


def badge(verdict: Verdict) -> Html:
    """Show a verdict by sign, word and colour, with its qualifier and reason."""
    name = verdict.status.replace(" ", "-")
    sign = element("span", SIGNS[verdict.status], aria_hidden="true")
    shown = element("span", sign, " ", verdict.status, class_=f"ntkd-badge ntkd-{name}")
    side = f"our value lies {verdict.side}" if verdict.side else ""
    words = [word for word in (verdict.qualifier, side, verdict.reason) if word]
    return join([shown, *(element("span", word, class_="ntkd-small") for word in words)])


def statement(claim: Claim) -> Html:
    """Write a claim in words, with its place in the paper and its name."""
    place = element("span", f"{claim.where} · ", element("code", claim.id), class_="ntkd-small")
    return join([element("span", claim.claim.strip(), class_="ntkd-claim"), place])


def _judged(evidences: Sequence[Evidence], notebook: str, ids: Sequence[str] | None) -> list[Verdict]:
    claims = {claim.id: claim for claim in load_claims().claims if claim.notebook == notebook}
    unknown = [name for name in ids or () if name not in claims]
    if unknown:
        raise ValueError(f"claim {unknown[0]!r} is not one of notebook {notebook}: {', '.join(claims)}")
    return [judge(claims[name], evidences) for name in ids or claims]


def claim_box(evidence: Evidence, ids: Sequence[str] | None = None) -> Html:
    """Judge a notebook's claims by what it has just measured, and show them.

    Recorded evidence of longer runs is considered too; each row says which was used.
    """
    recorded = [e for e in collect_evidence(evidence.tier) if e.recorded and e.notebook == evidence.notebook]
    verdicts = _judged([evidence, *recorded], evidence.notebook, ids)
    return claim_table(verdicts, caption="The claims of this chapter")


def claim_table(verdicts: Iterable[Verdict], *, caption: str, chapters: Sequence[str] | None = None) -> Html:
    """Show verdicts as a table: claim, paper, ours, verdict; on request tier, links and provenance too."""
    listed = list(verdicts)
    rows = [_claim_row(verdict, chapters) for verdict in listed]
    headers = ["Claim", "Paper", "Ours (95 % interval)", "Verdict"]
    headers += [] if chapters is None else ["Where"]
    ids = [f"claim-{verdict.claim.id}" for verdict in listed]
    return table(headers, rows, caption=caption, row_ids=ids, class_="ntkd-claims")


def _claim_row(verdict: Verdict, chapters: Sequence[str] | None) -> list[object]:
    shown = join([badge(verdict), source_line(verdict)])
    row: list[object] = [statement(verdict.claim), paper_value(verdict.claim), our_value(verdict), shown]
    return row if chapters is None else [*row, where_links(verdict.claim, chapters)]


def where_links(claim: Claim, chapters: Sequence[str]) -> Html:
    """Link a claim to its row and to the provenance in its chapter."""
    tier = element("span", f"needs tier {claim.tier}", class_="ntkd-small")
    if claim.notebook not in chapters:
        return join(
            [element("span", f"notebook {claim.notebook[:2]}, not built yet", class_="ntkd-small"), tier]
        )
    page = f"{claim.notebook}.html"
    links = [
        element("a", f"chapter {claim.notebook[:2]}", href=f"{page}#claim-{claim.id}"),
        element("a", "provenance", href=f"{page}#provenance"),
    ]
    return join([element("span", join(links, ", ")), tier])


def source_line(verdict: Verdict) -> Html:
    """Say which run a verdict rests on."""
    source = verdict.source
    if source is None:
        return Html("")
    words = [
        "recorded" if source.recorded else "live",
        f"tier {source.tier}",
        *([source.device, source.date] if source.recorded else []),
    ]
    return element("span", ", ".join(word for word in words if word), class_="ntkd-small ntkd-source")


def banner(evidence: Evidence) -> Html:
    """Warn of stand-in data and of changed parameters."""
    standins = sorted(name for name, state in evidence.data.items() if state.kind == "standin")
    notes = []
    if standins:
        text = (
            f"Stand-in data: {', '.join(standins)}. Claims that need the real data are not assessed by this "
            "run; verdicts marked as recorded rest on runs with the real data."
        )
        notes.append(text)
    if evidence.changed:
        names = ", ".join(sorted(evidence.changed))
        notes.append(
            f"Changed parameters: {names}. Claims are not assessed unless the tier's own values are used."
        )
    return join([element("div", note, class_="ntkd-banner", role="note") for note in notes])


def count_table(verdicts: Iterable[Verdict]) -> Html:
    """Count the verdicts for each paper; simulated and proxy ones are counted apart."""
    listed = list(verdicts)
    groups = {title: [v for v in listed if v.claim.paper == paper] for paper, title in PAPERS.items()}
    groups["All"] = listed
    rows = [
        (title, *(_count_cell(group, status) for status in STATUSES), str(len(group)))
        for title, group in groups.items()
    ]
    headers = ("Paper", *map(_status_header, STATUSES), "Claims")
    return table(headers, rows, caption="Verdicts for each paper", class_="ntkd-counts")


def _status_header(status: str) -> Html:
    sign = element("span", f"{SIGNS[status]} ", aria_hidden="true")
    return join([sign, element("span", status.capitalize(), class_="ntkd-word")])


def _count_cell(verdicts: Iterable[Verdict], status: str) -> Html:
    qualifiers = [verdict.qualifier for verdict in verdicts if verdict.status == status]
    plain = qualifiers.count("") if status != "not assessed" else len(qualifiers)
    apart = [word for word in ("simulated", "proxy") if word in qualifiers and status != "not assessed"]
    lines = [element("span", f"+ {qualifiers.count(word)} {word}", class_="ntkd-small") for word in apart]
    return join([str(plain), *lines])
