"""Evidence: what a notebook has measured, as claims read it, kept so that a later change shows."""

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from ntkd_lib.lab.atomic import write_json
from ntkd_lib.lab.digest import digest_json
from ntkd_lib.lab.layout import results_root, tier_layout
from ntkd_lib.lab.parameters import Seed, Tier, notebook_path, tier_changes
from ntkd_lib.lab.setups import NotebookName, Strict

SCHEMA_VERSION = 1
_DIGEST = "sha256"
RERUN_FOLDER = "reruns"  # runs that a later reference run replaced, and with which it disagrees on a verdict
_BY_SEED = ("values", "series", "converged", "machines")


class EvidenceError(ValueError):
    """Evidence that cannot be used; the text is one line."""


class Point(Strict):
    """One point of a series."""

    x: float
    y: float


class Metric(Strict):
    """One recorded metric: a number per seed, one number for all seeds, or a series of points per seed."""

    seeds: Annotated[list[Seed], Field(min_length=1)]  # (s,)
    values: list[float] | None = None  # (s,), or (1,)
    series: list[list[Point]] | None = None  # (s,) lists
    converged: list[bool] | None = None  # (s,); None if nothing was trained
    data: list[str] = Field(default_factory=list)  # sets that the numbers rest on
    cells: list[str] = Field(default_factory=list)  # keys of the cells that they come from
    machines: list[str] | None = None  # (s,) of `machine_kind`; None in older evidence

    def _problem(self) -> str:
        count = len(self.seeds)
        if len(set(self.seeds)) < count:
            return f"a seed is given twice in {self.seeds}"
        if (self.values is None) == (self.series is None):
            return "needs values or series, and not both"
        for name, column in _columns(self).items():
            if len(column) != count and (name, len(column)) != ("values", 1):
                words = "entries of converged" if name == "converged" else name
                return f"{len(column)} {words} for {count} seeds"
        if any(len({point.x for point in points}) < 2 for points in self.series or ()):
            return "a series needs two points that differ in x"
        return ""


def _columns(metric: Metric) -> dict[str, list[Any]]:
    return {name: column for name in _BY_SEED if (column := getattr(metric, name)) is not None}


class DataState(Strict):
    """Which data a run has read: real ones or a stand-in, by hash, and where they were found."""

    kind: Literal["real", "standin"]
    sha256: str
    source: str


class CellOrigin(Strict):
    """Where one recorded cell was computed: what a record needs once its store is gone."""

    machine: str
    cpu: str
    commit: str | None
    dirty: bool | None
    time: str
    seconds: float
    versions: dict[str, str | None]


class Evidence(Strict):
    """What one run of a notebook measured."""

    schema_version: Literal[1] = SCHEMA_VERSION
    notebook: NotebookName
    protocol: str = ""  # name of the recorded one; "" for a live run
    tier: Tier
    standard: bool  # whether all parameters are the tier's
    changed: dict[str, Any]  # (tier's value, value) of each that is not
    parameters: dict[str, Any]
    metrics: dict[str, Metric]
    definitions: dict[str, str] = Field(default_factory=dict)  # by metric: `Definition.digest`
    origins: dict[str, CellOrigin] = Field(default_factory=dict)  # of each recorded cell, by key
    data: dict[str, DataState]
    provenance: dict[str, Any]
    recorded: bool = Field(default=False, exclude=True)  # of an earlier long run; set by the reader
    reference: bool = Field(default=False, exclude=True)  # of a tier's reference run, without protocol

    def _problem(self) -> str:
        if self.standard == bool(self.changed):
            return f"standard is {self.standard}, changed parameters: {sorted(self.changed)}"
        for name, metric in self.metrics.items():
            if unknown := sorted(set(metric.data) - self.data.keys()):
                return f"metric {name} rests on {unknown[0]}, which is not among the data"
        return ""


def save_evidence(path: Path, evidence: Evidence) -> None:
    """Write evidence as JSON, with its own SHA-256 inside."""
    content = evidence.model_dump(mode="json")
    write_json(path, {**content, _DIGEST: digest_json(content)})


def load_evidence(path: Path, *, recorded: bool = False, reference: bool = False) -> Evidence:
    """Read evidence; an `EvidenceError` says what is wrong: missing, damaged, changed, another schema."""
    try:
        return _checked(_short(path), path.read_bytes(), recorded, reference)
    except OSError as error:
        raise EvidenceError(f"{_short(path)}: cannot be read: {error.strerror}") from None


@lru_cache(maxsize=64)  # by content: a page, its verdicts and their check read the same files
def _checked(name: str, text: bytes, recorded: bool, reference: bool) -> Evidence:
    content = _content(name, text)
    version = content.get("schema_version")
    if version != SCHEMA_VERSION:
        raise EvidenceError(f"{name}: schema version {version!r}; allowed: {SCHEMA_VERSION}")
    if not _intact(content.pop(_DIGEST, None), content):
        raise EvidenceError(f"{name}: changed since it was written (its SHA-256 does not match)")
    try:
        return Evidence.model_validate({**content, "recorded": recorded, "reference": reference})
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        message = " ".join(first["msg"].removeprefix("Value error, ").split())
        raise EvidenceError(f"{name}: {place}: {message}" if place else f"{name}: {message}") from None


def collect_evidence(tier: str) -> list[Evidence]:
    """Gather a tier's live evidence and all that is recorded; reference runs on tier cpu alone."""
    folder = tier_layout(tier).evidence("any").parent
    live = [_load_live(path, tier) for path in sorted(folder.glob("*.json"))]
    return live + (recorded_evidence() if tier == "cpu" else _protocols())


def reference_evidence() -> list[Evidence]:
    """Gather the reference runs of tier cpu and then their reruns, compared with the tier of today."""
    folder = results_root() / "cpu"
    paths = [*sorted(folder.glob("*.json")), *sorted((folder / RERUN_FOLDER).glob("*.json"))]
    return [_compared_with_tier(load_evidence(path, recorded=True, reference=True)) for path in paths]


def recorded_evidence() -> list[Evidence]:
    """Gather all evidence that is part of the project: recorded protocols, then the reference run."""
    return _protocols() + reference_evidence()


def _protocols() -> list[Evidence]:
    return [load_evidence(path, recorded=True) for path in sorted(results_root().glob("*.json"))]


def _compared_with_tier(evidence: Evidence) -> Evidence:
    """Compute what differs from the tier's parameters of today, unless the notebook is not there."""
    if not notebook_path(evidence.notebook).is_file():
        return evidence
    changed = tier_changes(evidence.notebook, evidence.tier, evidence.parameters)
    return evidence.model_copy(update={"standard": not changed, "changed": changed})


def _load_live(path: Path, tier: str) -> Evidence:
    evidence = load_evidence(path)
    if (evidence.notebook, evidence.tier) != (path.stem, tier):
        came, allowed = f"{evidence.notebook} of tier {evidence.tier}", f"{path.stem} of tier {tier}"
        raise EvidenceError(f"{_short(path)}: holds {came}; allowed: {allowed}")
    return _compared_with_tier(evidence)


def _content(name: str, text: bytes) -> dict[str, Any]:
    try:
        content = json.loads(text.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"{name}: is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise EvidenceError(f"{name}: holds a {type(content).__name__}; allowed: one JSON object")
    return content


def _intact(digest: object, content: dict[str, Any]) -> bool:
    try:
        return digest == digest_json(content)
    except ValueError:  # a number as large as 1e999 is read as infinite, which was never written
        return False


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a finite number")


def _short(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def is_rerun(first: Evidence, second: Evidence) -> bool:
    """Tell whether two runs differ in seeds, numbers or provenance, and in nothing else."""
    if (first.provenance, first.metrics) == (second.provenance, second.metrics):
        return False  # one run, read twice
    if (first.notebook, first.protocol, first.tier) != (second.notebook, second.protocol, second.tier):
        return False
    return digest_json(_without_seeds(first.parameters)) == digest_json(_without_seeds(second.parameters))


def _without_seeds(parameters: Any) -> Any:
    if not isinstance(parameters, dict):
        return parameters
    return {key: _without_seeds(v) for key, v in parameters.items() if not key.endswith(("seed", "seeds"))}


def split_by_seed(metric: Metric) -> dict[int, Metric]:
    """Split a recorded metric into one for each seed; all seeds have equal numbers of cells."""
    size = len(metric.cells) // len(metric.seeds)
    return {
        seed: Metric(
            seeds=[seed],
            data=metric.data,
            cells=metric.cells[size * place : size * (place + 1)],
            **{name: [column[place]] for name, column in _columns(metric).items()},
        )
        for place, seed in enumerate(metric.seeds)
    }


def join_seeds(metrics: Iterable[Metric]) -> Metric:
    """Join metrics of single seeds, lowest first; plateaus and machines are there if they are for all."""
    rows = sorted(metrics, key=lambda row: row.seeds)
    columns = {name: [value for row in rows for value in getattr(row, name) or (None,)] for name in _BY_SEED}
    return Metric(
        seeds=[seed for row in rows for seed in row.seeds],
        data=sorted({name for row in rows for name in row.data}),
        cells=[key for row in rows for key in row.cells],
        **{name: None if None in column else column for name, column in columns.items()},
    )
