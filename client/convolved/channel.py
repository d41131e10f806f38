"""How every client connects: the options of its channel and the metadata of its calls."""

from __future__ import annotations

from collections.abc import Sequence

from convolved.wire.limits import MESSAGE_BYTES
from convolved_vocabulary import InvalidArgument

__all__ = ["CHANNEL_OPTIONS", "Targets", "call_metadata", "checked_timeout"]

CHANNEL_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_send_message_length", MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    # A connection that is gone without a word is noticed within half a minute. The keepalive's own
    # timeout does nothing without the ping's.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    # gRPC's defaults wait a second before the first new attempt.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


def call_metadata(token: str | None) -> tuple[tuple[str, str], ...]:
    """The metadata of every call."""
    return () if token is None else (("authorization", f"Bearer {token}"),)


class Targets:
    """The servers that a client knows, and the one that it uses.

    Args:
        target: `HOST:PORT` or `unix:PATH`, or several of them.
    """

    def __init__(self, target: str | Sequence[str]) -> None:
        several: list[str] = list(target) if isinstance(target, list | tuple) else [target]
        if not several or not all(isinstance(each, str) and each.strip() for each in several):
            raise InvalidArgument(
                "target", repr(target), "'HOST:PORT' or 'unix:PATH', or a list of them"
            )
        self._known = several
        self.current: str = several[0]

    def turn_from(self, lost: str) -> None:
        """Use the next one, unless that was done already."""
        if self.current == lost:
            following = self._known.index(lost) + 1
            self.current = self._known[following % len(self._known)]


def checked_timeout(timeout: object) -> float | None:
    """Return a number of seconds above 0, or None for as long as it takes."""
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise InvalidArgument("timeout", repr(timeout), "seconds above 0, or None")
    return float(timeout)
