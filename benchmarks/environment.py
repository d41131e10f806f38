"""An environment that cripples nobody.

Some variables pin the kernels or the cache sizes of OpenBLAS, on which NumPy, SciPy and others
rest, to those of another processor. Measured so, a peer would look slower than it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

__all__ = ["PINNING", "clean", "start_again_clean"]

PINNING = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


def clean(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the variables that pin kernels.

    >>> clean({"OPENBLAS_CORETYPE": "Haswell", "HOME": "/home/me"})
    {'HOME': '/home/me'}
    """
    return {name: value for name, value in environment.items() if name not in PINNING}


def start_again_clean() -> None:
    """Replace this process by one without these variables, if any is set, and say so."""
    pinned = [f"{name}={os.environ[name]}" for name in PINNING if name in os.environ]
    if not pinned:
        return
    print(f"starting again without {' and '.join(pinned)}", file=sys.stderr, flush=True)
    # Since Python 3.10 this is the command line as it was given, `-m benchmarks` included.
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], clean(os.environ))
