"""How a result came about: code, command, machine, time and memory."""

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from ntkd_lib.lab.digest import digest_json
from ntkd_lib.lab.layout import project_root

LIBRARIES = ("ntkd", "numpy", "torch", "torchvision", "scipy", "scikit-learn", "joblib")
_ABSOLUTE = re.compile(r"(?:(?<=://)|(?<![\w.~:/]))(?:~|[A-Za-z]:)?[\\/][^\s=,;:'\"]+")
_ADDRESS = re.compile(r"\b(tcp|tls|ws|wss|ucx)://[^\s'\"]+")


def snapshot(command: list[str] | None = None) -> dict[str, Any]:
    """Describe the code, the command, the machine and the moment.

    Args:
        command: words of the command; those of this process when left out.

    Returns:
        plain data without paths or names of this machine.
    """
    return {**code_state(command), **machine_state()}


def code_state(command: list[str] | None = None) -> dict[str, Any]:
    """Describe which code runs and what asked for it.

    Args:
        command: words of the command; those of this process when left out.

    Returns:
        `commit` and `dirty` (None outside a git checkout), `command`.
    """
    status = _git("status", "--porcelain", "--", ".", ":(exclude)results")  # a recording writes there
    return {
        "commit": _git("rev-parse", "HEAD"),
        "dirty": None if status is None else bool(status),
        "command": scrub(sys.argv if command is None else command),
    }


def machine_state() -> dict[str, Any]:
    """Describe what computes here, and when.

    Returns:
        `python`, `platform`, `cpu`, `machine`, `threads`, `device`, `versions` and `time` (UTC, ISO 8601).
    """
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_model(),
        "machine": machine_kind(),
        "threads": _threads(),
        "device": _device(),
        "versions": dict(_versions()),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def scrub(words: list[str]) -> str:
    """Join the words of a command, without what only this machine knows.

    Paths in the project become relative to it, other absolute ones their last part; addresses of
    schedulers lose their host.

    >>> scrub(["/home/ada/.venv/bin/ntkd", "run", "01", "--scheduler=tcp://10.0.0.7:8786"])
    'ntkd run 01 --scheduler=tcp://...'
    """
    return " ".join(_ABSOLUTE.sub(_shorten, _ADDRESS.sub(r"\1://...", word)) for word in words)


@dataclass
class Measured:
    """What `measure` found; zero until its block ends.

    Attributes:
        seconds: wall-clock time.
        peak_memory_mib: largest resident memory of the process during the block, in MiB.
    """

    seconds: float = 0.0
    peak_memory_mib: float = 0.0


@contextmanager
def measure() -> Iterator[Measured]:
    """Measure the wall-clock time and the peak resident memory of a block.

    Where the system cannot reset the peak, it is that of the process so far.

    Yields:
        an object filled in when the block ends, also when it raises.
    """
    measured = Measured()
    _reset_peak()
    start = time.perf_counter()
    try:
        yield measured
    finally:
        measured.seconds = round(time.perf_counter() - start, 3)
        measured.peak_memory_mib = round(_peak_mebibytes(), 1)


def _shorten(match: re.Match[str]) -> str:
    path = Path(match.group())
    root = project_root()
    return str(path.relative_to(root)) if path.is_relative_to(root) else path.name


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(project_root()), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


@cache
def _versions() -> tuple[tuple[str, str | None], ...]:
    return tuple((name, _version(name)) for name in LIBRARIES)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


@cache
def machine_kind() -> str:
    """Name what decides the last bits of a number: processor, instruction set, GPU, torch and NumPy.

    Runs of one seed on two kinds of machine differ as much as two seeds do.
    """
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


def _threads() -> int:
    torch = sys.modules.get("torch")  # asked only where it is loaded: its import takes seconds
    return torch.get_num_threads() if torch else os.cpu_count() or 1


def _device() -> str:
    torch = sys.modules.get("torch")
    return torch.cuda.get_device_name() if torch and torch.cuda.is_initialized() else "cpu"


def _reset_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5", "ascii")
    except OSError:
        return


def _peak_mebibytes() -> float:
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("utf-8"), re.MULTILINE)
    except OSError:
        found = None
    if found:
        return int(found.group(1)) / 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
