"""Check everything that has been built or recorded, without computing anything anew."""

import contextlib
import importlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from ntkd_lib.chapters.run import Run
from ntkd_lib.lab import ClaimBook, all_verdicts, load_claims, manifest_problems, other_versions, sha256_file
from ntkd_lib.lab.checks import recording_problems
from ntkd_lib.lab.contract import check_contract
from ntkd_lib.lab.evidence import Metric, load_evidence
from ntkd_lib.lab.layout import Layout, build_root, cell_root, project_root, results_root, tier_layout
from ntkd_lib.lab.store import CellStore, RecordError
from ntkd_lib.lab.worker import one_thread, torch_on_one_thread
from ntkd_lib.pipeline.book import site_problems
from ntkd_lib.pipeline.doctor import check_packages
from ntkd_lib.pipeline.errors import PipelineError, one_line
from ntkd_lib.pipeline.ledger import ledger_problems
from ntkd_lib.pipeline.notebooks import Target, all_notebooks, target_of
from ntkd_lib.pipeline.readme import readme_problems
from ntkd_lib.pipeline.recorded import recorded_problems
from ntkd_lib.pipeline.run import again
from ntkd_lib.pipeline.scrub import page_problems
from ntkd_lib.pipeline.seal import Seal, cell_keys, check_seal, read_seal, record_file, same_target


def verify(tier: str, contract: Path | None = None, *, pages: bool = False) -> list[str]:
    """List what is wrong with results, recorded evidence and rules; with `pages` execute notebooks again."""
    layout = tier_layout(tier)
    problems = [*contract_problems(contract), *manifest_problems(), *_said("README.md: ", readme_problems)]
    problems += [*version_problems(layout), *site_problems(layout)]
    for notebook in all_notebooks():
        problems += (own := _notebook_problems(layout, notebook.name))
        if pages and not own and layout.executed(notebook.name).exists():
            problems += _said(f"{notebook.name}: ", lambda each=notebook: again(target_of(each, tier, {})))
    for folder in sorted((build_root() / "runs").glob("*-*")):
        problems += _notebook_problems(Layout(folder), folder.name.rpartition("-")[0])
        problems += site_problems(Layout(folder))
    problems += _said("verdicts: ", lambda: all_verdicts(tier) and ())
    return [*dict.fromkeys(problems)]


def _said(prefix: str, check: Callable[[], Iterable[str]]) -> list[str]:
    """Run a check; begin each of its lines with a prefix, that of an error which stops it too."""
    problems = []
    try:
        problems.extend(check())
    except (PipelineError, RuntimeError, ValueError, OSError) as error:
        problems.append(one_line(error))
    return [prefix + problem.removeprefix(prefix) for problem in problems]


def contract_problems(contract: Path | None = None) -> list[str]:
    """List what is wrong with the claim rules, the registered protocols and the recorded evidence."""
    problems = _said("claims: ", lambda: check_contract(load_claims(), contract))
    return [*problems, *_said("", _recorded_problems), *_said("", recorded_problems)]


def _recorded_problems() -> Iterator[str]:
    """Hold recorded evidence to its registration, and the committed verdicts to recorded evidence."""
    book = load_claims()
    for path in sorted([*results_root().glob("*.json"), *results_root().glob("cpu/**/*.json")]):
        place = path.relative_to(results_root()).as_posix()
        yield from _said(f"results/{place}: ", lambda path=path: _file_problems(path, book))
    yield from ledger_problems()


def _file_problems(path: Path, book: ClaimBook) -> Iterable[str]:
    reference = path.parent != results_root()
    return recording_problems(load_evidence(path, recorded=True, reference=reference), book)


def version_problems(layout: Layout) -> Iterator[str]:
    """List packages that differ from the lock, or from those that a tier's numbers were made with."""
    if (project_root() / "constraints.txt").is_file() and (finding := check_packages()).status == "bad":
        yield f"packages: {finding.found}; {finding.action}"
    for path in sorted(layout.evidence("any").parent.glob("*.json")):
        with contextlib.suppress(ValueError):  # evidence that cannot be read is a problem of its own
            page = load_evidence(path).provenance
            made = [other_versions(origin.get("versions")) for origin in page.get("made", [page])]
            for name, (then, now) in {name: both for one in made for name, both in one.items()}.items():
                yield f"{path.stem}: its numbers were made with {name} {then}; {now or 'none'} is installed"


def _notebook_problems(layout: Layout, name: str) -> list[str]:
    if not any(path(name).exists() for path in (layout.executed, layout.seal, layout.evidence)):
        return []
    problems = check_seal(layout, name)
    return problems + _said(f"{name}: ", lambda: _deeper_problems(layout, name, sound=not problems))


def _deeper_problems(layout: Layout, name: str, *, sound: bool) -> Iterator[str]:
    seal = read_seal(layout.seal(name))
    problems = [*_record_problems(seal), *_content_problems(seal, layout)]
    yield from problems
    if sound and not problems:
        yield from metric_problems(seal, layout, same_target(seal))


def _record_problems(seal: Seal) -> Iterator[str]:
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

    yield from page_problems(nbformat.read(layout.executed(seal.notebook), as_version=4), seal.parameters)
    if layout.evidence(seal.notebook).exists():
        of = load_evidence(layout.evidence(seal.notebook))
        if (of.notebook, of.tier, of.parameters) != (seal.notebook, seal.tier, seal.parameters):
            yield "its evidence is that of another run"


def metric_problems(seal: Seal, layout: Layout, target: Target) -> Iterator[str]:
    """Compare published metrics with those that the summary makes of the records."""
    path = layout.evidence(seal.notebook)
    published = load_evidence(path).metrics if path.exists() else {}
    derive = metrics_of(target.notebook.chapter)
    if derive is None:
        if published:
            yield f"metrics cannot be derived again: {target.notebook.chapter} has no metrics(run)"
        return
    with one_thread(), torch_on_one_thread():  # as in the notebook's own process
        derived = derive(_stored_run(target, layout))
    for name in sorted({*published, *derived}):
        if published.get(name) != derived.get(name):
            yield f"metric {name} is not what its records give"


def metrics_of(chapter: str) -> Callable[[object], Mapping[str, Metric]] | None:
    """Find the function that makes a chapter's metrics of a run."""
    module = f"{chapter}.page"
    if importlib.util.find_spec(module) is None:
        return None
    return getattr(importlib.import_module(module), "metrics", None)


def _stored_run(target: Target, layout: Layout) -> object:
    store = CellStore(cell_root())
    cells = target.cells
    records = {name: store.load(key) for name, key in cell_keys(cells).items()}
    return Run(target.name, target.parameters, records, {}, layout, {}, tuple(cells))
