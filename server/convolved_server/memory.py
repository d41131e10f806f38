"""The memory of the process: how much it may have, and how its allocator is set."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import sys
from pathlib import Path

__all__ = ["available_bytes", "keep_freed_memory"]

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_TRIM_BYTES = 256 << 20
_MMAP_BYTES = 32 << 20
# With more, each thread of gRPC keeps freed megabytes that no other may use.
_ARENAS = 2


def keep_freed_memory() -> None:
    """Let glibc reuse what it freed instead of giving it back to the kernel at once.

    Otherwise each message of a megabyte is paid for with page faults that cost several times its
    copying. Does nothing under other C libraries.
    """
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_TRIM_THRESHOLD, _TRIM_BYTES)
        mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)
        mallopt(_M_ARENA_MAX, _ARENAS)


def available_bytes() -> int:
    """What this process may have: the least of the machine, the container and `ulimit -v`."""
    page = os.sysconf("SC_PAGE_SIZE")
    found = [os.sysconf("SC_PHYS_PAGES") * page]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            found.append(int(Path(path).read_text(encoding="ascii")))
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        # Addresses that libraries and stacks have taken are gone, used or not.
        found.append(max(0, soft - _addresses(page)))
    return min(found)


def _addresses(page: int) -> int:
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * page
    except (OSError, ValueError):
        return 0
