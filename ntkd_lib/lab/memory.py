"""Processes that compute keep the memory they free, so that the next step need not fetch it anew."""

import contextlib
import ctypes
import os
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of glibc's malloc.h
_LARGEST = 32 * 2**20  # bytes, the most that all versions of glibc take for the second
_KEPT = 512 * 2**20  # bytes


def keep_freed_memory() -> bool:
    """Keep up to 512 MiB of freed memory in this process where its C library is glibc."""
    # by default every freed block above some 128 KiB goes back to the system, and the next step of a
    # training loop gets it page by page: half of the time of an NTK distillation step on two cores
    if "CS_GNU_LIBC_VERSION" not in os.confstr_names:
        return False
    with contextlib.suppress(AttributeError, OSError):
        library = ctypes.CDLL(None)
        return bool(library.mallopt(_MMAP_THRESHOLD, _LARGEST) and library.mallopt(_TRIM_THRESHOLD, _KEPT))
    return False


def keep_grown_worker() -> None:
    """Keep a worker process that has grown by some hundred MiB since its first task."""
    # loky takes such growth for a leak and replaces the worker; here it is memory kept on purpose, and
    # the next worker would import torch and load the data anew: 10 to 18 seconds of a short run
    from joblib.externals.loky import process_executor

    process_executor._MAX_MEMORY_LEAK_SIZE = sys.maxsize
