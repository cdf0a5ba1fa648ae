"""The manifest of recorded results: one SHA-256 per file, so that an edited or a forged file shows.

``sha256sum -c results/SHA256SUMS`` checks it in the project's folder. Programs that record renew the lines of
what they wrote; whoever changes a number by hand changes a line that is under version control.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock

from ntkd_lib.lab.atomic import write_json, write_text
from ntkd_lib.lab.digest import changes, sha256_file
from ntkd_lib.lab.layout import project_root, results_root

DRAWN = ("book/_static/readme.svg",)  # recorded numbers outside of results/
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


def manifest_file() -> Path:
    """Name the manifest."""
    return results_root() / "SHA256SUMS"


def renew_manifest(*written: Path) -> None:
    """Hash files that were just recorded again; without any, every recorded file."""
    results_root().mkdir(parents=True, exist_ok=True)
    with FileLock(results_root() / ".lock"):
        sums = {**_manifest(), **_hashes(map(_label, written))} if written else _hashes(recorded_files())
        lines = [f"{digest}  {name}\n" for name, digest in sorted(sums.items())]
        write_text(manifest_file(), "".join(lines))


def read_recorded(name: str) -> dict[str, Any]:
    """Read a recorded JSON file by its path in the folder of results."""
    path = results_root() / name
    if not path.is_file():
        raise FileNotFoundError(f"results/{name} is missing; restore it from version control")
    return json.loads(path.read_text(encoding="utf-8"))


def write_recorded(name: str, content: object) -> None:
    """Write a JSON file by its path in the folder of results, and its line of the manifest."""
    write_json(results_root() / name, content)
    renew_manifest(results_root() / name)


def recorded_files() -> list[str]:
    """List what the manifest covers, by path from the project's folder."""
    files = (path for path in results_root().rglob("*") if path.is_file() and not path.name.startswith("."))
    drawn = [name for name in DRAWN if (project_root() / name).is_file()]
    return sorted([*drawn, *(_label(path) for path in files if path != manifest_file())])


def manifest_problems() -> Iterator[str]:
    """List recorded files that are not what the manifest says."""
    recorded = recorded_files()
    if not manifest_file().is_file():
        if set(recorded) - set(DRAWN):
            yield "results/SHA256SUMS is missing; restore it from version control"
        return
    try:
        sums = _manifest()
    except ValueError as error:
        yield str(error)
        return
    words = {
        "missing": "is missing, but results/SHA256SUMS lists it",
        "added": "was added by hand: results/SHA256SUMS does not list it",
        "changed": "was changed after it was recorded: its SHA-256 is not that of results/SHA256SUMS",
    }
    yield from (f"{name} {words[what]}" for name, what in changes(sums, _hashes(recorded)))


def _label(path: Path) -> str:
    return path.absolute().relative_to(project_root()).as_posix()


def _hashes(names: Iterable[str]) -> dict[str, str]:
    return {name: sha256_file(project_root() / name) for name in names}


def _manifest() -> dict[str, str]:
    if not manifest_file().is_file():
        return {}
    lines = manifest_file().read_text(encoding="utf-8").splitlines()
    matches = [_LINE.fullmatch(line) for line in lines]
    if None in matches:
        line = matches.index(None) + 1
        raise ValueError(f"results/SHA256SUMS line {line}: is not a SHA-256, two spaces and a path")
    return {match[2]: match[1] for match in matches if match}


if __name__ == "__main__":
    renew_manifest()
