"""Run one notebook in a kernel of this very Python, cut off from the user's Jupyter settings."""

import importlib.metadata
import json
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ntkd_lib.lab.layout import WORKBENCH, build_root, project_root
from ntkd_lib.lab.worker import THREAD_VARIABLES, environment
from ntkd_lib.pipeline.errors import PipelineError, one_line
from ntkd_lib.pipeline.notebooks import KERNEL

_PROFILE = """\
c = get_config()
c.IPKernelApp.log_level = "CRITICAL"
c.HistoryManager.enabled = False
"""
_START_SECONDS = 180
FOLDERS = ("NTKD_DATA", "NTKD_CACHE")  # named from the folder of the command
LIMIT = "NTKD_CELL_SECONDS"  # how long a cell of a notebook may run; unlimited where it is not set
# not -m ipykernel_launcher, which takes the project's folder out of the path where PYTHONPATH names it
_START = "from ipykernel.kernelapp import launch_new_instance; launch_new_instance()"


@contextmanager
def kernel_environment(home: Path, build: Path) -> Iterator[None]:
    """Set what the kernel inherits, a kernel spec `python3` of ours too, and put the old values back."""
    _write_settings(home)
    own = {name: os.environ[name] for name in FOLDERS if os.environ.get(name)}
    changes = (
        matplotlib_settings()
        | {name: str(Path(text).expanduser().absolute()) for name, text in own.items()}
        | dict.fromkeys(THREAD_VARIABLES, "1")
        | {
            WORKBENCH: str(build),
            "JUPYTER_PATH": str(home / "jupyter"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "IPYTHONDIR": str(home / "ipython"),
            "NTKD_ROOT": str(project_root()),
            "NTKD_BUILD": str(build),
            "MPLBACKEND": "agg",
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": library_path(),
            "PYTHONSAFEPATH": "1",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "TQDM_DISABLE": "1",
            "PYTHONWARNINGS": "ignore:IProgress not found",  # tqdm.auto, in a kernel without ipywidgets
        }
    )
    with environment(changes):
        yield


def library_path() -> str:
    """Write a PYTHONPATH by which a process finds the library that runs here, not another installed one."""
    library = str(Path(__file__).absolute().parents[2])
    return os.pathsep.join([library, *filter(None, [os.environ.get("PYTHONPATH")])])


def matplotlib_settings() -> dict[str, str]:
    """Name a folder of matplotlib's own, fonts already listed: the user's settings and home touch no page."""
    folder = build_root() / "matplotlib" / importlib.metadata.version("matplotlib")
    settings = {"MPLCONFIGDIR": str(folder)}
    if not any(folder.glob("fontlist-*.json")):
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-P", "-c", "import matplotlib.font_manager"]
        own = {**os.environ, **settings}
        done = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PipelineError(f"matplotlib cannot list the fonts: {one_line(done.stderr[-300:])}")
    return settings


def _write_settings(home: Path) -> None:
    argv = [sys.executable, "-P", "-c", _START, "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": KERNEL["display_name"], "language": "python"}
    files = {
        home / "jupyter" / "kernels" / KERNEL["name"] / "kernel.json": json.dumps(spec),
        home / "ipython" / "profile_default" / "ipython_kernel_config.py": _PROFILE,
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def execute(name: str, converted: Path, executed: Path, parameters: Mapping[str, Any]) -> None:
    """Execute a converted notebook with papermill, in the project's folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import papermill
        from nbclient.exceptions import CellTimeoutError, DeadKernelError
        from papermill.exceptions import PapermillExecutionError

        try:
            papermill.execute_notebook(
                *(str(path).replace("{", "{{").replace("}", "}}") for path in (converted, executed)),
                parameters=dict(parameters),
                kernel_name=KERNEL["name"],
                language=KERNEL["language"],
                progress_bar=False,
                request_save_on_cell_execute=False,
                start_timeout=_START_SECONDS,
                execution_timeout=cell_seconds(),
                cwd=str(project_root()),
            )
        except PapermillExecutionError as error:
            what = one_line(f"{error.ename}: {error.evalue}")
            raise PipelineError(f"{name}: cell {error.exec_count} failed: {what}") from error
        except CellTimeoutError as error:
            shown = one_line(str(error).partition("contents:")[2].strip(" \n-"))
            raise PipelineError(f"{name}: a cell ran longer than {LIMIT} allows: {shown}") from error
        except KeyboardInterrupt:
            logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # of tasks that find the kernel dead
            raise
        except DeadKernelError as error:
            raise PipelineError(f"{name}: the kernel died (killed from outside, or out of memory)") from error


def cell_seconds() -> int | None:
    """Read how long a cell of a notebook may run; None without a limit."""
    text = os.environ.get(LIMIT, "")
    if text and not (text.isdecimal() and int(text)):
        raise PipelineError(f"{LIMIT} is {text!r}; allowed: a whole number of seconds from 1")
    return int(text) if text else None
