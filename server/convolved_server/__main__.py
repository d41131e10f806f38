"""`python -m convolved_server`: run a server; `--help` tells its settings."""

from __future__ import annotations

import sys

from convolved_vocabulary import InvalidArgument, MissingExtra

from .polling import poll_directly


def main() -> int:
    """Run a server by the flags of the command line; return the exit code."""
    poll_directly()
    try:
        from .flags import from_flags
        from .main import run
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("convolved"):
            raise
        print(f"error: {MissingExtra('the server', 'server')} ({error.name})", file=sys.stderr)
        return 2
    try:
        return run(from_flags())
    except InvalidArgument as error:
        print(f"error: {error}", file=sys.stderr)
    except MissingExtra as error:
        print(f"error: {MissingExtra('the server', 'server')} ({error.what})", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
