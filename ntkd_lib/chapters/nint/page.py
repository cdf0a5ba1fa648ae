"""Figures and tables of notebook 07: curves, targets, savings, and the metrics of the claims."""

from collections.abc import Mapping, Sequence
from statistics import mean

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ntkd_lib.chapters.nint.methods import LABELS, finished_races, in_order
from ntkd_lib.chapters.nint.studies import equal_time, full_size, paper
from ntkd_lib.chapters.nint.studies.contests import each_curve
from ntkd_lib.chapters.nint.studies.leverage import leverage
from ntkd_lib.chapters.run import Run
from ntkd_lib.inr.metrics import crossing, value_at
from ntkd_lib.lab import Metric, interval_ends, load_claims, metric, recorded_metrics
from ntkd_lib.show import dots
from ntkd_lib.show.columns import Column
from ntkd_lib.show.dots import BLUE, GREEN, ORANGE, PURPLE, RED

TARGETS = (0.25, 0.5, 0.75)
AXES = ("cpu", "step", "forwards")
PAPER_TIME = 48.99
LINES = {
    "full": (BLUE, "-"),
    "uniform": (ORANGE, "--"),
    "nint": (GREEN, "-"),
    "error_mix": (RED, ":"),
    "error_memory": (PURPLE, "-."),
}
ANSWERS = (
    *(Column("Sampler", "{label}"), Column("CPU time saved", "{cpu_saving:+.0f} %")),
    Column("Minus uniform, equal steps", "{to_uniform:+.2f} dB"),
    Column("Minus NINT, equal CPU time, tuned", "{gap:+.2f} dB"),
)
SAVINGS = (
    *(Column("Sampler", "{label}"), Column("CPU time saved", "{cpu_saving:+.1f} %")),
    *(Column("Steps saved", "{step_saving:+.1f} %"), Column("Forwards saved", "{forwards_saving:+.1f} %")),
    Column("Time, uniform = 1", "{to_uniform:.2f}"),
    Column("Forwards, uniform = 1", "{forwards_to_uniform:.2f}"),
    *(Column("Images with ≥ 49 %", "{images} of 4"), Column("Targets missed", "{missed:.0f} %")),
)
QUALITIES = (
    *(Column("Sampler", "{label}"), Column("At 25 %", "{at_quarter:.2f}")),
    *(Column("At 50 %", "{at_half:.2f}"), Column("At the end", "{at_end:.2f}")),
    Column("Minus uniform", "{to_uniform:+.2f}"),
    Column("95 % interval", "[{uniform_low:+.2f}, {uniform_high:+.2f}]"),
    Column("Minus full batch", "{to_full:+.2f}"),
    Column("95 % interval", "[{full_low:+.2f}, {full_high:+.2f}]"),
)


def curves(run: Run) -> pd.DataFrame:
    """List all evaluations of the races."""
    names = ("step", "quality", "cpu", "wall", "forwards")
    parts = [
        pd.DataFrame({name: curve[name] for name in names}).assign(**own, seed=row.seed)
        for row, curve, own in each_curve(run, "race")
    ]
    return pd.concat(parts, ignore_index=True)


def mean_curves(table: pd.DataFrame, methods: Sequence[str] = tuple(LINES)) -> pd.DataFrame:
    """Average curves over images and seeds; `low` and `high` span the seeds."""
    part, by = table[table["method"].isin(methods)], ["method", "label", "step"]
    seeds = part.groupby([*by, "seed"], sort=False)["quality"].mean()
    levels = seeds.groupby(by, sort=False).agg(mean="mean", low="min", high="max").assign(image="")
    return levels.join(part.groupby(by, sort=False)[["cpu", "forwards"]].mean()).reset_index()


def recorded_curves() -> pd.DataFrame:
    """List the curves of races at the paper's size, image by image, as far as they are recorded."""
    images = load_claims().protocols["paper size"].parameters["images"]
    recorded = recorded_metrics("07_paper_size")
    rows = [
        {"image": images[seed], "method": method, "label": LABELS[method]}
        | {"cpu": second.x, "step": step.x, **dict.fromkeys(("mean", "low", "high"), step.y)}
        for method in LINES
        if (by_step := recorded.get(f"nint.image5.{method}.by_step"))
        for seed, *series in zip(
            by_step.seeds, by_step.series, recorded[f"nint.image5.{method}.by_cpu"].series, strict=True
        )
        for step, second in zip(*series, strict=True)
    ]
    return pd.DataFrame(rows)


def reached(run: Run) -> pd.DataFrame:
    """Compute when each sampler has, to stay, what full batch (1) has after parts of its steps."""
    rows = []
    for row in finished_races(run, study="race").itertuples():
        full = row.curves["full"]
        for share in TARGETS:
            target = value_at(full["quality"], full["step"], share * run.parameters.steps)
            base = _crossings(full, target)
            rows += [
                {"method": method, "image": row.subject, "seed": row.seed, "share": share, "target": target}
                | {axis: _ratio(place, base[axis]) for axis, place in _crossings(curve, target).items()}
                for method, curve in in_order(row.curves)
            ]
    return pd.DataFrame(rows)


def _crossings(curve: Mapping[str, list[float]], target: float) -> dict[str, float | None]:
    return {axis: crossing(curve["quality"], curve[axis], target) for axis in AXES}


def _ratio(place: float | None, base: float | None) -> float:
    return np.nan if place is None or not base else place / base


def savings(table: pd.DataFrame) -> pd.DataFrame:
    """Average ratios to full batch and to uniform, geometrically over targets that are not `missed`."""
    uniform = _costs_of(table, "uniform")
    rows = []
    for method in dict.fromkeys(table["method"]):
        own, part = _costs_of(table, method), table[table["method"] == method]
        saved = {f"{axis}_saving": 100 * (1 - _geometric(part[axis])) for axis in AXES}
        images = 100 * (1 - part.groupby("image")["cpu"].apply(_geometric))
        rows.append(
            {
                "method": method,
                "label": LABELS[method],
                **saved,
                "to_uniform": _geometric(own["cpu"] / uniform["cpu"]),
                "forwards_to_uniform": _geometric(own["forwards"] / uniform["forwards"]),
                "missed": 100 * part["cpu"].isna().mean(),
                "images": int((images >= PAPER_TIME).sum()),
            }
        )
    return pd.DataFrame(rows)


def _geometric(ratios: pd.Series) -> float:
    return np.exp(np.log(ratios).mean())


def _costs_of(table: pd.DataFrame, method: str) -> pd.DataFrame:
    return table[table["method"] == method].set_index(["image", "seed", "share"])[list(AXES)]


def by_image(table: pd.DataFrame) -> pd.DataFrame:
    """Average time ratios to full batch per image."""
    logs = table.assign(time=np.log(table["cpu"]), work=np.log(table["forwards"]))
    means = np.exp(logs.groupby(["method", "image"], sort=False)[["time", "work"]].mean()).reset_index()
    return means.assign(label=means["method"].map(LABELS))


def qualities(table: pd.DataFrame) -> pd.DataFrame:
    """Compare all samplers at equal steps."""
    steps = table["step"].unique()
    means = table.groupby(["method", "seed", "step"], sort=False)["quality"].mean().unstack("step")
    ends = means[steps.max()]
    rows = []
    for method in dict.fromkeys(table["method"]):
        row = {"method": method, "label": LABELS[method]}
        for name, share in (("at_quarter", 0.25), ("at_half", 0.5), ("at_end", 1.0)):
            nearest = steps[np.abs(steps - share * steps.max()).argmin()]
            row[name] = means[nearest][method].mean()
        for other in ("uniform", "full"):
            gaps = list(ends[method] - ends[other])
            low, high = interval_ends(gaps)
            row |= {f"to_{other}": mean(gaps), f"{other}_low": low, f"{other}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def metrics(run: Run) -> dict[str, Metric]:
    """Collect the metrics of the live size, read in mid-training, and the contract's of a large run."""
    races, looks = finished_races(run, study="race"), run.frame(leverage)
    ratios = looks.assign(last=[each[-1]["ratio"] for each in looks["looks"]])
    ends = {m: races.assign(end=[c[m]["quality"][-1] for c in races["curves"]]) for m in races["curves"][0]}
    timed = equal_time.compare(run).groupby("method", sort=False)
    return (
        {f"nint.live.{method}.psnr_end": metric(rows, "end") for method, rows in ends.items()}
        | {f"nint.live.{method}.psnr_equal_time": metric(rows, "quality") for method, rows in timed}
        | {"nint.live.leverage_ratio": metric(ratios, "last")}
        | full_size.metrics(run)
    )


def answers(saved: pd.DataFrame, timed: pd.DataFrame, quality: pd.DataFrame) -> pd.DataFrame:
    """Join the main results of the compared samplers."""
    table = saved.merge(quality[["method", "to_uniform"]], on="method", suffixes=("_time", ""))
    gaps = timed.groupby("method")["gap"].mean()
    return table[table["method"].isin(LINES)].assign(gap=lambda t: t["method"].map(gaps))


def draw_curves(lines: pd.DataFrame, marked: Sequence[str] = ()) -> Figure:
    """Draw quality against CPU time and steps, image by image; marks are what the paper has for samplers."""
    count = lines["image"].nunique()
    figure, rows = plt.subplots(count, 2, figsize=(7.2, 0.9 + 2.7 * count), sharey="row", squeeze=False)
    for panels, (image, own) in zip(rows, lines.groupby("image", sort=False), strict=True):
        for axes, x, name in zip(panels, ("cpu", "step"), ("CPU seconds", "steps"), strict=True):
            for method, part in own.groupby("method", sort=False):
                colour, style = LINES[method]
                axes.plot(part[x], part["mean"], style, color=colour, label=part["label"].iloc[0])
                axes.fill_between(part[x], part["low"], part["high"], color=colour, alpha=0.2, linewidth=0)
            axes.set_xlabel(name)
        for method in marked:
            panels[1].plot((250, 1000), paper.PSNR[method][:2], "D", color=LINES[method][0], fillstyle="none")
        most = own[own["method"] == "nint"]["cpu"].max()
        panels[0].set(title=image, ylabel="PSNR (dB)", xlim=(0, most * 1.05))
    figure.legend(*rows[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return figure


def draw_times(images: pd.DataFrame, order: Sequence[str]) -> Figure:
    """Draw the time of samplers to full batch's quality, image by image."""
    words = "time to full batch's quality, full batch = 1"
    figure, axes = dots.row_axes([LABELS[m] for m in order], words, 1)
    for row, method in enumerate(order):
        part = images[images["method"] == method]
        axes.scatter(part["time"], np.full(len(part), row), s=22, color=BLUE, alpha=0.7, linewidth=0)
        axes.scatter(part["work"], np.full(len(part), row), s=26, marker="|", color=ORANGE)
    axes.axvline(1 - PAPER_TIME / 100, color=GREEN, linestyle="--", linewidth=1.4)
    axes.set_xlim(left=0)
    entries = {"CPU time, one image": ("o", BLUE), "forward-equivalents": ("|", ORANGE)}
    dots.draw_key(axes, entries, {"paper's best: 0.51": GREEN})
    return figure


def draw_gains(quality: pd.DataFrame) -> Figure:
    """Draw quality after equal steps, as difference to uniform sampling."""
    rows = quality.sort_values("to_uniform", ascending=False)
    figure, axes = dots.row_axes(list(rows["label"]), "PSNR after equal steps, minus uniform (dB)")
    for place, row in enumerate(rows.itertuples()):
        colour = GREEN if row.uniform_low > 0 else ORANGE if row.uniform_high < 0 else BLUE
        axes.plot([row.uniform_low, row.uniform_high], [place, place], color=colour, linewidth=2.5)
        axes.plot(row.to_uniform, place, "o", color=colour, markersize=6)
    return figure
