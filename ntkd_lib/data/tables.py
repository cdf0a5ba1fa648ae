"""Load the small tables that installed packages ship, and check their hashes."""

import tomllib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from ntkd_lib.data.settings import DataError, check_known
from ntkd_lib.imports import extra
from ntkd_lib.lab.digest import sha256_bytes


@dataclass(frozen=True)
class Table:
    """A table of measurements; classes are labelled 0, 1, …."""

    x: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, " n"]
    sha256: str


TABLES: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_name("tables.toml").read_text("utf-8"))


def load_table(name: str) -> Table:
    """Load a table of `tables.toml`, such as ``diabetes`` (442 patients, 10 measurements)."""
    check_known("table", name, TABLES)
    entry = TABLES[name]
    with extra("data"):
        frame = _shipped(entry["package"], name)
    if "rows" in entry:
        frame = frame.query(entry["rows"])
    y = frame[entry["target"]].to_numpy(np.float64)
    inputs = frame.drop(columns=[entry["target"], *entry.get("without", [])])
    x = np.ascontiguousarray(inputs.to_numpy(np.float64))
    digest = sha256_bytes(x.round(9).tobytes() + y.tobytes())
    if digest != entry["sha256"]:
        package = entry["package"].replace("sklearn", "scikit-learn")
        raise DataError(f"{name}: {package} ships other numbers than expected (digest {digest[:12]})")
    return Table(x, y, digest)


def _shipped(package: str, name: str) -> Any:
    """Read a table as its package ships it."""
    import pandas as pd

    if package == "sklearn":
        return getattr(import_module("sklearn.datasets"), f"load_{name}")(as_frame=True).frame
    if package == "mlxtend":
        return pd.DataFrame(np.column_stack(getattr(import_module("mlxtend.data"), f"{name}_data")()))
    return import_module(f"statsmodels.datasets.{name}").load_pandas().data
