"""gRPC's options, and the address that a server listens on."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from pathlib import Path

import grpc

from convolved.wire.limits import MESSAGE_BYTES, MESSAGE_MARGIN
from convolved_vocabulary import InvalidArgument

from .settings import Settings

__all__ = ["listen", "options"]

# Addresses of Unix sockets have this much room, with the zero at their end.
_LONGEST_PATH = 107


def options(settings: Settings) -> list[tuple[str, int]]:
    """The channel arguments of the server."""
    milliseconds = {
        "grpc.keepalive_time_ms": settings.keepalive_seconds,
        # The first alone does nothing: the second is what closes a connection that is dead.
        "grpc.keepalive_timeout_ms": settings.ping_timeout_seconds,
        "grpc.http2.ping_timeout_ms": settings.ping_timeout_seconds,
        "grpc.server_handshake_timeout_ms": settings.handshake_seconds,
    }
    return [
        *((name, int(seconds * 1000)) for name, seconds in milliseconds.items()),
        # A little more than the contract says, so that its own words refuse what is just beyond.
        ("grpc.max_receive_message_length", MESSAGE_BYTES + MESSAGE_MARGIN),
        ("grpc.max_send_message_length", MESSAGE_BYTES),
        # Else a second server would share the port in silence, and get half of the calls.
        ("grpc.so_reuseport", 0),
        # Windows that grow by measured bandwidth grow without bound where a client does not read.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", 2 << 20),
        # Calls beyond a hidden limit are cut without a word; ours are refused with one.
        ("grpc.server.max_pending_requests", 100_000),
        ("grpc.server.max_pending_requests_hard_limit", 200_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ("grpc.http2.max_ping_strikes", 2),
        ("grpc.max_metadata_size", 8 << 10),
        ("grpc.absolute_max_metadata_size", 16 << 10),
    ]


def listen(server: grpc.aio.Server, address: str) -> str:
    """Bind `server` to an address; return it with the real port.

    Raises:
        InvalidArgument: if it is no address, or is taken.
    """
    if address.startswith("unix:"):
        _check_path(Path(address.removeprefix("unix:")))
    else:
        _check_host(address)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError:
        raise InvalidArgument("listen", address, "one of this machine that is free") from None
    return address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}"


def _check_host(address: str) -> None:
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise InvalidArgument("listen", repr(address), "HOST:PORT, port 0 for any, or unix:PATH")


def _check_path(path: Path) -> None:
    """Refuse a path where somebody listens; gRPC would take it away without a word."""
    if not 0 < len(os.fsencode(path)) <= _LONGEST_PATH or str(path) == ".":
        raise InvalidArgument("listen", f"unix:{path}", f"a path of 1 to {_LONGEST_PATH} bytes")
    if not path.parent.is_dir():
        raise InvalidArgument("listen", f"unix:{path}", f"{path.parent} to be a directory")
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise InvalidArgument("listen", f"unix:{path}, a file", "a path that is free")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
        code = probe.connect_ex(str(path))
    if code not in (errno.ECONNREFUSED, errno.ENOENT):
        raise InvalidArgument(
            "listen", f"unix:{path}, where a server listens", "an address that is free"
        )
