"""What a run is to make: a notebook, its validated parameters, and where the result goes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ntkd_lib.lab.digest import digest_json
from ntkd_lib.lab.layout import Layout, run_layout, tier_layout
from ntkd_lib.lab.parameters import Parameters, changed_from_tier, load_parameters
from ntkd_lib.pipeline.notebooks import NotebookSource, find_notebook, parameters_model


@dataclass(frozen=True)
class Target:
    """A notebook with validated parameters, and the layout that its result belongs to."""

    notebook: NotebookSource
    parameters: Parameters
    standard: bool  # whether they are those of the tier
    layout: Layout  # the tier's for standard parameters, else one of its own

    @property
    def name(self) -> str:
        """The notebook's full name."""
        return self.notebook.name

    @property
    def values(self) -> dict[str, Any]:
        """The parameters as plain data."""
        return self.parameters.model_dump(mode="json")

    @property
    def injected(self) -> dict[str, Any]:
        """The parameters that differ from what the notebook's own first cell assigns."""
        defaults = type(self.parameters)().model_dump(mode="json")
        return {name: value for name, value in self.values.items() if value != defaults[name]}


def resolve(name: str, tier: str, overrides: Mapping[str, Any]) -> Target:
    """Find a notebook and validate its parameters; starts nothing and writes nothing."""
    return target_of(find_notebook(name), tier, overrides)


def target_of(notebook: NotebookSource, tier: str, overrides: Mapping[str, Any]) -> Target:
    """Validate parameters for a notebook that is already found."""
    parameters = load_parameters(parameters_model(notebook), notebook.name, tier, overrides)
    standard = not changed_from_tier(parameters, notebook.name)
    own = digest_json(parameters.model_dump(mode="json"))
    layout = tier_layout(tier) if standard else run_layout(notebook.name, own)
    return Target(notebook, parameters, standard, layout)
