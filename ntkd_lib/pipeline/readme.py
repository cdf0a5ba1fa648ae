"""README.md's claim table and figure, from recorded evidence: ``python -m ntkd_lib.pipeline.readme``."""

import re
import sys
from collections.abc import Iterable

from ntkd_lib.lab import Evidence, Verdict, coverage, project_root, recorded_verdicts, write_bytes, write_text
from ntkd_lib.lab.manifest import read_recorded, renew_manifest
from ntkd_lib.pipeline.errors import PipelineError, one_line
from ntkd_lib.pipeline.ledger import WRITE, write_ledger
from ntkd_lib.pipeline.numbers import Page, recorded_runs
from ntkd_lib.show.claims import paper_value
from ntkd_lib.show.controls import without_method
from ntkd_lib.show.headlines import FIGURE, HEADLINES, draw_headline, headlines
from ntkd_lib.show.numbers import NONE, SIGNS, ends, format_value

MARK = "<!-- claims -->"
TIME = re.compile(r"(<!-- time (?P<row>[^/]+)/(?P<way>[^:]+) :(?P<form>\S+) -->).*?(<!-- /time -->)")
HEAD = ("| claim | paper | ours [95 % interval] | control | verdict |", "|---|---|---|---|---|")


def claims_block(verdicts: Iterable[Verdict]) -> str:
    """Write verdicts as a Markdown table, and below it what its intervals are worth."""
    five, ten = (f"{coverage(seeds, 'bootstrap'):.0f} %" for seeds in (5, 10))
    worth = (
        "Intervals are Student's t over seeds. The contract's percentile bootstrap decides; it holds the "
        f"true mean in {five} of cases with 5 seeds, in {ten} with 10."
    )
    return "\n".join([*HEAD, *(_row(verdict) for verdict in verdicts), "", worth])


def _row(verdict: Verdict) -> str:
    status = f"{SIGNS[verdict.status]} {verdict.status}"
    remarks = ", ".join(word for word in (verdict.qualifier, verdict.side, verdict.reason) if word)
    shown = f"{status} ({remarks})" if remarks else status
    name = HEADLINES[verdict.claim.id]
    cells = (name, paper_value(verdict.claim), _ours(verdict), without_method(verdict), shown)
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _ours(verdict: Verdict) -> str:
    if verdict.value is None:
        return NONE
    value, interval = format_value(verdict.value, verdict.claim.unit), verdict.printed_interval
    return f"{value} {ends(interval, verdict.claim.unit)}" if interval else value


def with_claims(text: str, block: str) -> str:
    """Put a table between the two marks of a page."""
    parts = text.split(MARK)
    if len(parts) != 3:
        raise PipelineError(f"README.md holds the mark {MARK} {len(parts) - 1} times; it must stand twice")
    return f"{parts[0]}{MARK}\n{block}\n{MARK}{parts[2]}"


def written(text: str) -> str:
    """Write the claim table and the bound numbers of README.md from the recorded evidence."""
    page = Page("README.md", "", recorded_runs())
    return with_times(page.plain(with_claims(text, claims_block(headlines(recorded_verdicts())))))


def with_times(text: str) -> str:
    """Fill the seconds of the recorded kernel benchmark between their marks: ``ROW/WAY :FORMAT``."""
    rows = read_recorded("benchmarks/entk_cpu.json")["rows"]

    def filled(match: re.Match[str]) -> str:
        return f"{match[1]}{rows[match['row']][match['way']]['seconds']:{match['form']}}{match[5]}"

    return TIME.sub(filled, text)


def readme_problems() -> list[str]:
    """Say whether README.md shows other numbers than the recorded evidence gives."""
    path = project_root() / "README.md"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if not text or written(text) == text:
        return []
    return [f"README.md: its numbers are not those of the recorded evidence; write them anew: {WRITE}"]


def figure_bytes() -> bytes:
    """Draw the README's figure from the recorded run with the most seeds, the latest of these."""
    from ntkd_lib.show.publish import svg_bytes

    runs = [run for run in recorded_runs().values() if run.metrics.keys() >= FIGURE.keys()]
    if not runs:
        raise PipelineError(f"results holds no run with {', '.join(FIGURE)}")

    def seeds_and_time(run: Evidence) -> tuple[int, str]:
        return min(len(run.metrics[name].seeds) for name in FIGURE), run.provenance["time"]

    chosen = max(runs, key=seeds_and_time)
    return svg_bytes(lambda: draw_headline(chosen.metrics))


def main() -> None:
    """Write the verdicts on recorded evidence: all of them, README.md's table, and its figure."""
    write_ledger()
    path = project_root() / "README.md"
    write_text(path, written(path.read_text(encoding="utf-8")))
    drawing = project_root() / "book" / "_static" / "readme.svg"
    write_bytes(drawing, figure_bytes())
    renew_manifest(drawing)


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, ValueError, OSError) as error:
        sys.exit(f"ntkd: {one_line(error)}")
