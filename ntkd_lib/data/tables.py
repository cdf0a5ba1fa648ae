"""Load the small tables that scikit-learn ships, and check their hashes."""

from dataclasses import dataclass

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


TABLES = {
    "diabetes": "43604252936c4a89124f1057643f73dd617c9f772ae1484d8a14f4b06d46dc88",
    "digits": "f19a7d92591ca0a1ffc65ec172e8149afdff995e0d2c4cb0afd151f38471ff90",
}


def load_table(name: str) -> Table:
    """Load a table: ``diabetes`` (442 patients, 10 measurements) or ``digits`` (1,797 images of 8 x 8)."""
    check_known("table", name, TABLES)
    with extra("data"):
        from sklearn import datasets

    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    x, y = np.ascontiguousarray(x, dtype=np.float64), np.ascontiguousarray(y, dtype=np.float64)
    digest = sha256_bytes(x.round(9).tobytes() + y.tobytes())
    if digest != TABLES[name]:
        raise DataError(f"{name}: scikit-learn ships other numbers than expected (digest {digest[:12]})")
    return Table(x, y, digest)
