"""Asking for a plan of a signal that need not exist."""

from __future__ import annotations

import math
from dataclasses import dataclass

from convolved import audio
from convolved.cli.job import kernel_header
from convolved.cli.names import resolve
from convolved.cli.rates import settle
from convolved.cli.routing import match, natural_channels, route
from convolved.cli.servers import connected
from convolved_vocabulary import Filter, InvalidArgument, Plan

__all__ = ["Signal", "ask"]


@dataclass(frozen=True)
class Signal:
    """What is known of the signal: the options of the command."""

    seconds: float
    channels: int | None
    shape: str | None
    dtype: str
    block: int | None
    rate: int | None

    def shape_for(self, channels: int, rate: float | None) -> tuple[int, ...]:
        """Return the shape, for a filter of so many channels at this rate.

        Raises:
            InvalidArgument: the options tell no shape.
        """
        if self.shape is not None:
            return _numbers(self.shape)
        if not (math.isfinite(self.seconds) and self.seconds > 0):
            raise InvalidArgument("--seconds", f"{self.seconds:g}", "a length above 0")
        if self.channels is not None and self.channels < 1:
            raise InvalidArgument("--channels", self.channels, "at least 1")
        if rate is None:
            raise InvalidArgument(
                "--rate", "none, and .npy files carry none", "the rate in hertz, or --shape"
            )
        return self.channels or channels, max(1, round(self.seconds * rate))


def ask(
    kernel: str,
    signal: Signal,
    accuracy: str,
    algorithm: str,
    rigor: str | None,
    server: str | None,
    token: str | None,
) -> Plan:
    """Return the plan for a kernel and a signal.

    Raises:
        InvalidArgument: naming the argument or option that is wrong.
        NotFound: the server holds no such filter.
    """
    head = kernel_header(kernel)
    found: str | Filter = kernel
    if head is not None:
        rates = settle(head.sample_rate_hertz, head.sample_rate_hertz, signal.rate)
        shape = signal.shape_for(natural_channels(head.shape), rates.signal)
        routing = match(head.shape, shape[-2] if len(shape) > 1 else 1)
        found = route(audio.read(head.path, argument="KERNEL").samples, routing)
    with connected(server, token) as client:
        if head is None:
            info = client.get_filter(resolve(client, kernel, "KERNEL"))
            rate = info.sample_rate_hertz or signal.rate
            found, shape = info.name, signal.shape_for(info.in_channels or 1, rate)
        return client.plan(
            found,
            shape,
            dtype=signal.dtype,
            block=signal.block,
            accuracy=accuracy,
            algorithm=algorithm,
            rigor=rigor,
        )


def _numbers(shape: str) -> tuple[int, ...]:
    try:
        found = tuple(int(length) for length in shape.split(","))
    except ValueError:
        found = ()
    if not 1 <= len(found) <= 3 or min(found) < 1:
        raise InvalidArgument(
            "--shape", repr(shape), "whole numbers with commas: N, CHANNELS,N or BATCH,CHANNELS,N"
        )
    return found
