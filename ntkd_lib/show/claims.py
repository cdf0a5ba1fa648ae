"""Claim tables: the paper's number, ours, and the verdict, side by side."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from ntkd_lib.lab.claims import Claim, load_claims
from ntkd_lib.lab.evidence import Evidence, collect_evidence
from ntkd_lib.lab.statistics import coverage
from ntkd_lib.lab.verdicts import Verdict, judge
from ntkd_lib.show.controls import without_method
from ntkd_lib.show.html import Html, element, fold, join, small, table
from ntkd_lib.show.numbers import NO_BREAK, NONE, OUTCOME_SIGNS, SIGNS, difference, ends, format_value, number
from ntkd_lib.show.style import OUTCOMES

SCOREBOARD = "00_scoreboard"
FORMS = defaultdict(lambda: format_value, ordering=difference)  # of values, by kind of rule
PAPERS = {
    "ntkd": "NTKD: neural tangent knowledge distillation",
    "koopman": "Koopman models by distillation",
    "spectral": "Spectral knowledge distillation",
    "dntk": "DNTK: the distilled neural tangent kernel",
    "nint": "NINT: NTK-guided implicit neural teaching",
    "ours": "Our own controls",
}


def _paper_digits(value: float) -> int | None:
    shown = f"{value:g}"
    return len(shown.partition(".")[2]) if "e" not in shown else None


def paper_value(claim: Claim) -> str:
    """Format the paper's number with its own digits and spread."""
    if claim.value is None:
        return NONE
    digits = _paper_digits(claim.value)
    text = FORMS[claim.rule.kind](claim.value, claim.unit, digits)
    if not claim.spread:
        return text
    plain, spread = (number(x, claim.unit, _paper_digits(x)) for x in (claim.value, claim.spread))
    return text.replace(plain, f"{plain}{NO_BREAK}±{NO_BREAK}{spread}", 1)


def our_value(verdict: Verdict, *, deciding: bool = True) -> Html:
    """Format our number with its 95 % interval by Student's t, its seeds, and the interval that decides."""
    if verdict.value is None:
        return Html(NONE)
    unit, lines = verdict.claim.unit, []
    unit = "points" if (verdict.claim.rule.kind, unit) == ("ordering", "percent") else unit
    value = element("span", FORMS[verdict.claim.rule.kind](verdict.value, unit), class_="ntkd-number")
    if verdict.printed_interval is not None:
        lines.append(element("span", ends(verdict.printed_interval, unit), class_="ntkd-interval"))
    if verdict.seeds > 1:
        lines.append(small(f"{verdict.seeds} seeds"))
    if deciding and verdict.printed_interval is not None and verdict.interval is not None:
        words = f"deciding bootstrap: {ends(verdict.interval, unit)}, covers"
        lines.append(small(words, f" {coverage(verdict.seeds, 'bootstrap'):.0f} %"))
    return join([value, *lines, *(_rerun_line(verdict, other) for other in verdict.reruns)])


def _rerun_line(verdict: Verdict, other: Verdict) -> Html:
    """Show the number of another run of the same protocol, and by how much the one above differs from it."""
    claim, moved = verdict.claim, difference(verdict.value - other.value, verdict.claim.unit)
    return small(f"{other.source}: {FORMS[claim.rule.kind](other.value, claim.unit)}; difference {moved}")


def badge(verdict: Verdict) -> Html:
    """Show a verdict by sign, word and colour, with its qualifier and reason."""
    name = verdict.status.replace(" ", "-")
    sign = element("span", SIGNS[verdict.status], aria_hidden="true")
    shown = element("span", sign, " ", verdict.status, class_=f"ntkd-badge ntkd-{name}")
    side = f"our value lies {verdict.side}" if verdict.side else ""
    words = [word for word in (verdict.qualifier, side, verdict.reason) if word]
    return join([shown, *map(small, words)])


def statement(claim: Claim) -> Html:
    """Format a claim with its place in the paper and its name; struck out once superseded."""
    place = small(f"{claim.where} · ", element("code", claim.id))
    if claim.replacement is None:
        return join([element("span", claim.claim.strip(), class_="ntkd-claim"), place])
    name = claim.replacement.id
    link = element("a", name, href=f"{SCOREBOARD}.html#claim-{name}")
    why = small("superseded by ", link, f": {claim.replacement.note}")
    return join([element("del", claim.claim.strip(), class_="ntkd-claim"), place, why])


def claim_box(evidence: Evidence, lead: Sequence[str] = (), part: str = "") -> Html:
    """Judge a notebook's claims by its run or recorded ones: `lead`, the others folded; a `part` is alone."""
    notebook = evidence.notebook
    claims = {claim.id: claim for claim in load_claims().claims if claim.notebook == notebook}
    if unknown := [name for name in lead if name not in claims]:
        raise ValueError(f"claim {unknown[0]!r} is not one of notebook {notebook}: {', '.join(claims)}")
    recorded = [run for run in collect_evidence(evidence.tier) if run.recorded]
    verdicts = {name: judge(claim, [evidence, *recorded]) for name, claim in claims.items()}
    if part:
        return claim_table([verdicts[name] for name in lead], caption=part, anchors=False)
    rest = [verdict for name, verdict in verdicts.items() if name not in lead]
    if not lead or not rest:
        return claim_table(verdicts.values(), caption="The claims of this chapter")
    shown = claim_table([verdicts[name] for name in lead], caption="The claims that matter most here")
    return join([shown, _folded(rest)])


def _folded(verdicts: Sequence[Verdict]) -> Html:
    """Fold claims below a line that counts their verdicts; superseded ones are not counted."""
    counts = Counter(verdict.status for verdict in verdicts if verdict.claim.replacement is None)
    words = ", ".join(f"{counts[status]} {status}" for status in SIGNS if counts[status])
    title = f"All other claims of this chapter: {words}"
    return fold(title, claim_table(verdicts, caption="The other claims"))


def claim_table(
    verdicts: Iterable[Verdict],
    *,
    caption: str,
    chapters: Sequence[str] | None = None,
    notes: Mapping[str, Html] | None = None,
    anchors: bool = True,
) -> Html:
    """Show verdicts as a table, with `notes` below their claims; `chapters` adds links and tiers."""
    listed = list(verdicts)
    rows = [_claim_row(each, chapters, (notes or {}).get(each.claim.id, Html(""))) for each in listed]
    headers = ["Claim", "Paper", "Ours (95 % interval)", "Verdict"]
    headers += [] if chapters is None else ["Where"]
    ids = [f"claim-{verdict.claim.id}" for verdict in listed] if anchors else None
    return table(headers, rows, caption=caption, row_ids=ids, class_="ntkd-claims")


def _claim_row(verdict: Verdict, chapters: Sequence[str] | None, note: Html) -> list[object]:
    shown = join([badge(verdict), _control_line(verdict), source_line(verdict)])
    claim = join([statement(verdict.claim), note])
    row: list[object] = [claim, paper_value(verdict.claim), our_value(verdict), shown]
    return row if chapters is None else [*row, where_links(verdict.claim, chapters)]


def _control_line(verdict: Verdict) -> Html:
    control = without_method(verdict).replace(NONE, "not measured")
    return small(f"control: {control}") if verdict.status == "exceeded" else Html("")


def where_links(claim: Claim, chapters: Sequence[str]) -> Html:
    """Link a claim to its row and to the provenance in its chapter."""
    tier = small(f"needs tier {claim.tier}")
    if claim.notebook not in chapters:
        return join([small(f"notebook {claim.notebook[:2]}, not built yet"), tier])
    page = f"{claim.notebook}.html"
    links = [
        element("a", f"chapter {claim.notebook[:2]}", href=f"{page}#claim-{claim.id}"),
        element("a", "provenance", href=f"{page}#provenance"),
    ]
    return join([element("span", join(links, ", ")), tier])


def source_line(verdict: Verdict) -> Html:
    """Describe the run that decides a verdict."""
    return small(verdict.source) if verdict.source else Html("")


def banner(evidence: Evidence) -> Html:
    """Warn of stand-in data and of changed parameters."""
    standins = sorted(name for name, state in evidence.data.items() if state.kind == "standin")
    data = (
        f"Stand-in data: {', '.join(standins)}. Claims that need the real data are not assessed by this run; "
        "verdicts marked as recorded rest on runs with the real data."
    )
    names = ", ".join(sorted(evidence.changed))
    changed = f"Changed parameters: {names}. Claims are not assessed unless the tier's own values are used."
    notes = {data: standins, changed: evidence.changed}
    return join(element("div", note, class_="ntkd-banner", role="note") for note, of in notes.items() if of)


def count_table(verdicts: Iterable[Verdict]) -> Html:
    """Count the verdicts per paper; simulated and proxy ones and superseded claims are counted separately."""
    listed = list(verdicts)
    groups = {title: [v for v in listed if v.claim.paper == paper] for paper, title in PAPERS.items()}
    groups["All"] = listed
    rows = [
        (title, *(_count_cell(group, outcome) for outcome in OUTCOMES), _claims_cell(group))
        for title, group in groups.items()
    ]
    headers = ("Paper", *map(_outcome_header, OUTCOMES), "Claims")
    return table(headers, rows, caption="Verdicts for each paper; ✕: not reproduced", class_="ntkd-counts")


def _outcome_header(outcome: str) -> Html:
    sign = element("span", f"{OUTCOME_SIGNS[outcome]} ", aria_hidden="true")
    return join([sign, element("span", outcome.capitalize(), class_="ntkd-word")])


def _count_cell(verdicts: Iterable[Verdict], outcome: str) -> Html:
    current = [verdict for verdict in verdicts if verdict.claim.replacement is None]
    qualifiers = [verdict.qualifier for verdict in current if verdict.outcome == outcome]
    plain = qualifiers.count("") if outcome != "not assessed" else len(qualifiers)
    apart = [word for word in ("simulated", "proxy") if word in qualifiers and outcome != "not assessed"]
    lines = [small(f"+ {qualifiers.count(word)} {word}") for word in apart]
    return join([str(plain), *lines])


def _claims_cell(verdicts: Sequence[Verdict]) -> Html:
    superseded = sum(verdict.claim.replacement is not None for verdict in verdicts)
    apart = [small(f"+ {superseded} superseded")] if superseded else []
    return join([str(len(verdicts) - superseded), *apart])
