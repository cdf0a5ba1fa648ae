"""The command `ntkd new`: copy the template chapter into a checkout under another name."""

import datetime as dt
import keyword
import re
import tempfile
from pathlib import Path

import yaml

from ntkd_lib.lab import load_claims, project_root, write_text
from ntkd_lib.pipeline.errors import PipelineError
from ntkd_lib.pipeline.notebooks import all_notebooks

CHAPTERS = Path("ntkd_lib/chapters")
TEMPLATE, NAME, PACKAGE, DAY = "_template", "08_my_paper", "my_paper", "2026-01-01"  # as its files say
PATTERN = re.compile(r"[0-9]{2}_[a-z](_?[a-z0-9]){0,60}")


def new_chapter(name: str) -> list[Path]:
    """Add a chapter made from the template, and list the files; nothing is written if one is refused."""
    root, package = project_root(), _checked_package(name)
    files = _copies(name, package) | _additions(name, package)
    with tempfile.TemporaryDirectory() as folder:
        contract = Path(folder) / "claims.yml"
        write_text(contract, files[Path("claims.yml")])
        load_claims(contract)
    for path, text in files.items():
        (root / path).parent.mkdir(exist_ok=True)
        write_text(root / path, text)
    return list(files)


def _checked_package(name: str) -> str:
    package, chapters = name[3:], project_root() / CHAPTERS
    if not PATTERN.fullmatch(name) or keyword.iskeyword(package):
        allowed = f"two digits and words of small letters and digits, such as {NAME}"
        raise PipelineError(f"chapter name {name!r} is not allowed; allowed: {allowed}")
    numbers = {notebook.name[:2]: notebook.name for notebook in all_notebooks()}
    if name[:2] in numbers:
        free = next(f"{i:02d}" for i in range(1, 100) if f"{i:02d}" not in numbers)
        raise PipelineError(f"number {name[:2]} is taken by {numbers[name[:2]]}; the next free one is {free}")
    if not (chapters / TEMPLATE).is_dir():
        raise PipelineError(f"there is no template in {chapters}: work in a checkout of the project")
    if taken := [path.name for path in chapters.iterdir() if path.stem == package]:
        raise PipelineError(f"{CHAPTERS}/{taken[0]} exists already; choose another name")
    return package


def _copies(name: str, package: str) -> dict[Path, str]:
    """Copy the modules and the notebook, with the chapter's names."""
    folder = project_root() / CHAPTERS / TEMPLATE
    sources = {CHAPTERS / package / path.name: path for path in sorted(folder.glob("*.py"))}
    sources[Path(f"notebooks/{name}.py")] = folder / "notebook.txt"
    return {to: _renamed(path.read_text("utf-8"), name, package) for to, path in sources.items()}


def _additions(name: str, package: str) -> dict[Path, str]:
    """Add the chapter to the table of contents, the claim contract and the parameters of the tiers."""
    root = project_root()
    folder = root / CHAPTERS / TEMPLATE
    claims = _renamed((folder / "claims.yml").read_text("utf-8"), name, package)
    files = {
        Path("_toc.yml"): _with_page((root / "_toc.yml").read_text("utf-8"), name),
        Path("claims.yml"): _with_claims((root / "claims.yml").read_text("utf-8"), claims),
    }
    for tier, values in yaml.safe_load((folder / "params.yml").read_text("utf-8")).items():
        path = Path(f"notebooks/params/{tier}.yaml")
        added = yaml.safe_dump({name: values}, default_flow_style=None, sort_keys=False)
        files[path] = (root / path).read_text("utf-8").rstrip("\n") + "\n" + added
    return files


def _renamed(text: str, name: str, package: str) -> str:
    names = {NAME: name, PACKAGE: package, TEMPLATE: package, DAY: dt.datetime.now(dt.UTC).date().isoformat()}
    names[PACKAGE.replace("_", "-")] = package.replace("_", "-")
    return re.sub("|".join(names), lambda match: names[match[0]], text)


def _with_page(contents: str, name: str) -> str:
    """Add a page after the last chapter of the table of contents."""
    *_, last = re.finditer(r"^( +- file: )\d\d_\w+\n", contents, re.MULTILINE)
    return f"{contents[: last.end()]}{last[1]}{name}\n{contents[last.end() :]}"


def _with_claims(contract: str, added: str) -> str:
    """Add claims and metrics at the end of these two sections of the contract."""
    for section, text in re.findall(r"^([a-z]+):\n((?: .*\n)+)", added, re.MULTILINE):
        lines = re.search(rf"^{section}:\n(?:(?:[ #].*)?\n)* .*\n", contract, re.MULTILINE)
        if lines is None:
            raise PipelineError(f"claims.yml has no section {section}")
        contract = f"{contract[: lines.end()]}\n{text}{contract[lines.end() :]}"
    return contract
