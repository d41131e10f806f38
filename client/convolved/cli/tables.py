"""Data for people on standard output: labeled lines and tables."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["plain_table", "print_facts", "print_table"]


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print a label and a text in each line; on a terminal long texts go on in the next."""
    listed = list(facts)
    indent = max(len(label) for label, _ in listed) + 2
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    for label, text in listed:
        lines = textwrap.wrap(text, max(columns - indent, 20)) or [""]
        print(f"{label:<{indent}}{lines[0]}")
        for line in lines[1:]:
            print(f"{'':<{indent}}{line}")


def plain_table(**options: Any) -> Table:
    """Return a table without frame."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, **options)


def print_table(table: Table) -> None:
    """Print a table as wide as the terminal, or as COLUMNS."""
    from rich.console import Console

    Console(highlight=False, markup=False, emoji=False).print(table)
