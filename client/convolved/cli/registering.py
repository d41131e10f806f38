"""What the commands about registered filters do."""

from __future__ import annotations

from collections.abc import Sequence

from convolved import audio
from convolved.cli.job import kernel_header
from convolved.cli.names import resolve, shortened
from convolved.cli.rates import settle
from convolved.cli.routing import match, natural_channels, route
from convolved.cli.servers import connected, required
from convolved.cli.tables import plain_table, print_facts, print_table
from convolved.cli.words import channels_in_words, in_bytes, in_hertz
from convolved.registered import FilterInfo
from convolved_vocabulary import InvalidArgument

__all__ = ["described", "listed", "print_list", "print_one", "register", "remove"]


def register(
    kernel: str,
    channels: int | None,
    rate: int | None,
    server: str | None,
    token: str | None,
) -> FilterInfo:
    """Let a server hold the responses of a file, for signals of so many channels.

    Raises:
        InvalidArgument: naming the argument or option that is wrong.
    """
    address = required(server)
    head = kernel_header(kernel)
    if head is None:
        raise InvalidArgument("KERNEL", f"{kernel!r}, a name", "a file with an impulse response")
    rates = settle(head.sample_rate_hertz, head.sample_rate_hertz, rate)
    routing = match(head.shape, channels or natural_channels(head.shape))
    samples = audio.read(head.path, argument="KERNEL").samples
    filter = route(samples, routing, sample_rate_hertz=rates.signal)
    with connected(address, token) as client:
        return client.get_filter(client.register(filter))


def listed(server: str | None, token: str | None) -> list[FilterInfo]:
    """Return what a server holds for this caller."""
    with connected(required(server), token) as client:
        return client.filters()


def described(name: str, server: str | None, token: str | None) -> FilterInfo:
    """Return what a server says of one filter."""
    with connected(required(server), token) as client:
        return client.get_filter(resolve(client, name, "NAME"))


def remove(names: Sequence[str], server: str | None, token: str | None) -> list[str]:
    """Let a server forget filters, all of which it must hold; return their whole names.

    Raises:
        NotFound: it does not hold one of them; then all of them stay.
    """
    with connected(required(server), token) as client:
        found = [client.get_filter(resolve(client, name, "NAME")).name for name in names]
        meant = list(dict.fromkeys(found))
        for name in meant:
            client.delete_filter(name)
    return meant


def print_list(held: Sequence[FilterInfo]) -> None:
    """Print one line for each filter."""
    table = plain_table()
    table.add_column("name", no_wrap=True)
    for column in ("size", "takes", "rate"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("registered", no_wrap=True)
    table.add_column("layers", justify="right")
    for info in held:
        table.add_row(
            shortened(info.name),
            in_bytes(info.size_bytes),
            _takes(info),
            in_hertz(info.sample_rate_hertz) if info.sample_rate_hertz else "any",
            f"{info.created:%Y-%m-%d %H:%M}",
            str(len(info.layers)),
        )
    print_table(table)


def print_one(info: FilterInfo) -> None:
    """Print all there is to say of a filter."""
    rate = info.sample_rate_hertz
    print_facts(
        [
            ("name", info.name),
            ("takes", f"{_takes(info)}, of rank {info.rank}"),
            ("rate", in_hertz(rate) if rate else "any"),
            ("size", in_bytes(info.size_bytes)),
            ("registered", f"{info.created:%Y-%m-%d %H:%M:%S} UTC"),
            *(("layer", layer) for layer in info.layers),
        ]
    )


def _takes(info: FilterInfo) -> str:
    return "any channels" if info.in_channels is None else channels_in_words(info.in_channels)
