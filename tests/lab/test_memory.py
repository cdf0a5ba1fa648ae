"""Freed memory that stays with a process."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import resource

from ntkd_lib.lab.memory import keep_freed_memory
if {keep}:
    assert keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
b"x" * 2**23
before = faults()
for _ in range(50):
    b"x" * 2**23
print(faults() - before)
"""


@pytest.mark.skipif("CS_GNU_LIBC_VERSION" not in os.confstr_names, reason="needs glibc")
def test_freed_memory_is_not_fetched_anew() -> None:
    def faults(keep: bool) -> int:
        script = SCRIPT.format(keep=keep)
        variables = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "131072"} if not keep else os.environ
        return int(subprocess.check_output([sys.executable, "-c", script], text=True, env=variables))

    assert faults(keep=True) < 2048 < faults(keep=False)
