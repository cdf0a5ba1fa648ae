"""Summary of the scoreboard: verdicts of all claims, and their counts."""

from collections import Counter
from collections.abc import Iterable

import pandas as pd

from ntkd_lib.lab import Verdict, project_root


def built_chapters() -> list[str]:
    """List the notebooks that have a page in the book."""
    return sorted(path.stem for path in (project_root() / "notebooks").glob("[0-9][0-9]_*.py"))


def verdict_counts(verdicts: Iterable[Verdict]) -> pd.DataFrame:
    """Count the verdicts by paper, outcome and qualifier, without superseded claims."""
    current = (verdict for verdict in verdicts if verdict.claim.replacement is None)
    counts = Counter((verdict.claim.paper, verdict.outcome, verdict.qualifier) for verdict in current)
    rows = [(*key, number) for key, number in counts.items()]
    return pd.DataFrame(rows, columns=["paper", "outcome", "qualifier", "claims"])
