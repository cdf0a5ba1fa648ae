"""One network with its data, counts, targets and clock: what every compared method is run on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ntkd_lib.chapters.distilled_ntk.network import logits_of, restore_network
from ntkd_lib.chapters.distilled_ntk.scoring import LOGIT_RIDGE, Predict, Scores, targets_of
from ntkd_lib.chapters.distilled_ntk.setting import Setting, prepare
from ntkd_lib.dntk.costs import NetworkCosts, network_costs, solution
from ntkd_lib.dntk.ledger import Clock, Ledger, Work
from ntkd_lib.dntk.regression import fit_per_class, predict_per_class
from ntkd_lib.lab.cells import Record
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.kinds import Kind

MEMORY = {"cpu": 2**30, "cuda": 2**34}


@dataclass(frozen=True)
class Bench:
    """What methods are run on.

    Attributes:
        model: The trained network.
        setting: Images.
        costs: Counts of its per-class kernels.
        targets: What regression on all training images is fitted to, by name.
        scores: Where results go.
        ridges: Ridge of each target, as a share of the mean diagonal.
        clock: Measures seconds.
        device: Where work is done.
    """

    model: nn.Module
    setting: Setting
    costs: NetworkCosts
    targets: Mapping[str, Float[Tensor, "n c"]]
    scores: Scores
    ridges: Mapping[str, float]
    clock: Clock
    device: str

    @classmethod
    def open(cls, arguments: Mapping[str, Any], network: Record) -> Bench:
        """Restore the network and load the data.

        Args:
            arguments: What `prepare` takes, and ``label_ridge``.
        """
        setting = prepare(arguments)
        model = restore_network(network, arguments)
        return cls(
            model,
            setting,
            network_costs(model, setting.images[:1]),
            targets_of(logits_of(model, setting.images), setting.labels),
            Scores(setting.test_labels, logits_of(model, setting.test_images).double()),
            {"logits": LOGIT_RIDGE, "labels": arguments["label_ridge"]},
            Clock(arguments["device"]),
            arguments["device"],
        )

    @torch.no_grad()
    def kernel(self, images: Tensor, others: Tensor | None = None, kind: Kind = "per_class") -> Tensor:
        """Compute the network's tangent kernel, tile by tile."""
        memory = MEMORY[self.device]
        return empirical_ntk(self.model, images, others, kind=kind, tile="auto", memory=memory)

    def some(self, rows: Int[Tensor, " m"]) -> tuple[Tensor, dict[str, Tensor]]:
        """Take some of the training images and their targets."""
        rows = rows.to(self.setting.labels.device)
        return self.setting.images[rows], {name: values[rows] for name, values in self.targets.items()}

    def fitted(self, targets: Mapping[str, Tensor], method: Predict) -> dict[str, Float[Tensor, "t c"]]:
        """Fit every target with its ridge and predict."""
        return {name: method(values, self.ridges[name]) for name, values in targets.items()}

    def regress(
        self,
        method: str,
        images: Tensor,
        targets: Mapping[str, Tensor],
        before: Mapping[str, Work] | None = None,
    ) -> tuple[Float[Tensor, "c m m"], Float[Tensor, "c t m"]]:
        """Run per-class kernel regression on a support, and score it."""
        count = len(images)
        with self.clock.measure():
            theta = self.kernel(images)
        built = (self.costs.jacobian(count) + self.costs.kernel(count)).timed(self.clock.seconds)
        with self.clock.measure():
            cross = self.kernel(self.setting.test_images, images)
        tests = len(self.setting.test_labels)
        query = (self.costs.jacobian(1) + self.costs.kernel(1, count)).timed(self.clock.seconds / tests)
        with self.clock.measure():
            found = self.fitted(
                targets, lambda y, ridge: predict_per_class(cross, fit_per_class(theta, y, ridge))
            )
        solved = solution(count, len(theta)).timed(self.clock.seconds / len(targets))
        stages = {**(before or {}), "tangent kernel": built, "regression": solved}
        self.scores.add(method, count, found, Ledger(stages, query))
        return theta, cross
