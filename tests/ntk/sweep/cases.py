"""All cases of the sweep by name."""

from tests.ntk.sweep import architectures, layers
from tests.ntk.sweep.loop import faults, run_case

CASES = {case.name: case for case in (*layers.CASES, *architectures.CASES)}


def find_faults(name: str) -> list[str]:
    """Run a case and list what is wrong, one line per call."""
    return faults(run_case(CASES[name]))
