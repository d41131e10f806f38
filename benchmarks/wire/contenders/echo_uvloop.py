"""The bare echo on uvloop, which our server runs on: what the loop alone gains."""

from __future__ import annotations

from . import echo

__all__ = ["client", "serve"]

client = echo.client


def serve(address: str) -> None:
    """Serve echoes until standard input closes."""
    import uvloop

    echo.serve(address, uvloop.new_event_loop)
