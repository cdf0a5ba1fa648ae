"""Robustness of a verdict, in a line and a small figure: tolerance, number of seeds and reruns."""

from collections.abc import Iterable, Sequence

from ntkd_lib.lab import Verdict, coverage
from ntkd_lib.lab.robustness import Step, adjusted_orderings, flip_probability, steps_by_seeds
from ntkd_lib.show.html import Html, element, fold, small, table
from ntkd_lib.show.numbers import SIGNS, format_value, number
from ntkd_lib.show.style import STATUS_COLOURS

LEFT, COLUMN, TOP, HEIGHT = 54, 19, 6, 72
COUNTS = (3, 5, 8, 10)  # of seeds, in the table of coverages


def firmness(verdict: Verdict) -> Html:
    """Estimate how often a rerun would change a verdict, with its curve in a fold."""
    steps = steps_by_seeds(verdict)
    if not steps:
        return Html("")
    axes = f"Across: the first seeds. Up: the threshold loosened, in {_unit(verdict) or 'its unit'}."
    caption = small(f"{axes} {_margin_words(verdict, steps[-1])}")
    return fold(_rerun_words(verdict), verdict_curve(verdict, steps), caption, class_="ntkd-firm")


def _rerun_words(verdict: Verdict) -> str:
    """Say how often a rerun would change the verdict, or why that is not known."""
    if verdict.status == "not assessed":
        return "what its rule would decide"
    if verdict.status == "undecided":
        return "a rerun has changed the verdict"
    flips = flip_probability(verdict)
    if flips is None:
        return "one number: no model of a rerun"
    share = f"{100 * flips:.0f} %" if flips >= 0.01 else "less than 1 %"
    return f"a rerun would change the verdict in {share} of cases"


def coverage_table() -> Html:
    """Show the coverage of 95 % intervals of the mean of normal data, by number of seeds."""
    kinds = {"Student's t, which pages print": "student", "Percentile bootstrap, which decides": "bootstrap"}
    rows = [(words, *(f"{coverage(count, kind):.1f} %" for count in COUNTS)) for words, kind in kinds.items()]
    headers = ("95 % interval", *(f"{count} seeds" for count in COUNTS))
    return table(headers, rows, caption="Simulated coverage of the two intervals on normal data")


def holm_notes(verdicts: Iterable[Verdict]) -> dict[str, Html]:
    """Format the adjusted p of each ordering that holds, with the number of all orderings, by claim."""
    listed = list(verdicts)
    adjusted = adjusted_orderings(listed)
    holding = {verdict.claim.id for verdict in listed if verdict.status in ("exceeded", "reproduced")}
    shown = {name: "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}" for name, p in adjusted.items()}
    words = f"(Holm, {len(adjusted)} orderings)"
    return {name: small(f"{p} {words}") for name, p in shown.items() if name in holding}


def verdict_curve(verdict: Verdict, steps: Sequence[Step]) -> Html:
    """Draw the verdict as a field: across, the first seeds; upwards, a looser threshold."""
    reach = 1.25 * max(abs(step.tolerance) for step in steps) or 1.0
    width = LEFT + COLUMN * len(steps) + 4
    parts = [part for place, step in enumerate(steps) for part in _column(verdict, step, place, reach)]
    return element(
        "svg",
        *parts,
        *_axis(reach, width),
        role="img",
        aria_label=curve_words(verdict, steps),
        class_="ntkd-curve",
        viewBox=f"0 0 {max(width, 120)} {TOP + HEIGHT + 28}",
        width=max(width, 120),
    )


def curve_words(verdict: Verdict, steps: Sequence[Step]) -> str:
    """Describe the figure in words."""
    by_seeds = ", ".join(f"{step.seeds} {step.decision}" for step in steps)
    margin = _margin_words(verdict, steps[-1])
    return f"Verdict against tolerance and number of seeds. {margin} First seeds: {by_seeds}."


def _margin_words(verdict: Verdict, last: Step) -> str:
    size = format_value(abs(last.tolerance), _unit(verdict))
    firm = f"is missed by {size}" if last.decision == "not reproduced" else f"holds with {size} to spare"
    return f"With all seeds the rule {firm}."


def _unit(verdict: Verdict) -> str | None:
    return "points" if verdict.claim.unit == "percent" else verdict.claim.unit


def _column(verdict: Verdict, step: Step, place: int, reach: float) -> list[Html]:
    left, border = LEFT + COLUMN * place, _height(step.tolerance, reach)
    holds = "exceeded" if step.decision == "exceeded" else "reproduced"
    opacity = 0.5 if step.seeds >= verdict.claim.seeds else 0.2
    fields = ((holds, TOP, border - TOP), ("not reproduced", border, TOP + HEIGHT - border))
    block = {"x": left, "width": COLUMN - 1, "fill_opacity": opacity}
    middle = {"x": left + COLUMN / 2, "text_anchor": "middle", "fill": "currentColor", "font_size": 10}
    return [
        *(
            element("rect", y=f"{y:.1f}", height=f"{height:.1f}", fill=STATUS_COLOURS[name], **block)
            for name, y, height in fields
        ),
        element("text", SIGNS[step.decision], y=_height(0, reach) + 3.5, **middle),
        element("text", str(step.seeds), y=TOP + HEIGHT + 12, **middle),
    ]


def _height(tolerance: float, reach: float) -> float:
    return TOP + HEIGHT * (reach - tolerance) / (2 * reach)


def _axis(reach: float, width: float) -> list[Html]:
    line, ink = _height(0, reach), {"fill": "currentColor", "font_size": 9}
    marks = {f"+{number(reach, None, 2)}": TOP + 7, "rule": line + 3, number(-reach, None, 2): TOP + HEIGHT}
    ends = {"x1": LEFT - 3, "x2": width, "y1": line, "y2": line}
    return [
        element("line", **ends, stroke="currentColor", stroke_dasharray="2 2"),
        *(element("text", text, x=LEFT - 5, y=y, text_anchor="end", **ink) for text, y in marks.items()),
        element("text", "first seeds", x=LEFT, y=TOP + HEIGHT + 24, **ink),
    ]
