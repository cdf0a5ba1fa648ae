"""The files of the project, for tests that look at its own text."""

import ast
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def tracked():
    """Return the files that git tracks or would track; every file of the folder where there is no git."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        found = [path.relative_to(ROOT) for path in ROOT.rglob("*")]
        return [path for path in found if path.parts[0] not in {".venv", "build"} and (ROOT / path).is_file()]
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [Path(name) for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def python_files(*folders):
    """Return the tracked Python files in some folders of the project."""
    return [path for path in tracked() if path.suffix == ".py" and path.parts[0] in folders]


@cache
def tree(path):
    """Return the syntax tree of a file of the project."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), filename=str(path))


def copy_book(root):
    """Copy the book, with 1 for the numbers of recorded runs, and the benchmark and verdicts on its pages."""
    shutil.copytree(ROOT / "book", root / "book")
    shutil.copyfile(ROOT / "CITATION.cff", root / "CITATION.cff")
    for name in ("benchmarks", "verdicts"):
        shutil.copytree(ROOT / "results" / name, root / "results" / name)
    for page in (root / "book").rglob("*.md"):
        page.write_text(re.sub(r"\{val\}`[^`]+`", "1", page.read_text(encoding="utf-8")), encoding="utf-8")
