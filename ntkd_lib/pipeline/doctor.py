"""Say what is wrong with an installation, one line for each thing looked at, and what to do about it."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ntkd_lib.lab import build_root, other_versions, project_root
from ntkd_lib.pipeline.errors import PipelineError, one_line

Status = Literal["ok", "note", "bad"]
INSTALL = "python -m pip install -c constraints.txt -e '.[book,cluster,dev]'"
AGAIN = f"install again: {INSTALL}"
NEEDED_GIB = 3.0
SUPPORTED = ((3, 11), (3, 13))
_PIN = re.compile(r"([A-Za-z0-9._-]+)==([^\s;]+)\s*(?:;\s*(.+))?")


@dataclass(frozen=True)
class Finding:
    """One part of the installation: `bad`, `note` (works, but worth knowing) or `ok`, and what to do."""

    name: str
    status: Status
    found: str
    action: str = ""

    def __str__(self) -> str:
        return f"{self.status:4}  {self.name}: {self.found}" + (f" -> {self.action}" if self.action else "")


def examine() -> Iterator[Finding]:
    """Look at every part, one after the other."""
    for name, check in CHECKS.items():
        try:
            yield check()
        except Exception as error:  # a doctor reports every failure and goes on
            yield Finding(name, "bad", one_line(f"{type(error).__name__}: {error}"), AGAIN)


def check_python() -> Finding:
    """Compare the running Python with what the project supports."""
    version = ".".join(map(str, sys.version_info[:3]))
    if SUPPORTED[0] <= tuple(sys.version_info[:2]) <= SUPPORTED[1]:
        return Finding("python", "ok", version)
    return Finding("python", "bad", version, "use Python 3.11, 3.12 or 3.13: make PYTHON=/path/to/python3.11")


def check_packages() -> Finding:
    """Compare installed packages with `constraints.txt`."""
    pins = read_pins(project_root() / "constraints.txt")
    wrong = [f"{name} {now} instead of {pin}" for name, (pin, now) in other_versions(pins).items() if now]
    if wrong:
        return Finding("packages", "bad", f"{len(wrong)} differ ({', '.join(wrong[:3])})", AGAIN)
    return Finding("packages", "ok", f"{len(pins)} pins, none contradicted")


def read_pins(path: Path) -> dict[str, str]:
    """Read the pins that hold for this Python and this system."""
    from packaging.markers import Marker

    matches = (_PIN.fullmatch(line.strip()) for line in path.read_text(encoding="utf-8").splitlines())
    return {m[1]: m[2] for m in matches if m and (m[3] is None or Marker(m[3]).evaluate())}


def check_torch() -> Finding:
    """Import torch and torchvision as the library does."""
    import torch

    from ntkd_lib.data.torchvision import import_torchvision

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU only"
    versions = f"torch {torch.__version__}, torchvision {import_torchvision().__version__}"
    return Finding("torch", "ok", f"{versions}, {device}")


def check_book_tool() -> Finding:
    """Look for jupyter-book 1; its 2.x line reads neither `_config.yml` nor `_toc.yml`."""
    try:
        version = importlib.metadata.version("jupyter-book")
    except importlib.metadata.PackageNotFoundError:
        return Finding("jupyter-book", "bad", "not installed", f"install: {INSTALL}")
    if version.split(".")[0] == "1":
        return Finding("jupyter-book", "ok", version)
    return Finding("jupyter-book", "bad", f"{version}; only 1.x reads _config.yml", AGAIN)


def check_kernel() -> Finding:
    """Import the kernel in another process; runs use this Python, whatever kernels the user has installed."""
    command = [sys.executable, "-P", "-c", "import ipykernel, papermill; print(ipykernel.__version__)"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        problem = one_line(done.stderr.splitlines()[-1] if done.stderr else "it ends with an error")
        return Finding("kernel", "bad", problem, AGAIN)
    return Finding("kernel", "ok", f"ipykernel {done.stdout.strip()} in this Python")


def check_disk() -> Finding:
    """Look for room, and for the right to write, where results go."""
    place = build_root()
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK):
        return Finding("disk", "bad", f"{place} cannot be written", "set NTKD_BUILD to a folder of yours")
    free = shutil.disk_usage(place).free / 2**30
    if free >= NEEDED_GIB:
        return Finding("disk", "ok", f"{free:.1f} GiB free")
    return Finding("disk", "note", f"{free:.1f} GiB free", f"make room: {NEEDED_GIB:.0f} GiB are comfortable")


def check_data() -> Finding:
    """Count the real data sets that are at hand."""
    from ntkd_lib.data.report import rows

    lacking = [row.name for row in rows() if row.found not in ("real", "embedded", "drawn")]
    if lacking:
        return Finding("data", "note", f"no real copy of {', '.join(lacking)}", "see what to do: ntkd data")
    return Finding("data", "ok", "all data sets found")


def check_browser() -> Finding:
    """Look for the browser that prints the book as a PDF, which is optional."""
    from ntkd_lib.pipeline.pdf import require_browser

    try:
        return Finding("browser", "ok", require_browser())
    except PipelineError as error:
        return Finding("browser", "note", str(error))


CHECKS: dict[str, Callable[[], Finding]] = {
    "python": check_python,
    "packages": check_packages,
    "torch": check_torch,
    "jupyter-book": check_book_tool,
    "kernel": check_kernel,
    "disk": check_disk,
    "data": check_data,
    "browser": check_browser,
}
