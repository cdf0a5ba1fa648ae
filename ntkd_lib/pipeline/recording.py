"""The commands `ntkd record` and `ntkd search`: run a piece of a protocol, or a search, and record it."""

from collections.abc import Iterable, Iterator
from shlex import quote
from typing import Any

from ntkd_lib.chapters.run import locate_data
from ntkd_lib.data.registry import locate
from ntkd_lib.lab import Cell, CellStore, ClaimBook, DataState, Record, cell_root, load_claims, run_cells
from ntkd_lib.lab.manifest import write_recorded
from ntkd_lib.lab.progress import duration
from ntkd_lib.lab.protocols import Protocol, ProtocolError, declared, protocols_of
from ntkd_lib.lab.provenance import code_state, snapshot
from ntkd_lib.lab.record import Recording, open_recording, record
from ntkd_lib.lab.setups import is_covered
from ntkd_lib.pipeline.errors import PipelineError
from ntkd_lib.pipeline.notebooks import all_notebooks, choose, find_notebook
from ntkd_lib.pipeline.workbench import exclusive


def run_protocol(
    notebook: str, name: str | None, *, seeds: Iterable[int], redo: Iterable[int], **limits: Any
) -> Iterator[str]:
    """Run a piece of a protocol, by name unless it is a notebook's only one, and say how far it is."""
    source = find_notebook(notebook)
    protocols = protocols_of(source.chapter)
    if name is None and len(protocols) > 1:
        count, listing = len(protocols), f"ntkd record {source.name[:2]} --list"
        raise PipelineError(f"{source.name} has {count} recorded protocols; choose one of {listing}")
    protocol = choose("recorded protocol", source.name, protocols, name)
    allowed = protocol.registered(load_claims()).seeds
    for seed in (*seeds, *redo):
        if seed not in allowed:
            raise PipelineError(f"protocol {protocol.name} has no seed {seed}; allowed: {allowed}")
    state = _data_state(protocol)
    if state and state.kind != "real":
        raise PipelineError(f"recording needs the real {protocol.data}, found a stand-in")
    lock = protocol.path.with_name(f".{protocol.path.stem}.lock")  # beside what is written over and over
    with exclusive(lock, f"recording {protocol.name}"):
        recording = open_recording(protocol, state)
        yield from record(recording, CellStore(cell_root()), seeds=seeds, redo=redo, **limits)
        yield f"results/{protocol.path.name}: {_progress(recording)}"


def list_protocols(notebook: str | None) -> list[str]:
    """Describe every protocol: how far it is, hours of one core left, and the claims it serves."""
    sources = [find_notebook(notebook)] if notebook else all_notebooks()
    book, lines = load_claims(), []
    for source in sources:
        for protocol in protocols_of(source.chapter).values():
            lines += [f"{source.name[:2]} {quote(protocol.name)}: {_state(protocol, book)}"]
    return lines or ["no recorded protocol"]


def _state(protocol: Protocol, book: ClaimBook) -> str:
    try:
        progress = _progress(open_recording(protocol, _data_state(protocol), book))
    except ProtocolError as error:  # such as trials that are to be recorded first
        progress = str(error)
    patterns = book.protocols[protocol.name].metrics if protocol.name in book.protocols else ()
    served = [c.id for c in book.claims if all(is_covered(name, patterns) for name in c.metric_names)]
    return f"{progress}; claims: {', '.join(served) or 'none'}"


def _data_state(protocol: Protocol) -> DataState | None:
    if not protocol.data:
        return None
    located = locate(protocol.data)
    return DataState(kind=located.kind, sha256=located.sha256, source=located.source)


def _progress(recording: Recording) -> str:
    total, left = len(recording.arms), len(recording.left)
    rest = f", about {duration(recording.seconds_left)} of one core left" if left else ""
    return f"{total - left} of {total} numbers recorded{rest}"


def run_search(notebook: str, name: str | None, *, workers: int | None) -> str:
    """Run a search, by name unless it is the only one, on real data from a clean checkout, and record it."""
    source = find_notebook(notebook)
    searches = declared(source.chapter, ("search", "methods", "plan"), "SEARCHES")
    search = choose("search", source.name, {each.name: each for each in searches}, name)
    data = locate_data(*search.data)
    for place in data.values():
        if place.kind != "real":
            raise PipelineError(f"the search needs the real data set {place.name}, found a stand-in")
    if code_state()["dirty"] is not False:
        raise PipelineError("the search needs a checkout that git confirms to be without uncommitted changes")

    def run(cells: Iterable[Cell]) -> list[Record]:
        listed = list(cells)
        records = run_cells(listed, CellStore(cell_root()), workers=workers)
        return [records[cell.name] for cell in listed]

    content = search.conduct(data, run)
    command = ["ntkd", "search", notebook, search.name]
    digests = {place.name: place.sha256 for place in data.values()}
    name = f"searches/{search.name}.json"
    write_recorded(name, {**content, "data": digests, "provenance": snapshot(command)})
    return f"recorded results/{name}"
