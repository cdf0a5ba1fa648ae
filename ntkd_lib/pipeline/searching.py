"""The command `ntkd search`: run a search that a chapter declares, and record it."""

from collections.abc import Iterable

from ntkd_lib.chapters.run import locate_data
from ntkd_lib.lab.cells import Cell, Record
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.layout import cell_root
from ntkd_lib.lab.protocols import declared
from ntkd_lib.lab.provenance import code_state, snapshot
from ntkd_lib.lab.search import Search
from ntkd_lib.lab.searches import save_search
from ntkd_lib.lab.store import CellStore
from ntkd_lib.pipeline.errors import PipelineError
from ntkd_lib.pipeline.notebooks import choose, find_notebook


def find_search(notebook: str, name: str | None) -> Search:
    """Find a search of a notebook's chapter by name; the name may be left out if there is only one."""
    source = find_notebook(notebook)
    searches = declared(source.chapter, ("search", "methods", "plan"), "SEARCHES")
    return choose("search", source.name, {each.name: each for each in searches}, name)


def run_search(notebook: str, name: str | None, *, workers: int | None) -> str:
    """Run a search on real data, from a checkout that its record can name, and record it."""
    search = find_search(notebook, name)
    data = locate_data(*search.data)
    for place in data.values():
        if place.kind != "real":
            raise PipelineError(f"the search needs the real data set {place.name}, found a stand-in")
    if code_state()["dirty"]:
        raise PipelineError("the search needs a checkout without uncommitted changes; commit them first")

    def run(cells: Iterable[Cell]) -> list[Record]:
        listed = list(cells)
        records = run_cells(listed, CellStore(cell_root()), workers=workers)
        return [records[cell.name] for cell in listed]

    content = search.conduct(data, run)
    command = ["ntkd", "search", notebook, search.name]
    digests = {place.name: place.sha256 for place in data.values()}
    save_search(search.name, {**content, "data": digests, "provenance": snapshot(command)})
    return f"recorded results/searches/{search.name}.json"
