"""Seals: what an executed notebook was made from and what it left, so that any later change shows."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import pydantic

from ntkd_lib.data.registry import locate
from ntkd_lib.lab.cells import Cell, cell_key
from ntkd_lib.lab.digest import changes, digest_json, sha256_file
from ntkd_lib.lab.evidence import load_evidence
from ntkd_lib.lab.layout import Layout, build_root, cell_root, project_root, results_root
from ntkd_lib.lab.store import CellStore
from ntkd_lib.pipeline.errors import PipelineError, one_line
from ntkd_lib.pipeline.notebooks import Target, code_digest, find_notebook, source_hash, target_of
from ntkd_lib.pipeline.workbench import other_evidence

SCHEMA = 1
Hashes = dict[str, str]


class Seal(pydantic.BaseModel):
    """What a sealed notebook depends on and what belongs to it, as SHA-256 hashes by name."""

    model_config = pydantic.ConfigDict(strict=True, frozen=True, extra="forbid")

    schema_version: Literal[1] = SCHEMA
    notebook: str
    tier: str
    parameters: dict[str, Any]
    source: str  # the tracked `.py`, less what Jupyter rewrites of its header
    code: str  # library code that the notebook, its plan and its summary import
    cells: Hashes  # content key by cell name
    data: Hashes  # each data set that the evidence or a cell names
    inputs: Hashes  # lock, claims, recorded results; `evidence/…` that a summary reads
    records: Hashes  # by content key
    outputs: Hashes  # executed notebook, evidence and figures, by path in the layout
    digest: str  # all of the above


def origin(target: Target, *, fresh: bool = True) -> dict[str, Any]:
    """Hash all that a page is made from, as it lies on the disk now."""
    return {
        "source": source_hash(target.notebook),
        "code": code_digest(target.notebook, fresh=fresh),
        "cells": cell_keys(target.cells, fresh=fresh),
        "inputs": _inputs(target),
    }


def require_same(before: Mapping[str, Any], target: Target) -> None:
    """Refuse to go on if something that a page is made from changed meanwhile."""
    if names := [name for name, _ in _changes(before, target)]:
        raise PipelineError(f"{target.name}: {', '.join(names)} changed while it ran; run it again")


def _changes(before: Mapping[str, Any], target: Target, *, fresh: bool = True) -> Iterator[tuple[str, str]]:
    """Name what a page is made from and has changed, with what happened to it."""
    now = origin(target, fresh=fresh)
    for part, label in (("source", target.notebook.shown_path), ("code", "library code that it imports")):
        if before[part] != now[part]:
            yield label, "changed"
    for part, prefix in (("cells", "cell "), ("inputs", "")):
        yield from ((f"{prefix}{name}", what) for name, what in changes(before[part], now[part]))


def make_seal(target: Target, made: Layout, made_from: Mapping[str, Any]) -> dict[str, Any]:
    """Describe a run that has just ended well: its files in `made`, and what `origin` was before it."""
    # a cell that others need was not run if all of these were in the store
    records = {key: record_file(key) for key in made_from["cells"].values()}
    body = {
        "schema_version": SCHEMA,
        "notebook": target.name,
        "tier": target.parameters.tier,
        "parameters": target.values,
        **made_from,
        "data": {**_cell_data(target.cells), **_evidence_data(made.evidence(target.name))},
        "records": {key: sha256_file(file) for key, file in records.items() if file.exists()},
        "outputs": _outputs(made, target.name),
    }
    return {**body, "digest": digest_json(body)}


def read_seal(path: Path) -> Seal:
    """Read a seal and check that it is whole."""
    try:
        content = json.loads(path.read_bytes())
        seal = Seal.model_validate(content)
    except FileNotFoundError as error:
        raise PipelineError("it has no seal: it was not run to its end") from error
    except (ValueError, pydantic.ValidationError) as error:
        raise PipelineError(f"its seal cannot be read: {one_line(str(error).splitlines()[0])}") from error
    if seal.digest != digest_json({name: value for name, value in content.items() if name != "digest"}):
        raise PipelineError("its seal was altered")
    return seal


def check_seal(layout: Layout, name: str) -> list[str]:
    """List why an executed notebook cannot be trusted or is out of date; reads files, computes nothing."""
    try:
        seal = read_seal(layout.seal(name))
        if seal.notebook != name:
            return [f"{name}: its seal is that of {seal.notebook}"]
        faults = [*output_problems(seal, layout), *_input_problems(seal, layout)]
        entry = entry_file(layout, name)
        if not faults and not (entry.is_file() and entry.read_text(encoding="ascii").strip() == seal.digest):
            faults = ["its seal is not the one that the run left"]
    except (PipelineError, ValueError, RuntimeError) as error:
        faults = [one_line(error)]
    return [f"{name}: {problem.removeprefix(f'{name}: ')}" for problem in faults]


def entry_file(layout: Layout, name: str) -> Path:
    """Name the file beside the cell store in which a run leaves its seal's digest."""
    return build_root() / "pages" / f"{layout.base.name}-{name}.txt"


def output_problems(seal: Seal, layout: Layout) -> list[str]:
    """List what was done to the files that a run left."""
    return _lines(changes(seal.outputs, _outputs(layout, seal.notebook)), "after the run")


def page_differences(sealed: Layout, made: Layout, name: str) -> list[str]:
    """Compare a sealed page and its figures with those of another execution."""
    shown = (_outputs(layout, name).items() for layout in (sealed, made))
    pages = ({path: digest for path, digest in files if not path.startswith("evidence/")} for files in shown)
    return _lines(changes(*pages), "when it was executed again from its records")


def _input_problems(seal: Seal, layout: Layout) -> Iterator[str]:
    target = same_target(seal)
    if target.layout == layout:
        yield from _lines(_changes(seal.model_dump(), target, fresh=False), "since it ran")
        yield from _data_problems(seal.data, _cell_data(target.cells))
    elif target.standard:
        yield "its parameters are not those of the tier"
    else:
        yield "the tier's parameters have changed"


def same_target(seal: Seal) -> Target:
    """Find what a sealed run would be today; validates its parameters against today's schema and tiers."""
    notebook = find_notebook(seal.notebook)
    standard = target_of(notebook, seal.tier, {})
    if standard.values == seal.parameters:
        return standard
    overrides = {name: value for name, value in seal.parameters.items() if name != "tier"}
    return target_of(notebook, seal.tier, overrides)


def _lines(differences: Iterable[tuple[str, str]], when: str) -> list[str]:
    words = {"missing": "is missing", "added": f"came {when}", "changed": f"has changed {when}"}
    return [f"{name} {words[what]}" for name, what in differences]


def _data_problems(sealed: Mapping[str, str], planned: Mapping[str, str]) -> Iterator[str]:
    """Data sets that the plan names are known; the others are located."""
    for name, digest in sorted(sealed.items()):
        if (planned.get(name) or locate(name, download=False).sha256) != digest:
            yield f"data set {name} is not the one that it ran with"


def cell_keys(cells: list[Cell], *, fresh: bool = False) -> Hashes:
    """Name cells by content."""
    return {cell.name: cell_key(cell, fresh=fresh) for cell in cells}


def _cell_data(cells: list[Cell]) -> Hashes:
    return {name: digest for cell in cells for name, digest in cell.data.items()}


def _evidence_data(path: Path) -> Hashes:
    if not path.exists():
        return {}
    return {name: state.sha256 for name, state in load_evidence(path).data.items()}


def _inputs(target: Target) -> Hashes:
    root = project_root()
    recorded = sorted(results_root().glob("**/*.json"))
    files = {
        path: path.relative_to(root).as_posix()
        for path in recorded
        if path.parent.name not in ("benchmarks", "verdicts")  # they enter pages of prose, and no notebook
    }
    files |= {root / name: name for name in ("constraints.txt", "claims.yml")}
    if target.notebook.is_summary:
        files |= {path: f"evidence/{path.name}" for path in other_evidence(target)}
    return {name: sha256_file(path) for path, name in files.items() if path.is_file()}


def _outputs(layout: Layout, name: str) -> Hashes:
    files = [layout.executed(name), layout.evidence(name), *layout.figures(name).glob("*")]
    return {path.relative_to(layout.base).as_posix(): sha256_file(path) for path in files if path.is_file()}


def record_file(key: str) -> Path:
    """Name the file of a record in the cell store."""
    return CellStore(cell_root()).folder(key) / "record.json"
