"""Tables of notebook 07."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ntkd_lib.show.html import Html, element, table
from ntkd_lib.show.numbers import MINUS, interval_text, signed


def savings_table(savings: pd.DataFrame) -> Html:
    """Show what each sampler saves against full batch, and how it stands to uniform."""
    rows = [
        (
            row.label,
            f"{signed(row.cpu_saving, 1)} %",
            f"{signed(row.step_saving, 1)} %",
            f"{signed(row.forwards_saving, 1)} %",
            f"{row.to_uniform:.2f}",
            f"{row.forwards_to_uniform:.2f}",
            f"{row.images} of 4",
            f"{row.missed:.0f} %",
        )
        for row in savings.itertuples()
    ]
    headers = (
        "Sampler",
        "CPU time saved",
        "Steps saved",
        "Forwards saved",
        "Time, uniform = 1",
        "Forwards, uniform = 1",
        "Images with ≥ 49 %",
        "Targets missed",
    )
    return table(
        headers, rows, caption="To the quality that full batch has after 25, 50 and 75 % of its steps"
    )


def quality_table(qualities: pd.DataFrame) -> Html:
    """Show quality after equal steps, the best at the end first."""
    ordered = qualities.rename(columns=lambda c: c.replace(".", "")).sort_values("at_1", ascending=False)
    rows = [
        (
            row.label,
            *(f"{value:.2f}" for value in (row.at_025, row.at_05, row.at_1)),
            f"{signed(row.to_uniform)} {interval_text(row.uniform_low, row.uniform_high, sign='+')}",
            f"{signed(row.to_full)} {interval_text(row.full_low, row.full_high, sign='+')}",
        )
        for row in ordered.itertuples()
    ]
    headers = ("Sampler", "At 25 %", "At 50 %", "At the end", "Minus uniform", "Minus full batch")
    return table(headers, rows, caption="PSNR (dB) after equal steps, mean over images and seeds")


def paper_table() -> Html:
    """Show the paper's own table of quality, known second-hand, for comparison."""
    rows = [
        ("full batch", "27.90", "31.67", "39.76"),
        ("uniform", "27.66", "31.14", "37.14"),
        ("EGRA", "27.67", "31.24", "37.39"),
        ("INT", "27.57", "31.19", "39.02"),
        ("EVOS", "28.02", "31.72", "37.56"),
        ("expansive supervision", "27.99", "32.15", "38.22"),
        ("NINT", "28.96", "32.64", "39.09"),
    ]
    headers = ("Sampler (the paper)", "250 steps", "1,000 steps", "5,000 steps")
    return table(headers, rows, caption="The paper's PSNR (dB), 512 × 512; which images is not known")


def beside_table(rows: pd.DataFrame) -> Html:
    """Show the paper's numbers beside ours."""
    cells = [
        (
            row.what,
            f"{signed(row.paper)} {row.unit}",
            "–" if pd.isna(row.here) else f"{signed(row.here)} {row.unit}",
        )
        for row in rows.itertuples()
    ]
    return table(
        ("Number", "The paper, 512 × 512", "Here, live size"), cells, caption="Beside the paper's tables"
    )


def search_table(trials: pd.DataFrame) -> Html:
    """Show the settings that the search chose."""
    counts = trials["method"].value_counts()
    rows = [
        (t.label, f"{t.lr:g}", f"{100 * t.share:.3g} %", f"{t.quality:.2f} dB", str(counts[t.method]))
        for t in trials[trials["chosen"]].itertuples()
    ]
    headers = ("Sampler", "Learning rate", "Share", "PSNR on the tuning images", "Trials")
    return table(headers, rows, caption="What the search chose, for equal CPU time")


def others_table(others: pd.DataFrame) -> Html:
    """Show sound and shapes."""
    units = {"torus": "%", "bunny-small": "%"}
    means = others.groupby(["signal", "label"], sort=False)[["quality", "gap"]].mean().reset_index()
    rows = [
        (
            r.signal,
            r.label,
            f"{r.quality:.2f} {units.get(r.signal, 'dB')}".replace("-", MINUS),
            signed(r.gap),
        )
        for r in means.itertuples()
    ]
    headers = ("Signal", "Sampler", "SI-SNR or intersection over union", "Minus full batch")
    return table(headers, rows, caption="In the CPU time of full batch")


def looks_table(looks: pd.DataFrame) -> Html:
    """Show what was seen of the diagonal of the tangent kernel."""
    rows = [
        (f"{r.step:.0f}", f"{r.ratio:.1f}", *(signed(v) for v in (r.edges, r.prediction, r.error)))
        for r in looks.itertuples()
    ]
    headers = (
        "Step",
        "99th / 1st percentile of θ(x, x)",
        "Rank correlation with edges",
        "Score with the released one",
        "Score with the error",
    )
    return table(headers, rows, caption="Self-leverage, means over images and seeds")


def cost_table(overhead: Mapping[str, Any], million: Mapping[str, Any]) -> Html:
    """Show what samplers add to a step, and a refresh of very many points."""
    step = overhead["seconds"]
    rows = [
        ("uniform step", f"{1e3 * step['step']:.0f} ms"),
        ("choosing, uniform", f"{100 * step['uniform'] / step['step']:.2f} % of the step"),
        (
            "choosing and remembering, error memory",
            f"{100 * step['error_memory'] / step['step']:.2f} % of the step",
        ),
        ("refresh of very many points, narrow network, forward-equivalents", f"{_forwards(million):.2f}"),
        ("rise of memory during it, results and start-up included", f"{million['rise']:.0f} MiB"),
        ("all its activations would take", f"{million['everything']:,.0f} MiB"),
    ]
    return table(("Quantity", "Measured"), rows, caption="What choosing costs")


def _forwards(million: Mapping[str, Any]) -> float:
    return million["seconds"]["refresh"] / million["seconds"]["forward"]


def plain_table(rows: pd.DataFrame, headers: Sequence[str], caption: str, digits: int = 3) -> Html:
    """Show a data frame as it is."""
    cells = [
        [f"{v:,.{digits}g}".replace("-", MINUS) if isinstance(v, float) else str(v) for v in row]
        for row in rows.itertuples(index=False)
    ]
    return table(headers, cells, caption=caption)


def similarity_table(rows: pd.DataFrame, why_not: str) -> Html:
    """Show how alike fits of one image look."""
    measures = ("ssim",) if why_not else ("ssim", "standard", "stretched")
    titles = {"ssim": "SSIM", "standard": "LPIPS", "stretched": "LPIPS, inputs stretched"}
    cells = [[row["label"], *(f"{row[name]:.3f}" for name in measures)] for _, row in rows.iterrows()]
    headers = ("Sampler", *(titles[name] for name in measures))
    found = table(headers, cells, caption="How alike the same fits look: SSIM 1 and LPIPS 0 are equal images")
    note = f"LPIPS is not available, since its weights were not found: {why_not}."
    return element("div", found, element("p", note)) if why_not else found


def answer(savings: pd.DataFrame, timed: pd.DataFrame, qualities: pd.DataFrame) -> Html:
    """Say in words and numbers what came out."""
    by = savings.set_index("method")
    gaps = timed.groupby("method")["gap"].mean()
    end = qualities.set_index("method")["to_uniform"]
    ntk = end["nint"] - end["error_mix"]
    text = (
        f"Against full batch NINT saves {by.cpu_saving['nint']:.0f} % of CPU time, uniform sampling "
        f"{by.cpu_saving['uniform']:.0f} %, error memory {by.cpu_saving['error_memory']:.0f} %. "
        f"After equal steps NINT is {signed(end['nint'])} dB to uniform; without its kernel, "
        f"{signed(end['error_mix'])} dB, so that the kernel's part is {signed(ntk)} dB. "
        f"After equal CPU time, all tuned alike, full batch is {signed(gaps['full'])} dB to NINT, uniform "
        f"{signed(gaps['uniform'])} dB and error memory {signed(gaps['error_memory'])} dB."
    )
    return element("p", element("strong", "Measured here. "), text)
