"""The smaller studies of notebook 07, as tables: settings, networks, widths, spectrum, sound, shape, cost."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ntkd_lib.chapters.nint_speedup.methods import METHODS
from ntkd_lib.chapters.nint_speedup.plan import FEW, FREQUENCIES, IMAGES, RATES, SETTINGS, SOUNDS, WAVES
from ntkd_lib.chapters.nint_speedup.settings import search, tuned
from ntkd_lib.chapters.nint_speedup.subject import make_signal
from ntkd_lib.chapters.run import Run
from ntkd_lib.data.signals import load_sound
from ntkd_lib.inr.metrics import crossing, value_at
from ntkd_lib.inr.shapes import chamfer, surface, surface_samples
from ntkd_lib.lab.cells import Record


def _first(run: Run) -> int:
    return run.parameters.all_seeds[0]


def settings(run: Run) -> pd.DataFrame:
    """List the quality that NINT reaches with other settings."""
    rows = []
    for image in IMAGES:
        found = run.records[f"settings/{image}/settings/seed={_first(run)}"].values["curves"]
        base = found["nint"]["quality"][-1]
        rows += [
            {"method": m, "label": METHODS[m].label, "image": image, "gap": found[m]["quality"][-1] - base}
            for m in SETTINGS
        ]
    return pd.DataFrame(rows)


def _compared(found: dict[str, dict[str, list[float]]]) -> dict[str, float]:
    """Give the time saved to full batch's quality at half of its steps, and the quality at the end."""
    full = found["full"]
    target = value_at(full["quality"], full["step"], full["step"][-1] / 2)
    base = crossing(full["quality"], full["cpu"], target)
    row: dict[str, float] = {"target": target}
    for method in FEW:
        place = crossing(found[method]["quality"], found[method]["cpu"], target)
        row[f"{method}_saving"] = np.nan if place is None or not base else 100 * (1 - place / base)
        row[f"{method}_end"] = found[method]["quality"][-1]
    return row


def networks(run: Run) -> pd.DataFrame:
    """Compare samplers over architectures and over widths of the SIREN."""
    p, seed, rows = run.parameters, _first(run), []
    for name, lr in RATES.items():
        found = run.records[f"network/{IMAGES[0]}/{name}/seed={seed}"].values["curves"]
        rows.append({"network": name, "lr": lr, **_compared(found)})
    for width in (p.width // 2, p.width, 2 * p.width):
        found = run.records[f"width/{IMAGES[0]}/width={width}/seed={seed}"].values["curves"]
        rows.append({"network": f"siren, width {width}", "lr": 1e-4, **_compared(found)})
    return pd.DataFrame(rows)


def spectrum(run: Run) -> pd.DataFrame:
    """Say where samplers look on a signal whose bands have known frequencies."""
    record = run.records[f"waves/waves/waves/seed={_first(run)}"]
    steps, side = run.parameters.side_steps, run.parameters.side
    ends = [steps // 8, steps // 4, steps // 2, steps]
    rows = []
    for method in WAVES:
        counts = record.arrays[f"visits.{method}"].reshape(len(ends), side, -1).astype(float)
        bands = counts.reshape(len(ends), side, len(FREQUENCIES), -1).mean((1, 3))
        shares = bands / bands.mean(1, keepdims=True)
        rows += [
            {"method": method, "label": METHODS[method].label, "until": end, "frequency": f, "visits": visits}
            for end, line in zip(ends, shares, strict=True)
            for f, visits in zip(FREQUENCIES, line, strict=True)
        ]
    return pd.DataFrame(rows)


def others(run: Run) -> pd.DataFrame:
    """List what samplers reach on sound and shapes in the time of full batch."""
    rows = []
    for name, record in run.records.items():
        if not name.startswith("other/"):
            continue
        _, signal, _, seed = name.split("/")
        found = record.values["curves"]
        end = found["full"]["cpu"][-1]
        base = found["full"]["quality"][-1]
        for method in FEW:
            quality = value_at(found[method]["quality"], found[method]["cpu"], end)
            row = {"signal": signal, "method": method, "label": METHODS[method].label}
            rows.append({**row, "seed": int(seed[5:]), "quality": quality, "gap": quality - base})
    return pd.DataFrame(rows)


def costs(run: Run) -> pd.DataFrame:
    """List what a refresh costs."""
    rows = []
    for name, record in run.records.items():
        if name.startswith("cost/refresh/"):
            seconds = record.values["seconds"]
            ratios = {f"{way}_forwards": seconds[way] / seconds["forward"] for way in ("fused", "separate")}
            rows.append({"points": int(name.split("/")[-1]), **seconds, **ratios})
    return pd.DataFrame(rows)


def cost_values(run: Run, work: str) -> dict[str, object]:
    """Give what one cost cell measured."""
    return next(record.values for name, record in run.records.items() if name.startswith(f"cost/{work}/"))


def looks(run: Run) -> pd.DataFrame:
    """List what was seen of the diagonal of the tangent kernel."""
    rows = [
        look
        for name, record in run.records.items()
        if name.startswith("leverage/")
        for look in record.values["looks"]
    ]
    return pd.DataFrame(rows).groupby("step").mean().reset_index()


def trials() -> pd.DataFrame:
    """List the trials of the recorded search."""
    rows = []
    for trial in search()["trials"]:
        best = tuned(trial["method"])
        chosen = all(trial[name] == best[name] for name in best)
        fields = {name: trial[name] for name in ("method", "lr", "share")}
        quality = float(np.mean(trial["quality"]))
        rows.append({**fields, "label": METHODS[trial["method"]].label, "quality": quality, "chosen": chosen})
    return pd.DataFrame(rows)


def race_record(run: Run) -> Record:
    """Give the race whose visits were counted: first image, first seed."""
    return run.records[f"race/{IMAGES[0]}/race/seed={_first(run)}"]


def image_of(run: Run) -> np.ndarray:
    """Give the image of that race, ``(h, w, 3)``."""
    subject = {"kind": "image", "name": IMAGES[0], "side": run.parameters.side}
    signal = make_signal(subject, run.located["signals"].sha256)
    return signal.values.numpy().reshape(*signal.shape, -1)


def maps(run: Run, methods: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Give how often each point of the first image was seen, span by span, relative to an even draw."""
    side, record = run.parameters.side, race_record(run)
    counts = {m: record.arrays[f"visits.{m}"].astype(float) for m in methods}
    return {m: (c / c.mean(1, keepdims=True)).reshape(-1, side, side) for m, c in counts.items()}


def fitted(run: Run, methods: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Give what networks made of the first image."""
    side, record = run.parameters.side, race_record(run)
    return {m: record.arrays[f"found.{m}"].reshape(side, side, -1) for m in methods}


def waveform(run: Run, sound: str = SOUNDS[0]) -> pd.DataFrame:
    """Give a piece of sound and what networks made of it."""
    sha256 = run.located["signals"].sha256
    length = 2 * run.parameters.side**2
    true = make_signal({"kind": "sound", "name": sound, "length": length}, sha256).values.numpy()[:, 0]
    record = run.records[f"other/{sound}/equal-time/seed={_first(run)}"]
    rate = load_sound(sound, sha256)[1]
    middle = slice(len(true) // 2, len(true) // 2 + min(400, len(true) // 2))
    columns = {m: record.arrays[f"found.{m}"][middle, 0] for m in ("full", "nint", "error_memory")}
    time = np.arange(middle.stop - middle.start) * 1e3 / rate
    return pd.DataFrame({"time": time, "true": true[middle], **columns})


def shapes(run: Run, methods: tuple[str, ...] = ("full", "nint", "error_memory")) -> dict[str, object]:
    """Give the bunny's surface, true and fitted, by marching cubes."""
    record = run.records[f"other/bunny-small/equal-time/seed={_first(run)}"]
    mesh = next(r for name, r in run.records.items() if name.startswith("mesh/"))
    side = mesh.values["shape"]
    found = {"true": surface(mesh.arrays["values"].reshape(side))}
    return found | {m: surface(record.arrays[f"found.{m}"].reshape(side)) for m in methods}


def shape_table(found: dict[str, object], samples: int = 5000) -> pd.DataFrame:
    """Measure fitted surfaces against the true one."""
    true = surface_samples(found["true"][1], samples)
    return pd.DataFrame(
        {
            "method": m,
            "chamfer": np.nan if s is None else chamfer(surface_samples(s[1], samples, seed=1), true),
        }
        for m, s in found.items()
        if m != "true"
    )


def columns(arrays: dict[str, np.ndarray]) -> pd.DataFrame:
    """List the entries of arrays of one shape."""
    return pd.DataFrame({name: array.ravel() for name, array in arrays.items()})
