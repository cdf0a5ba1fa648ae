"""Figures and tables of the page on the tangent kernel, drawn from the recorded benchmark."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from ntkd_lib.show.html import Html, element, fold, join, table

OURS = "ours, auto"
STRUCTURED = "ours, structured"
MARKERS = "osD^vP"
# rows and implementations in the order of the page; others come last
NETS = ("MLP", "LeNet", "AlexNet", "ResNet-18")
WAYS = (OURS, STRUCTURED, "nngeometry", "asdfghjkl", "torch.func contraction", "torch.func vector products")
PRECISIONS = ("float32", "bfloat16 products", "two parts, three products", "three parts, six products")
DECADES_OF_PLAIN_TICKS = 2
MEASURES = {"seconds": "seconds, one thread", "mebibytes": "peak memory (MiB)"}


def benchmark_frame(rows: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> pd.DataFrame:
    """List the measurements of a recorded benchmark."""
    lines = []
    for name, ways in rows.items():
        net, n, kind = name.rsplit("-", 2)
        for way, values in ways.items():
            seconds = values.get("seconds", values.get("predicted"))
            costs = {"seconds": seconds, "mebibytes": values.get("mebibytes")}
            labels = {"net": net, "n": int(n), "kind": kind, "way": way}
            error = {"difference": values.get("error"), "predicted": "predicted" in values}
            lines.append({**labels, **costs, **error})
    places = {name: place for place, name in enumerate((*NETS, *WAYS))}
    frame = pd.DataFrame(lines)
    order = frame.assign(**{key: frame[key].map(places).fillna(len(places)) for key in ("net", "way")})
    return frame.loc[order.sort_values(["net", "kind", "n", "way"]).index].reset_index(drop=True)


def draw_growth(frame: pd.DataFrame, measure: str) -> Figure:
    """Draw a cost of the full kernel against the number of samples, one panel per network."""
    full = frame[(frame["kind"] == "full") & (frame["way"] != STRUCTURED)]
    marks = dict(zip(dict.fromkeys(full["way"]), MARKERS, strict=False))
    full = full.dropna(subset=[measure])
    nets = list(dict.fromkeys(full["net"]))
    figure, panels = plt.subplots(2, -(-len(nets) // 2), figsize=(7.2, 5.4), squeeze=False)
    for axes, net in zip(panels.flat, nets, strict=False):
        _draw_net(axes, full[full["net"] == net], measure, marks)
        axes.set_title(net)
    for axes in panels[:, 0]:
        axes.set_ylabel(MEASURES[measure])
    ways = enumerate(marks.items())
    handles = [plt.Line2D([], [], marker=mark, color=f"C{i}", label=way) for i, (way, mark) in ways]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


def _draw_net(axes: Axes, part: pd.DataFrame, measure: str, marks: Mapping[str, str]) -> None:
    for index, (way, mark) in enumerate(marks.items()):
        line = part[part["way"] == way].sort_values("n")
        axes.plot(line["n"], line[measure], color=f"C{index}", linewidth=1.2)
        for predicted, dots in line.groupby("predicted"):
            face = "none" if predicted else f"C{index}"
            axes.plot(dots["n"], dots[measure], mark, color=f"C{index}", markerfacecolor=face)
    axes.set(xscale="log", yscale="log", xlabel="samples")
    sizes = sorted(set(part["n"]))
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    if part[measure].max() < 10**DECADES_OF_PLAIN_TICKS * part[measure].min():
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def growth_words(frame: pd.DataFrame, measure: str) -> str:
    """Describe the figure of `draw_growth` in words."""
    own = frame[(frame["kind"] == "full") & (frame["way"] == OURS)]
    last = own.sort_values("n").groupby("net", sort=False).tail(1)
    unit = "s" if measure == "seconds" else "MiB"
    parts = [f"{r.net} with {r.n} samples {getattr(r, measure):.3g} {unit}" for r in last.itertuples()]
    return f"Lines of {MEASURES[measure]} against samples, one panel per network. Ours: {', '.join(parts)}."


def peer_table(frame: pd.DataFrame) -> Html:
    """Show the time of every implementation on every row, and its multiple of ours."""
    ways = [way for way in dict.fromkeys(frame["way"]) if way not in (OURS, STRUCTURED)]
    rows = []
    for (net, n, kind), part in frame.groupby(["net", "n", "kind"], sort=False):
        by_way = part.set_index("way")
        own = by_way.loc[OURS, "seconds"]
        cells = [_cell(by_way.loc[way], own) if way in by_way.index else "not run" for way in ways]
        rows.append((f"{net}, {kind}, n\u00a0=\u00a0{n}", f"{own:.3g} s", *cells))
    return table(("Kernel", OURS, *ways), rows, caption="Processor seconds, and multiples of ours")


def _cell(values: pd.Series, own: float) -> str:
    if pd.isna(values["seconds"]):
        return "fails"
    times = values["seconds"] / own
    ratio = f"{times:,.0f}\u00a0×" if times >= 100 else f"{times:.3g}\u00a0×"
    return f"> {ratio}, predicted" if values["predicted"] else f"{values['seconds']:.3g}\u00a0s, {ratio}"


def checks_table(checks: Mapping[str, Any]) -> Html:
    """Show the rate, the growth and the memory of our implementation."""
    rate, tiles = checks["rate"], checks["tiles"]
    share = f"{100 * rate['share']:.0f} % ({rate['kernel']:.0f} of {rate['product']:.0f} GFLOP/s)"
    rows = [(f"share of the matrix-product rate, MLP, n = {rate['n']}", share, "60 % or more")]
    for axis, fit in checks["growth"].items():
        measured, theory = f"{fit['measured']:.2f}", f"{fit['theory']:.2f} in theory"
        rows.append((f"exponent of time in {axis}", measured, theory))
    for row in tiles["rows"]:
        name = f"peak memory in tiles of {tiles['tile']}, n = {row['n']}"
        limit = "1.2 × (tile + output) or less"
        rows.append((name, f"{row['mebibytes']:.0f} MiB, {row['ratio']:.2f} × (tile + output)", limit))
    return table(("Check", "Measured", "To be compared with"), rows, caption="Our way alone")


def precision_table(rows: Sequence[Mapping[str, Any]]) -> Html:
    """Show the errors of lower precisions, and how many times as fast rounded products are."""
    speeds = [row["seconds"]["float32"] / row["seconds"]["bfloat16 products"] for row in rows]
    errors = [[f"{row['errors'][way]:.0e}" for way in PRECISIONS] for row in rows]
    cells = [(r["name"], *e, f"{s:.2f} ×") for r, e, s in zip(rows, errors, speeds, strict=True)]
    caption = "Relative error of the trace kernel, largest of three seeds, and speed over float32"
    return table(("Network", *PRECISIONS, "speed of bfloat16"), cells, caption=caption)


def sweep_tables(tables: Sequence[Mapping[str, Any]]) -> Html:
    """Show the largest error of every method per layer and network, slow fallbacks and numbered refusals."""
    methods = list(tables[0]["rows"][0]["methods"])
    summaries = [row["methods"][method] for part in tables for row in part["rows"] for method in methods]
    words = list(dict.fromkeys(_plain(word) for values in summaries for word in values["refusals"]))
    shown = [_sweep_table(part, methods, words) for part in tables]
    folded = fold("Networks", *shown[1:], class_=None)
    return join([shown[0], folded, element("ol", *(element("li", word) for word in words))])


def _sweep_table(part: Mapping[str, Any], methods: Sequence[str], words: Sequence[str]) -> Html:
    rows = [
        (
            row["name"] if row["cases"] == 1 else f"{row['name']}, {row['cases']} settings",
            *(_sweep_cell(row["methods"][method], words) for method in methods),
        )
        for row in part["rows"]
    ]
    caption = f"Largest relative error, {part['name']}; slow: a slower way and a warning; [1]: refusal below"
    return table((part["name"], *methods), rows, caption=caption)


def _sweep_cell(values: Mapping[str, Any], words: Sequence[str]) -> str:
    error = "refused" if values["error"] is None else f"{values['error']:.0e}".replace("-", "\u2011")
    refusals = [f"[{words.index(_plain(word)) + 1}]" for word in values["refusals"]]
    return ", ".join([error, *["slow"] * values["slow"], *dict.fromkeys(refusals)])


def _plain(refusal: str) -> str:
    """Remove the layer's type and sizes, so that one reason has one number."""
    return re.sub(r"\[[\d, ]+\]", "[…]", re.sub(r"^_?[A-Z]\w* (?=cannot|in training|without)", "", refusal))
