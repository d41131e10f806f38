"""What a signal goes through: the responses in a file, or a filter that a server holds."""

from __future__ import annotations

from dataclasses import dataclass

from convolved import audio
from convolved.cli.job import Checked
from convolved.cli.names import resolve
from convolved.cli.routing import Routing, route
from convolved.cli.sessions import held_source
from convolved.cli.words import about_samples, channels_in_words, in_hertz
from convolved.client import Client
from convolved.session.sources import Source
from convolved_vocabulary import InvalidArgument
from convolved_vocabulary.words import counted

__all__ = ["Kernel", "held", "read"]


@dataclass(frozen=True)
class Kernel:
    """A filter, and how it came about.

    Attributes:
        source: the filter, as calls take it.
        name: the path or the name that was given.
        routing: how the channels of the signal go through it.
        about: what there is to say of it.
        shape: of the file, at the rate of the signal; None if a server holds it.
    """

    source: Source
    name: str
    routing: Routing
    about: str
    shape: tuple[int, ...] | None = None


def read(checked: Checked) -> Kernel:
    """Read the responses of a file, at the rate of the signal.

    Raises:
        InvalidArgument: the file is damaged.
        MissingExtra: soxr is needed and not installed.
    """
    head, routing, rates = checked.kernel, checked.routing, checked.rates
    assert head is not None, "a kernel that is no file has no samples"
    assert routing is not None, "and only such a one has no routing"
    recording = audio.read(head.path, argument="KERNEL")
    if rates.differ:
        assert rates.signal is not None, "rates that differ are both stated"
        recording = audio.resample(recording, rates.signal, impulse_response=True)
    about = about_samples(head.shape, rates.kernel)
    return Kernel(
        source=Source(route(recording.samples, routing)),
        name=str(head.path),
        routing=routing,
        about="; ".join(filter(None, (about, rates.note, routing.words))),
        shape=recording.samples.shape,
    )


def held(client: Client, checked: Checked) -> Kernel:
    """Ask a server for the filter of this name, and whether it suits the signal.

    Raises:
        InvalidArgument: the name is none, or the filter is not for such signals.
        NotFound: the server holds no such filter.
    """
    name = resolve(client, checked.job.kernel, "KERNEL")
    channels, rate = checked.signal.channels, checked.rates.signal
    source = held_source(client, name)
    found = source.filter
    if found.rank != 1:
        raise InvalidArgument("KERNEL", f"a filter of rank {found.rank}", "one of rank 1")
    if found.in_channels not in (None, channels):
        raise InvalidArgument(
            "KERNEL",
            f"a filter of {counted(found.in_channels or 0, 'channel')} for a signal of {channels}",
            f"a filter of {channels}, or one that takes each channel by itself",
        )
    made_for = found.sample_rate_hertz
    if made_for is not None and rate is not None and made_for != rate:
        raise InvalidArgument(
            "KERNEL",
            f"a filter made for {in_hertz(made_for)} with a signal at {in_hertz(rate)}",
            f"a signal at {in_hertz(made_for)}: what a server holds cannot be resampled",
        )
    way = f"{channels_in_words(channels)} to {channels_in_words(found.out_channels(channels))}"
    return Kernel(
        source=source,
        name=name,
        routing=Routing("registered", way),
        about=f"held by the server; {way}",
    )
