"""`convolved info`: what a server is and can do."""

from __future__ import annotations

from convolved.cli.options import Json, Server, Token

__all__ = ["info"]


def info(server: Server = None, token: Token = None, json_: Json = False) -> None:
    """Describe a server: its version, what it computes with, and what it takes.

    Without --server it describes one that is started for that: what this machine would do.

    [bold]Examples[/bold]

      convolved info
      convolved info --server conv:50051 --json
    """
    from convolved.cli import reports
    from convolved.cli.servers import connected

    with connected(server, token) as client:
        found = client.info()
    if json_:
        reports.emit(reports.of_server(found))
        return
    from convolved.cli.tables import print_facts
    from convolved.cli.words import in_bytes, in_seconds

    limits = found.limits
    print_facts(
        [
            ("version", found.version),
            ("processor", f"{found.cpu}, {found.threads} threads"),
            ("transforms", found.transforms),
            ("algorithms", ", ".join(found.algorithms)),
            ("dtypes", ", ".join(dtype.name for dtype in found.dtypes)),
            ("message", f"{in_bytes(limits.message_bytes)} at most"),
            ("filter", f"{in_bytes(limits.filter_bytes)} in {limits.filter_layers} layers at most"),
            ("streams", f"{limits.streams:,} at one time"),
            (
                "silence",
                "a stream may be silent for ever"
                if limits.idle_timeout is None
                else f"a stream may be silent for {in_seconds(limits.idle_timeout)}",
            ),
        ]
    )
