"""Exit codes: one table, which `convolved --help` shows and every command keeps."""

from __future__ import annotations

from enum import IntEnum

from convolved_vocabulary.errors import (
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unavailable,
)

__all__ = ["MEANINGS", "ExitCode", "code_of"]


class ExitCode(IntEnum):
    """What the program ends with."""

    DONE = 0
    FAILED = 1
    BAD_INPUT = 2
    UNREACHABLE = 3
    NOT_FOUND = 4
    NOT_ALLOWED = 5
    NO_ROOM = 6
    INTERRUPTED = 130
    TERMINATED = 143


MEANINGS = {
    ExitCode.DONE: "done; for health: SERVING",
    ExitCode.FAILED: "the work failed; for health: anything but SERVING",
    ExitCode.BAD_INPUT: "wrong usage or input",
    ExitCode.UNREACHABLE: "the server cannot be reached, or went away",
    ExitCode.NOT_FOUND: "the server holds no such filter",
    ExitCode.NOT_ALLOWED: "the token is missing, or does not suffice",
    ExitCode.NO_ROOM: "beyond a limit, no room now, or not done in time",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C)",
    ExitCode.TERMINATED: "terminated (SIGTERM); serve ends with 0 then",
}

_CODES: list[tuple[type[BaseException], ExitCode]] = [
    (InvalidArgument, ExitCode.BAD_INPUT),
    (Unavailable, ExitCode.UNREACHABLE),
    (NotFound, ExitCode.NOT_FOUND),
    (PermissionDenied, ExitCode.NOT_ALLOWED),
    (ResourceExhausted, ExitCode.NO_ROOM),
    (DeadlineExceeded, ExitCode.NO_ROOM),
    (MemoryError, ExitCode.NO_ROOM),
    (KeyboardInterrupt, ExitCode.INTERRUPTED),
]


def code_of(error: BaseException) -> ExitCode:
    """Return the code of an error, FAILED if none fits better."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.FAILED)
