"""What `make lint` checks holds: ruff's rules and format, the direction of imports, no dead code."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.setup.project import ROOT

SCRIPTS = Path(sys.executable).parent
CHECKS = {
    "rules": [sys.executable, "-m", "ruff", "check", "--quiet", "--output-format=concise", "."],
    "format": [sys.executable, "-m", "ruff", "format", "--check", "--output-format=concise", "."],
    "imports": [SCRIPTS / "lint-imports", "--no-cache"],
    "dead code": [sys.executable, "-m", "vulture"],
}


@pytest.mark.parametrize("check", CHECKS)
def test_lint(check):
    outcome = subprocess.run(CHECKS[check], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert outcome.returncode == 0, f"{outcome.stdout}{outcome.stderr}"
