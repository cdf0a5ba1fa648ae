"""A small package of work functions, written anew for each test."""

import os
import secrets
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest

from ntkd_lib.lab import sources
from ntkd_lib.lab.cells import Cell
from ntkd_lib.lab.store import CellStore
from tests.setup.project import ROOT

FILES = {
    "__init__.py": "",
    "losses.py": '''
        """Losses."""

        from . import shared


        def loss(x):
            """Square."""
            return shared.scale(x) ** 2  # the square
        ''',
    "shared.py": """
        def scale(x):
            return 2 * x
        """,
    "unrelated.py": """
        def other(x):
            return x
        """,
    "work.py": '''
        import os
        import time

        import numpy as np

        from ntkd_lib.lab.cells import CellResult


        def square(arguments, needs):
            """Depend on the arguments, on needed records and on a seeded generator."""
            time.sleep(arguments.get("sleep", 0))
            noise = np.random.default_rng(arguments["x"]).normal(size=(30, 30))
            total = sum(float(record.arrays["noise"].sum()) for record in needs.values())
            return CellResult({"y": arguments["x"] ** 2, "total": total}, {"noise": noise @ noise.T})


        def count(arguments, needs):
            with open(arguments["log"], "a") as log:
                log.write(arguments["name"] + "\\n")
            return CellResult({"name": arguments["name"]})


        def fail(arguments, needs):
            raise ValueError("shapes (3, 4) and\\n  (5,) do not fit")


        def leave(arguments, needs):
            raise SystemExit(3)


        def die_once(arguments, needs):
            try:
                os.close(os.open(arguments["mark"], os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return CellResult({"survived": True})
            os.kill(os.getpid(), 9)


        def die(arguments, needs):
            os.kill(os.getpid(), 9)


        KEPT = []


        def grow(arguments, needs):
            """Keep 400 MiB from the second call of a process on."""
            time.sleep(0.6)
            KEPT.append(b"x" * (400 * 2**20 if len(KEPT) == 1 else 0))
            return CellResult({"process": os.getpid()})


        def attend(arguments, needs):
            """Add a line to a log, and stay until it has as many as there are to come."""
            with open(arguments["log"], "a") as log:
                log.write("here\\n")
            for _ in range(3000):
                with open(arguments["log"]) as log:
                    if len(log.readlines()) >= arguments["lines"]:
                        return CellResult({"process": os.getpid()})
                time.sleep(0.02)
            raise TimeoutError("nobody else came")


        def threads(arguments, needs):
            import torch
            from threadpoolctl import threadpool_info

            blas = max(pool["num_threads"] for pool in threadpool_info())
            return CellResult({"torch": torch.get_num_threads(), "blas": blas})


        def nan(arguments, needs):
            return CellResult({"loss": [0.5, float("nan")]})


        def listed(arguments, needs):
            return CellResult({}, {"w": [1, 2]})


        def nothing(arguments, needs):
            return None
        ''',
    "trainer.py": """
        from ntkd_lib.lab.cells import CellResult

        from .losses import loss


        def train(arguments, needs):
            return CellResult({"loss": loss(arguments["x"])})
        """,
    "viewer.py": """
        from ntkd_lib.lab.cells import CellResult

        from .unrelated import other


        def view(arguments, needs):
            return CellResult({"x": other(arguments["x"])})
        """,
}


@dataclass
class Toy:
    """A package on the path, whose files a test may edit."""

    name: str
    root: Path

    def cell(self, name, work, needs=None, /, cost=1.0, **arguments):
        return Cell(name, f"{self.name}.{work}", arguments, needs=needs or {}, cost=cost)

    def edit(self, file, old, new):
        path = self.root / self.name / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        forget()


def forget():
    """Look at sources as a process that has just started does."""
    sources._remembered_digest.cache_clear()
    sources._remembered.cache_clear()


@pytest.fixture
def toy(tmp_path, monkeypatch):
    made = Toy(f"toy_{secrets.token_hex(4)}", tmp_path / "src")
    folder = made.root / made.name
    folder.mkdir(parents=True)
    for name, text in FILES.items():
        (folder / name).write_text(textwrap.dedent(text).lstrip())
    monkeypatch.syspath_prepend(str(made.root))
    monkeypatch.setenv("PYTHONPATH", f"{made.root}{os.pathsep}{ROOT}")
    yield made
    forget()


class Store(CellStore):
    """A store that shows what must not depend on when and how its cells ran."""

    def contents(self):
        return {
            (path.parent.name, path.name): path.read_bytes()
            for path in self.root.glob("??/*/*")  # finished ones: `unfinished` changes while a run goes on
            if path.name in {"record.json", "arrays.npz"}
        }


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "cells")
