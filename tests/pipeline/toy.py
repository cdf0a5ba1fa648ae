"""A project of one small notebook, run by the real command line in processes of its own."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from ntkd_lib.lab.claims import load_claims

REPOSITORY = Path(__file__).resolve().parents[2]
NAME = "90_toy"

NOTEBOOK = """\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   ntkd:
#     chapter: toy_lab
# ---

# %% [markdown]
# # A toy

# %% tags=["parameters"]
tier = "cpu"
seeds = [0, 1, 2, 3, 4]
seed = None
rate = 0.5
title = "toy"
fault = ""

# %%
from ntkd_lib.chapters.run import open_run
from toy_lab.page import metrics, show

run = open_run("90_toy", globals())

# %%
show(run)

# %%
evidence = run.publish(metrics(run))
{last}
"""

FILES = {
    "__init__.py": '"""A toy experiment."""\n',
    "parameters.py": """\
        from ntkd_lib.lab.parameters import SeededParameters, parameter


        class ToyParameters(SeededParameters):
            rate: float = parameter(0.5, "How fast.", unit="1/s", gt=0, le=1)
            title: str = parameter("toy", "What it is called.")
            fault: str = parameter("", "What goes wrong.")


        PARAMETERS = ToyParameters
        """,
    "plan.py": """\
        from ntkd_lib.lab.cells import Cell


        def plan(parameters, data):
            return [
                Cell(f"toy/seed={seed}", "toy_lab.work:measure", {"seed": seed, "rate": parameters.rate})
                for seed in parameters.all_seeds
            ]
        """,
    "work.py": """\
        import numpy as np

        from ntkd_lib.lab.cells import CellResult

        FACTOR = 1.0


        def measure(arguments, needs):
            \"\"\"Multiply.\"\"\"
            score = FACTOR * arguments["rate"] * (1 + arguments["seed"])
            return CellResult({"score": score}, {"line": np.arange(3.0) * score})
        """,
    "page.py": """\
        import os
        import signal
        import sys
        import time
        from pathlib import Path

        import ntkd_lib
        from ntkd_lib.lab.evidence import Metric


        def metrics(run):
            seeds = run.parameters.all_seeds
            values = [run.records[f"toy/seed={seed}"].values["score"] for seed in seeds]
            cells = [record.key for record in run.records.values()]
            return {"toy_score": Metric(seeds=seeds, values=values, cells=cells)}


        def show(run):
            faults = {
                "slow": lambda: time.sleep(60),
                "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
                "divide": lambda: 1 / 0,
                "stderr": lambda: print("a warning", file=sys.stderr),
                "machine": lambda: print(os.getcwd(), os.environ["NTKD_BUILD"], sys.executable, object()),
                "live": lambda: Shown(run.parameters.title),
                "big": lambda: Shown("x" * 30_000_000),
                "draw": draw,
                "threads": count_threads,
                "library": lambda: ntkd_lib.__file__.startswith(os.environ["NTKD_ROOT"]),
                "edit figures": lambda: edit(Path(__file__)),
                "edit source": lambda: edit(Path(os.environ["NTKD_ROOT"]) / "notebooks/90_toy.py"),
                "edit claims": lambda: edit(Path(os.environ["NTKD_ROOT"]) / "claims.yml", "# more"),
            }
            if run.parameters.fault in faults:
                return faults[run.parameters.fault]()
            return sorted({"b", "a"}), sum(record.values["score"] for record in run.records.values())


        def draw():
            import matplotlib.pyplot as plt

            plt.plot([1.0])
            plt.close()


        def count_threads():
            import numpy  # loads BLAS
            from threadpoolctl import threadpool_info

            return max(pool["num_threads"] for pool in threadpool_info()), os.environ["OMP_NUM_THREADS"]


        def edit(path, added="more = 1"):
            path.write_text(path.read_text() + f"\\n# %%\\n{added}\\n")


        class Shown:
            def __init__(self, text):
                self.text = text

            def _repr_markdown_(self):
                return self.text
        """,
}
TIER_FILES = {"smoke": f"{NAME}:\n  seeds: [0, 1]\n", "cpu": "{}\n"}


def seconds_of_processes():
    """Count the CPU seconds of all processes that have ended; a busy machine does not add to them."""
    spent = os.times()
    return spent.children_user + spent.children_system


def totals():
    """Count the project's claims, of which a toy's run assesses none."""
    claims = load_claims().claims
    current = sum(claim.replacement is None for claim in claims)
    return f"{current} not assessed, + {len(claims) - current} superseded"


@dataclass(frozen=True)
class Toy:
    """A project folder and how to run commands on it."""

    root: Path
    more: tuple[tuple[str, str | None], ...] = ()  # of the environment; None takes a variable out

    @property
    def build(self):
        return self.root / "build"

    @property
    def tier(self):
        return self.build / "smoke"

    @property
    def executed(self):
        return self.tier / "executed" / f"{NAME}.ipynb"

    @property
    def seal(self):
        return self.tier / "executed" / f"{NAME}.seal.json"

    @property
    def evidence(self):
        return self.tier / "evidence" / f"{NAME}.json"

    @property
    def records(self):
        return sorted((self.build / "cells").glob("??/*/record.json"))

    @property
    def notebook(self):
        return self.root / "notebooks" / f"{NAME}.py"

    @property
    def environment(self):
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("NTKD_", "JUPYTER"))
        }
        own = {
            "NTKD_ROOT": self.root,
            "NTKD_BUILD": self.build,
            "PYTHONPATH": f"{REPOSITORY}:{self.root}/src",
        }
        made = (
            kept
            | {name: str(value) for name, value in own.items()}
            | {"NTKD_OFFLINE": "1", **dict(self.more)}
        )
        return {name: value for name, value in made.items() if value is not None}

    def command(self, *words):
        return [sys.executable, "-c", "from ntkd_lib.pipeline.cli import main; main()", *words]

    def ntkd(self, *words, **more):
        """Run `ntkd` to its end."""
        return self.process(self.command(*words), **more)

    def process(self, command, **more):
        return subprocess.run(
            command,
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            **more,
        )

    def start(self, *words):
        """Start `ntkd` in a session of its own."""
        return subprocess.Popen(
            self.command(*words),
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *words):
        """Run the notebook on the smoke tier."""
        return self.ntkd("run", "90", "--tier", "smoke", "--workers", "1", *words)

    def files(self):
        """Take a picture of what is on disk, bytes by path, without locks, logs, fonts and leftovers."""
        found = (path for path in self.root.rglob("*") if path.is_file())
        passing = {"stage", "__pycache__", "matplotlib", "pages"}  # pages: a log of executed pages
        found = (path for path in found if path.suffix not in (".lock", ".pid"))
        kept = (path for path in found if not passing & set(path.relative_to(self.root).parts))
        return {str(path.relative_to(self.root)): path.read_bytes() for path in kept}

    def copy(self, place):
        shutil.copytree(self.root, place, symlinks=True)
        return Toy(place)

    def edit(self, path, old, new):
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def edit_json(self, path, change):
        content = json.loads(path.read_bytes())
        change(content)
        path.write_text(json.dumps(content), encoding="utf-8")


def make_toy(root, last="evidence.notebook"):
    """Write a toy project into an empty folder."""
    files = {f"src/toy_lab/{name}": dedent(text) for name, text in FILES.items()}
    files |= {f"notebooks/params/{tier}.yaml": text for tier, text in TIER_FILES.items()}
    files[f"notebooks/{NAME}.py"] = NOTEBOOK.format(last=last)
    files["constraints.txt"] = "click==8.5.1\n"
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    shutil.copyfile(REPOSITORY / "claims.yml", root / "claims.yml")
    return Toy(root)
