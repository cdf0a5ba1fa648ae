"""Check everything that has been built or recorded, without computing anything anew."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ntkd_lib.lab.digest import sha256_file
from ntkd_lib.lab.layout import Layout, build_root, cell_root, project_root, results_root, tier_layout
from ntkd_lib.lab.manifest import manifest_problems
from ntkd_lib.lab.outcome import all_verdicts
from ntkd_lib.pipeline.book import site_problems
from ntkd_lib.pipeline.errors import PipelineError, one_line
from ntkd_lib.pipeline.ledger import ledger_problems
from ntkd_lib.pipeline.notebooks import NotebookSource, all_notebooks
from ntkd_lib.pipeline.recheck import metric_problems
from ntkd_lib.pipeline.run import again
from ntkd_lib.pipeline.seal import Seal, check_seal, read_seal, record_file, same_target
from ntkd_lib.pipeline.target import target_of

if TYPE_CHECKING:
    from ntkd_lib.lab.claims import ClaimBook

_REFUSALS = (PipelineError, RuntimeError, ValueError, OSError)


def verify(tier: str, contract: Path | None = None, *, pages: bool = False) -> list[str]:
    """List what is wrong with a tier's results, the recorded evidence and the claim rules.

    Args:
        pages: whether to execute each notebook again from the stored records and compare its page.
    """
    layout = tier_layout(tier)
    problems = [*contract_problems(contract), *manifest_problems(), *_readme_problems()]
    problems += [*version_problems(layout), *site_problems(layout)]
    for notebook in all_notebooks():
        problems += _notebook_problems(layout, notebook.name)
        if pages and layout.executed(notebook.name).exists():
            problems += _page_problems(notebook, tier)
    for folder in sorted((build_root() / "runs").glob("*-*")):
        problems += _notebook_problems(Layout(folder), folder.name.rpartition("-")[0])
        problems += site_problems(Layout(folder))
    return [*dict.fromkeys([*problems, *_verdict_problems(tier)])]


def contract_problems(contract: Path | None = None) -> list[str]:
    """List what is wrong with the claim rules, the registered protocols and the recorded evidence."""
    return [*_claim_problems(contract), *_recorded_problems()]


def _claim_problems(contract: Path | None) -> Iterator[str]:
    from ntkd_lib.lab.claims import load_claims
    from ntkd_lib.lab.contract import check_contract

    try:
        yield from (f"claims: {problem}" for problem in check_contract(load_claims(), contract))
    except _REFUSALS as error:
        yield f"claims: {one_line(error)}"


def _recorded_problems() -> Iterator[str]:
    """Hold recorded evidence to its registration, and the committed verdicts to recorded evidence."""
    from ntkd_lib.lab.claims import load_claims

    try:
        book = load_claims()
        for path in sorted([*results_root().glob("*.json"), *results_root().glob("cpu/*.json")]):
            yield from (f"results/{path.name}: {line}" for line in _file_problems(path, book))
        yield from ledger_problems()
    except _REFUSALS as error:
        yield one_line(error)


def _file_problems(path: Path, book: ClaimBook) -> Iterator[str]:
    from ntkd_lib.lab.checks import recording_problems
    from ntkd_lib.lab.evidence import load_evidence

    try:
        evidence = load_evidence(path, recorded=True, reference=path.parent.name == "cpu")
        yield from recording_problems(evidence, book)
    except _REFUSALS as error:
        yield one_line(error)


def version_problems(layout: Layout) -> Iterator[str]:
    """List packages that differ from the lock, or from those that a tier's numbers were made with."""
    from ntkd_lib.lab.evidence import load_evidence
    from ntkd_lib.lab.provenance import other_versions
    from ntkd_lib.pipeline.doctor import check_packages

    if (project_root() / "constraints.txt").is_file() and (finding := check_packages()).status == "bad":
        yield f"packages: {finding.found}; {finding.action}"
    for path in sorted(layout.evidence("any").parent.glob("*.json")):
        with contextlib.suppress(ValueError):  # evidence that cannot be read is a problem of its own
            known = load_evidence(path).provenance
            made = [other_versions(origin.get("versions")) for origin in known.get("made", [known])]
            for name, (then, now) in {name: both for one in made for name, both in one.items()}.items():
                yield f"{path.stem}: its numbers were made with {name} {then}; {now or 'none'} is installed"


def _readme_problems() -> Iterator[str]:
    from ntkd_lib.pipeline.readme import readme_problems

    try:
        yield from readme_problems()
    except _REFUSALS as error:
        yield f"README.md: {one_line(error)}"


def _notebook_problems(layout: Layout, name: str) -> Iterator[str]:
    left = [layout.executed(name), layout.seal(name), layout.evidence(name)]
    if not any(path.exists() for path in left):
        return
    found = check_seal(layout, name)
    yield from found
    try:
        seal = read_seal(layout.seal(name))
        found += (deeper := [*_record_problems(seal), *_content_problems(seal, layout)])
        yield from (f"{name}: {problem}" for problem in deeper)
        if not found:
            yield from (f"{name}: {problem}" for problem in metric_problems(seal, layout, same_target(seal)))
    except _REFUSALS as error:
        yield f"{name}: {one_line(error).removeprefix(f'{name}: ')}"


def _page_problems(notebook: NotebookSource, tier: str) -> Iterator[str]:
    try:
        yield from (f"{notebook.name}: {problem}" for problem in again(target_of(notebook, tier, {})))
    except _REFUSALS as error:
        yield one_line(error)


def _record_problems(seal: Seal) -> Iterator[str]:
    from ntkd_lib.lab.store import CellStore, RecordError

    store = CellStore(cell_root())
    names = {key: name for name, key in seal.cells.items()}
    for key, digest in sorted(seal.records.items()):
        try:
            store.load(key)
        except RecordError as error:
            yield f"cell {names.get(key, key[:12])}: {one_line(error)}"
            continue
        if sha256_file(record_file(key)) != digest:
            yield f"cell {names.get(key, key[:12])}: its record is not the one that was sealed"


def _content_problems(seal: Seal, layout: Layout) -> Iterator[str]:
    """Look at what the seal speaks of, for a seal can be written by anybody."""
    import nbformat

    from ntkd_lib.lab.evidence import load_evidence
    from ntkd_lib.pipeline.executed import problems

    yield from problems(nbformat.read(layout.executed(seal.notebook), as_version=4), seal.parameters)
    if layout.evidence(seal.notebook).exists():
        evidence = load_evidence(layout.evidence(seal.notebook))
        if (evidence.notebook, evidence.tier, evidence.parameters) != (
            seal.notebook,
            seal.tier,
            seal.parameters,
        ):
            yield "its evidence is that of another run"


def _verdict_problems(tier: str) -> Iterator[str]:
    try:
        all_verdicts(tier)
    except _REFUSALS as error:
        yield f"verdicts: {one_line(error)}"
