"""How gRPC's threads hand to Python what comes over the network.

Its latest releases let several threads of their own take turns at it before the one that wakes
Python hears of it. That costs about a seventh of what a server spends on a block of a live stream,
and the threads are in each other's way where cores are few. The thread that wakes Python can do
all of it by itself, as it did in earlier releases.
"""

from __future__ import annotations

import os

__all__ = ["DIRECTLY", "poll_directly"]

DIRECTLY = {"GRPC_EXPERIMENTS": "-event_engine_listener,-event_engine_client"}
"""What the environment says then."""


def poll_directly() -> bool:
    """Let one thread of gRPC's do it all; gRPC heeds it if it is imported later than this.

    Does nothing where the environment says already how gRPC is to work.

    Returns:
        whether it has changed the environment.
    """
    lacking = {name: value for name, value in DIRECTLY.items() if name not in os.environ}
    os.environ.update(lacking)
    return bool(lacking)
