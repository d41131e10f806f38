"""The limits of a server, as its settings and the contract make them."""

from __future__ import annotations

from dataclasses import dataclass

from convolved.v1 import convolution_pb2 as pb
from convolved.wire.limits import BLOCK_BYTES, MESSAGE_BYTES
from convolved.wire.plans import duration
from convolved.wire.reasons import TooLarge

from .settings import Settings

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server takes; each is told by GetServerInfo.

    Attributes:
        filter_bytes: the tensors of one filter together.
        filter_layers: the layers of one filter.
        frame_bytes: one sample of a stream, in or out.
        whole_signal_bytes: the input of a stream that must be held whole.
        gradient_bytes: the tensors of one call for gradients, in and out together.
        streams: at one time.
        idle_timeout: seconds that a stream may be silent; 0 for ever.
        stream_lifetime: seconds after which a stream is asked to resume; 0 never.
    """

    filter_bytes: int
    filter_layers: int
    frame_bytes: int
    whole_signal_bytes: int
    gradient_bytes: int
    streams: int
    idle_timeout: float
    stream_lifetime: float

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """The limits that the settings set."""
        return cls(
            filter_bytes=settings.filter_bytes,
            filter_layers=settings.filter_layers,
            frame_bytes=settings.frame_bytes,
            whole_signal_bytes=settings.whole_signal_bytes,
            gradient_bytes=settings.gradient_bytes,
            streams=settings.streams,
            idle_timeout=settings.idle_timeout_seconds,
            stream_lifetime=settings.stream_lifetime_seconds,
        )

    @property
    def message(self) -> pb.Limits:
        """The limits as GetServerInfo tells them."""
        found = pb.Limits(
            message_bytes=MESSAGE_BYTES,
            block_bytes=BLOCK_BYTES,
            filter_bytes=self.filter_bytes,
            filter_layers=self.filter_layers,
            frame_bytes=self.frame_bytes,
            whole_signal_bytes=self.whole_signal_bytes,
            gradient_bytes=self.gradient_bytes,
            streams=self.streams,
        )
        if self.idle_timeout:
            found.idle_timeout.CopyFrom(duration(self.idle_timeout))
        if self.stream_lifetime:
            found.stream_lifetime.CopyFrom(duration(self.stream_lifetime))
        return found

    def check_filter(self, nbytes: int, layers: int) -> None:
        """Refuse a filter of `nbytes` of tensors in `layers` layers that is too large.

        Raises:
            TooLarge: saying how large it may be.
        """
        if layers > self.filter_layers:
            raise TooLarge(
                f"the filter has {layers} layers; at most {self.filter_layers} are taken"
            )
        if nbytes > self.filter_bytes:
            raise TooLarge(
                f"the filter has {nbytes:,} bytes of tensors; at most {self.filter_bytes:,} are "
                "taken"
            )

    def check_gradients(self, nbytes: int) -> None:
        """Refuse a call for gradients whose tensors, in and out, have `nbytes`.

        Raises:
            TooLarge: saying how large they may be.
        """
        if nbytes > self.gradient_bytes:
            raise TooLarge(
                f"the tensors of this call, in and out, have {nbytes:,} bytes; at most "
                f"{self.gradient_bytes:,} are taken: give smaller batches"
            )

    def check_frame(self, what: str, nbytes: int) -> None:
        """Refuse one sample of `nbytes` that is too large.

        Raises:
            TooLarge: saying how large it may be.
        """
        if nbytes > self.frame_bytes:
            raise TooLarge(
                f"one sample of the {what} has {nbytes:,} bytes; at most {self.frame_bytes:,} are "
                "taken: send fewer channels or a smaller frame"
            )
