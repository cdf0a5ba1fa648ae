"""How predictions of a kernel method are scored, and in which form a cell leaves them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from ntkd_lib.dntk.ledger import Ledger
from ntkd_lib.lab.cells import CellResult
from ntkd_lib.ntk.regression import fit_ridge, predict

# Regression on the network's logits, which have no noise, takes the ridge that a reproduction of the paper
# reports. Ridges are shares of the mean diagonal, the same for every method.
LOGIT_RIDGE = 1e-4

Predict = Callable[[Tensor, float], Tensor]


def targets_of(logits: Float[Tensor, "n c"], labels: Int[Tensor, " n"]) -> dict[str, Float[Tensor, "n c"]]:
    """Give what regression is fitted to."""
    classes = logits.shape[1]
    return {"logits": logits.double(), "labels": one_hot(labels, classes).double() - 1 / classes}


@dataclass
class Scores:
    """Scores of several methods on the same test images.

    Attributes:
        labels: Classes of the test images.
        logits: The network's logits.
        rows: One entry a method, size and target.
        guesses: Predicted classes by ``method/size/target``.
    """

    labels: Int[Tensor, " t"]
    logits: Float[Tensor, "t c"]
    rows: list[dict[str, Any]] = field(default_factory=list)
    guesses: dict[str, np.ndarray] = field(default_factory=dict)

    def add(
        self, method: str, size: int, predictions: Mapping[str, Float[Tensor, "t c"]], ledger: Ledger
    ) -> None:
        """Score one method."""
        work = {"build": {k: asdict(v) for k, v in ledger.build.items()}, "query": asdict(ledger.query)}
        for target, values in predictions.items():
            guess = values.argmax(1)
            error = (values - self.logits).square().mean().item() if target == "logits" else None
            self.rows.append(
                {
                    "method": method,
                    "size": size,
                    "target": target,
                    "accuracy": _percent(guess, self.labels),
                    "fidelity": _percent(guess, self.logits.argmax(1)),
                    "squared_error": error,
                    "ledger": work,
                }
            )
            self.guesses[f"{method}/{size}/{target}"] = guess.cpu().numpy().astype(np.uint8)

    def result(self, **more: Any) -> CellResult:
        """Give what a cell returns."""
        arrays = {k: v for k, v in more.items() if isinstance(v, np.ndarray)}
        values = {k: v for k, v in more.items() if k not in arrays}
        return CellResult({"rows": self.rows, **values}, {**self.guesses, **arrays})


def shared(
    theta: Float[Tensor, "m m"], cross: Float[Tensor, "t m"], targets: Float[Tensor, "m c"], ridge: float
) -> Float[Tensor, "t c"]:
    """Predict with one kernel for all classes."""
    scale = theta.diagonal().double().mean().item()
    return predict(cross, fit_ridge((theta + theta.T) / 2, targets, ridge * scale))


def _percent(guess: Tensor, truth: Tensor) -> float:
    return 100 * (guess == truth).double().mean().item()


def to_numpy(values: Tensor) -> np.ndarray:
    """Bring a tensor into a record's form."""
    return values.detach().to(torch.float32).cpu().numpy()
