"""The command line of the server: every setting is a flag."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pydantic import ByteSize

from .settings import Settings, flag_of, load

__all__ = ["from_flags"]


def from_flags(arguments: Sequence[str] | None = None) -> Settings:
    """The settings of a command line: every setting is a flag, `--listen` and so on.

    Raises:
        SystemExit: as argparse does, for `--help` and for unknown flags.
        InvalidArgument: as `load`.
    """
    parser = argparse.ArgumentParser(
        prog="python -m convolved_server",
        description="Serve convolutions over gRPC until SIGTERM.",
        epilog="Each flag may also stand in the environment (--grace-seconds as "
        "CONVOLVED_GRACE_SECONDS) or in the file (grace_seconds = 25).",
        allow_abbrev=False,
    )
    for name, field in Settings.model_fields.items():
        text = f"{field.description}{_default(field.default)}".replace("%", "%%")
        if field.annotation is bool:
            parser.add_argument(
                flag_of(name), action=argparse.BooleanOptionalAction, default=None, help=text
            )
        else:
            parser.add_argument(flag_of(name), metavar="VALUE", help=text)
    return load(vars(parser.parse_args(arguments)))


def _default(value: object) -> str:
    if value is None or isinstance(value, bool):
        return ""
    return f" [{value.human_readable() if isinstance(value, ByteSize) else value}]"
