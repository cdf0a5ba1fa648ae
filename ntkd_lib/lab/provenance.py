"""How a result came about: code, command, machine, time and memory."""

import importlib.metadata
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from ntkd_lib.lab.digest import digest_json
from ntkd_lib.lab.layout import project_root

LIBRARIES = ("ntkd", "numpy", "torch", "torchvision", "scipy", "scikit-learn", "joblib")
ORIGIN = ("commit", "dirty", "python", "platform", "cpu", "machine", "threads", "device", "versions")
SEVERAL = "several"
_ABSOLUTE = re.compile(r"(?:(?<=://)|(?<![\w.~:/]))(?:~|[A-Za-z]:)?[\\/][^\s=,;:'\"]+")
_ADDRESS = re.compile(r"\b(tcp|tls|ws|wss|ucx)://[^\s'\"]+")


def snapshot(command: list[str] | None = None) -> dict[str, Any]:
    """Describe the code, the command, the machine and the moment."""
    return {**code_state(command), **machine_state()}


def code_state(command: list[str] | None = None) -> dict[str, Any]:
    """Describe which code runs and what asked for it."""
    status = _git("status", "--porcelain", "--untracked-files=normal", "--", ".", ":(exclude)results")
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": None if status is None else bool(status),
        "command": scrub(sys.argv if command is None else command),
    }


def machine_state() -> dict[str, Any]:
    """Describe what computes here, and when."""
    torch = sys.modules.get("torch")  # asked only where it is loaded: its import takes seconds
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_model(),
        "machine": machine_kind(),
        "threads": torch.get_num_threads() if torch else os.cpu_count() or 1,
        "device": _device(),
        "versions": {name: _version(name) for name in LIBRARIES},
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def scrub(words: list[str]) -> str:
    """Join the words of a command for a shell, without what only this machine knows.

    Paths in the project become relative to it, other absolute ones their last part; addresses of
    schedulers lose their host.
    """
    return shlex.join(_ABSOLUTE.sub(_shorten, _ADDRESS.sub(r"\1://...", word)) for word in words)


def joint_origin(provenances: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Describe where several records were made: each field, or `several`; `made` lists each once."""
    times: dict[str, list[str]] = {}
    for one in provenances:
        key = json.dumps({name: one.get(name) for name in ORIGIN}, sort_keys=True)
        times.setdefault(key, []).append(str(one.get("time") or ""))
    made = [
        {**json.loads(key), "cells": len(all_), "first": min(all_), "last": max(all_)}
        for key, all_ in sorted(times.items(), key=lambda item: min(item[1]))
    ]
    if not made:
        return {}
    first = made[0]
    same = {name: first[name] if all(o[name] == first[name] for o in made) else SEVERAL for name in ORIGIN}
    return {**same, "time": max(origin["last"] for origin in made), "made": made}


def other_versions(versions: object) -> dict[str, tuple[str, str | None]]:
    """List (then, now) of the libraries whose version differs now; a local build (`+cpu`) is the same."""
    then = versions if isinstance(versions, dict) else {}
    pairs = {name: (str(version), _version(name)) for name, version in then.items() if version}
    return {name: both for name, both in pairs.items() if _public(both[0]) != _public(both[1])}


def _public(version: str | None) -> str:
    return (version or "").partition("+")[0]


@contextmanager
def measure() -> Iterator[dict[str, float]]:
    """Measure seconds and peak resident memory (MiB) of a block, or of the process if it cannot be reset."""
    measured: dict[str, float] = {}
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", "ascii")
    start = time.perf_counter()
    try:
        yield measured
    finally:
        measured["seconds"] = round(time.perf_counter() - start, 3)
        measured["peak_memory_mib"] = round(_peak_mebibytes(), 1)


def _shorten(match: re.Match[str]) -> str:
    path = Path(match.group())
    root = project_root()
    return str(path.relative_to(root)) if path.is_relative_to(root) else path.name


def _git(*arguments: str) -> str | None:
    """Ask git about the project's own tree; neither a tree around it nor `GIT_DIR` counts."""
    root = project_root().resolve()
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    own |= {"GIT_CEILING_DIRECTORIES": str(root.parent)}
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True, env=own)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


@cache
def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


@cache
def machine_kind() -> str:
    """Name what decides the last bits of a number: processor, instruction set, GPU, torch and NumPy."""
    parts = [_processor(name) for name in ("vendor_id", "cpu family", "model", "stepping", "flags")]
    libraries = [_version(name) for name in ("torch", "numpy")]
    return digest_json([platform.machine(), _cpu_model(), _device(), *parts, *libraries])[:12]


@cache
def _cpu_model() -> str:
    return _processor("model name") or platform.processor() or "unknown"


def _processor(field: str) -> str:
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return ""
    match = re.search(rf"^{field}\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1].strip() if match else ""


def _device() -> str:
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name() if torch and torch.cuda.is_initialized() else "cpu"


def _peak_mebibytes() -> float:
    try:
        match = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("utf-8"), re.MULTILINE)
    except OSError:
        match = None
    if match:
        return int(match.group(1)) / 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
