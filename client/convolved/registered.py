"""What a client knows of filters that a server holds, and of the server itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import numpy as np

from convolved.v1 import convolution_pb2 as pb
from convolved.wire.filters import decode_filter, unfilled
from convolved.wire.plans import seconds
from convolved.wire.tensors import numpy_dtype
from convolved_vocabulary import Filter, ReceptiveField

__all__ = ["FilterInfo", "Limits", "RegisteredFilter", "ServerInfo", "filter_info", "server_info"]


@dataclass(frozen=True, slots=True)
class RegisteredFilter:
    """A filter that a server holds, as `Client.register` returns it.

    It keeps the weights, so that a server that lacks the filter is given it again without a word.

    Attributes:
        name: `filters/` and the SHA-256 of the content; the same on every server.
        filter: the filter itself.
    """

    name: str
    filter: Filter

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class FilterInfo:
    """A registered filter as the server describes it; its weights never come back.

    Attributes:
        name: what calls it, from any client of the same owner.
        layers: each layer in words.
        per_channel: whether it is applied to every channel by itself.
        sample_rate_hertz: the rate for which it was made, or None.
        rank: the number of spatial axes of the signals that it takes.
        in_channels: of these signals; None if any number does.
        size_bytes: of its tensors.
        parameter_count: the numbers in its tensors.
        receptive_field: for each spatial axis what one output sees.
        delay: of a stream, in input samples; see `Filter.delay`.
        created: when it was first registered.
    """

    name: str
    layers: tuple[str, ...]
    per_channel: bool
    sample_rate_hertz: float | None
    rank: int
    in_channels: int | None
    size_bytes: int
    parameter_count: int
    receptive_field: tuple[ReceptiveField, ...]
    delay: Fraction
    created: datetime


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server takes; 0 where it sets no limit of its own.

    Attributes:
        message_bytes: the greatest message, either way.
        block_bytes: the greatest block of a stream.
        filter_bytes: the tensors of one filter.
        filter_layers: the layers of one filter.
        frame_bytes: one sample of a stream, all channels together.
        whole_signal_bytes: a signal that must be held whole.
        gradient_bytes: the tensors of a call for gradients.
        streams: at one time.
        idle_timeout: seconds after which a stream without messages ends; None for never.
        stream_lifetime: seconds after which a stream is asked to go on elsewhere; None for never.
    """

    message_bytes: int
    block_bytes: int
    filter_bytes: int
    filter_layers: int
    frame_bytes: int
    whole_signal_bytes: int
    gradient_bytes: int
    streams: int
    idle_timeout: float | None
    stream_lifetime: float | None


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """A server: what it is and what it can do.

    Attributes:
        version: of the server.
        algorithms: the names that `algorithm=` takes.
        dtypes: of signals and weights.
        cpu: the processor, with the vector instructions in use.
        threads: that compute.
        transforms: the library of its Fourier transforms.
        limits: what it takes.
    """

    version: str
    algorithms: tuple[str, ...]
    dtypes: tuple[np.dtype[Any], ...]
    cpu: str
    threads: int
    transforms: str
    limits: Limits


def filter_info(message: pb.FilterInfo) -> FilterInfo:
    """What a FilterInfo says."""
    described = decode_filter(message.filter, tensors=unfilled(message.filter))
    return FilterInfo(
        name=message.name,
        layers=tuple(map(repr, described.layers)),
        per_channel=described.per_channel,
        sample_rate_hertz=described.sample_rate_hertz,
        rank=described.rank,
        in_channels=described.in_channels,
        size_bytes=message.size_bytes,
        # They follow from the layers as described, so a server need not tell them.
        parameter_count=described.parameter_count,
        receptive_field=described.receptive_field,
        delay=described.delay,
        created=message.create_time.ToDatetime(tzinfo=UTC),
    )


def server_info(message: pb.GetServerInfoResponse) -> ServerInfo:
    """What a GetServerInfoResponse says; data types of later servers are left out."""
    limits = message.limits
    idle, lifetime = (
        seconds(getattr(limits, name)) if limits.HasField(name) else None
        for name in ("idle_timeout", "stream_lifetime")
    )
    known = [number for number in message.data_types if number in pb.DataType.values()]
    return ServerInfo(
        version=message.version,
        algorithms=tuple(message.algorithms),
        dtypes=tuple(numpy_dtype(number) for number in known if number),
        cpu=message.cpu,
        threads=message.threads,
        transforms=message.transforms,
        limits=Limits(
            message_bytes=limits.message_bytes,
            block_bytes=limits.block_bytes,
            filter_bytes=limits.filter_bytes,
            filter_layers=limits.filter_layers,
            frame_bytes=limits.frame_bytes,
            whole_signal_bytes=limits.whole_signal_bytes,
            gradient_bytes=limits.gradient_bytes,
            streams=limits.streams,
            idle_timeout=idle,
            stream_lifetime=lifetime,
        ),
    )
