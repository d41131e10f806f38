"""The command line: `convolved`, as the extra `cli` installs it.

    app                     the commands together, and `run`
    commands, options       how commands look and end; options that several share
    serve, apply, plan, filters, info, health
                            the commands, one module to each: what they take and their help
    exits, failures         the exit codes in one table; errors in one line
    signals                 Ctrl-C and SIGTERM
    job, running            what `apply` is asked for, checked; and doing it
    routing, rates, kernels channels through responses, sample rates, what comes of a kernel
    files, blending         files in the place of arrays; dry and wet together
    drawing                 the picture of `apply --plot`
    planning, plans         asking for a plan; plans as people read them
    registering, names      what `filters` does; names that may be shortened
    servers, sessions       the server of a command; what the client's methods do not offer
    reports, tables, talk, words
                            what is printed: JSON, tables, lines and bars, quantities

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
