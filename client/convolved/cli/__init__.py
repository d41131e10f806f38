"""The command line: `convolved`, as the extra `cli` installs it.

    exits       the exit codes, in one table
    failures    errors in one line
    options     options that commands share
    words       quantities as people read them
    app         the commands together
    health, serve, apply, plan, filters, info: one module to each command
    routing     channels through responses; blending: dry and wet; ...

Without the extra this module still imports, and says what to install.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec

__all__ = ["main"]

NEEDED = ("typer", "rich")


def main() -> int:
    """Run the command line of this process and return its exit code."""
    if not all(find_spec(name) for name in NEEDED):
        from convolved_vocabulary.errors import MissingExtra

        print(f"convolved: {MissingExtra('the command convolved', 'cli')}", file=sys.stderr)
        return 1
    from convolved.cli.app import run

    return run()
