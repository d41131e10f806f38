"""How every client connects: the options of its channel and the metadata of its calls."""

from __future__ import annotations

from convolved.wire.limits import MESSAGE_BYTES
from convolved_vocabulary import InvalidArgument

__all__ = ["CHANNEL_OPTIONS", "call_metadata", "checked_timeout"]

CHANNEL_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    # A connection that is gone without a word is noticed within half a minute. The keepalive's own
    # timeout does nothing without the ping's.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # gRPC's defaults wait a second before the first new attempt. "min" is the time that connecting
    # may take.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # A new channel to the same server shall be a new connection.
    ("grpc.use_local_subchannel_pool", 1),
)


def call_metadata(token: str | None) -> tuple[tuple[str, str], ...]:
    """The metadata of every call."""
    return () if token is None else (("authorization", f"Bearer {token}"),)


def checked_timeout(timeout: object) -> float | None:
    """Return a number of seconds above 0, or None for as long as it takes."""
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise InvalidArgument("timeout", repr(timeout), "seconds above 0, or None")
    return float(timeout)
