"""The page on the tangent kernel: its figures and tables come from the recorded benchmark."""

import shutil
from functools import partial
from pathlib import Path
from types import SimpleNamespace

from ntkd_lib.lab import Layout, read_recorded
from ntkd_lib.pipeline.pages import FIGURE_FORMS, figure_table, fill_marks
from ntkd_lib.show import tangent_kernel
from ntkd_lib.show.html import raw_block
from ntkd_lib.show.publish import show

PAGE = "tangent_kernel"
FIGURES = {"time": "seconds", "memory": "mebibytes"}
CAPTIONS = {
    "time": "Time of the full kernel. Hollow marks: predicted, because the run would have taken too long.",
    "memory": "Peak memory of the full kernel, above the network and its inputs.",
}


def stage_tangent_page(site: Path, layout: Layout) -> None:
    """Fill the marks of the staged page, and lay its figures' files beside it."""
    names = ("entk_cpu", "kernel_sweep", "kernel_precision")
    kernels, sweep, rounded = (read_recorded(f"benchmarks/{name}.json") for name in names)
    table = raw_block(tangent_kernel.precision_table(rounded["rows"]))
    precision = {"precision-machine": _origin(rounded["provenance"]), "precision": table}
    fill_marks(site / f"{PAGE}.md", {**_fills(kernels, layout), **_sweep_fills(sweep), **precision})
    downloads = site / "static" / "downloads" / PAGE
    downloads.mkdir(parents=True)
    for name in FIGURES:
        for end in FIGURE_FORMS.values():
            shutil.copyfile(layout.figures(PAGE) / f"{name}.{end}", downloads / f"{name}.{end}")


def _sweep_fills(record: dict) -> dict[str, str]:
    layers, *networks = [part["rows"] for part in record["tables"]]
    settings, others = sum(row["cases"] for row in layers), sum(map(len, networks))
    counts = f"{len(layers)} layers in {settings} settings, {others} networks. "
    table = raw_block(tangent_kernel.sweep_tables(record["tables"]))
    return {"sweep-machine": counts + _origin(record["provenance"]), "sweep": table}


def _origin(state: dict) -> str:
    made = f"Recorded on {state['time'][:10]} on {state['cpu']} with torch {state['versions']['torch']}"
    return f"{made}, commit `{state['commit'][:10]}`."


def _fills(origin: dict, layout: Layout) -> dict[str, str]:
    frame = tangent_kernel.benchmark_frame(origin["rows"])
    shelf = SimpleNamespace(layout=layout, notebook=PAGE)
    figures = {}
    for name, measure in FIGURES.items():
        draw = partial(tangent_kernel.draw_growth, frame, measure)
        words = {"alt": tangent_kernel.growth_words(frame, measure), "caption": CAPTIONS[name]}
        figures[name] = raw_block(show(shelf, name, draw, **words, data=frame)._repr_html_())
    state = origin["provenance"]
    peers = ", ".join(f"{name} {version}" for name, version in state["peers"].items() if "ours" not in name)
    machine = (
        f"Recorded on {state['time'][:10]} on {state['cpu']}, {state['threads']} thread, {peers}, "
        f"commit `{state['commit'][:10]}`; the whole run took {state['seconds'] / 60:.0f} minutes, and a way "
        f"predicted to take more than {state['limit']:.0f} s on a row was not run."
    )
    later = state.get("measured_later", {})
    again = "".join(
        f" The row {row} was measured again at commit `{its['commit'][:10]}`." for row, its in later.items()
    )
    return {
        **figures,
        "machine": machine + again,
        "peers": raw_block(tangent_kernel.peer_table(frame)),
        "checks": raw_block(tangent_kernel.checks_table(origin["checks"])),
        "figures": raw_block(figure_table(PAGE, list(FIGURES))),
    }
