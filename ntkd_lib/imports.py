"""Import on first use: a package's public names, and libraries that only some functions need."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any


def stub_homes(init: Path) -> dict[str, str]:
    """Read the module of each public name from the stub beside a package's ``__init__.py``."""
    text = init.with_suffix(".pyi").read_text(encoding="utf-8")
    return {name: module for module, name in re.findall(r"^from (\S+) import (\w+)", text, re.MULTILINE)}


def lazy_exports(package: str, init: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Build ``__getattr__``, ``__dir__`` and ``__all__`` of a package whose names load with their modules."""
    homes = stub_homes(Path(init))

    def load(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(homes[name]), name)

    return load, lambda: sorted(homes), list(homes)


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Name the extra to install if a library that is imported inside is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        message = f"{library} is not installed; run: pip install 'ntkd[{name}]'"
        raise ModuleNotFoundError(message, name=error.name) from error
