"""Run benchmarks: `python -m benchmarks [FAMILY] [options]`; all families without a name."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from . import report
from .environment import start_again_clean
from .families import FAMILIES, Listed
from .results import Result, load, save

_DOCS = Path(__file__).resolve().parents[1] / "docs"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given:
        for name in FAMILIES:
            main([name])
        return
    options = _parser(given[0]).parse_args(given)
    if options.command == "report":
        _report([load(path) for path in options.results], options.docs)
        return
    start_again_clean()
    listed = FAMILIES[options.command]
    family = listed.load()
    result = family.run(options)
    if options.json:
        save(result, options.json)
    complete = family.complete(options) and not options.quick
    _tell(listed, result, options.docs or (_DOCS if complete else None))


def _report(results: Sequence[Result], folder: Path) -> None:
    """Write the sections of saved results; several of one family become one."""
    for name in dict.fromkeys(result.family for result in results):
        parts = [result for result in results if result.family == name]
        listed = FAMILIES[name]
        _tell(listed, parts[0] if len(parts) == 1 else listed.load().join(parts), folder)


def _parser(asked: str) -> argparse.ArgumentParser:
    """The command line; only the family that is asked for need be importable."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure beside the peers, and write docs/benchmarks.md and its plots.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="FAMILY")
    for name, listed in FAMILIES.items():
        command = commands.add_parser(name, help=listed.summary, description=listed.summary)
        command.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
        command.add_argument(
            "--quick", action="store_true", help="a tiny run that only shows that all of it works"
        )
        command.add_argument(
            "--docs",
            type=Path,
            metavar="FOLDER",
            help="write the page and plots there; complete runs write them to docs/ by themselves",
        )
        if name == asked:
            listed.load().add_options(command)
    command = commands.add_parser("report", help="write the page from results that were saved")
    command.add_argument("results", type=Path, nargs="+", metavar="FILE", help="written by --json")
    command.add_argument("--docs", type=Path, default=_DOCS, metavar="FOLDER", help="[docs/]")
    return parser


def _tell(listed: Listed, result: Result, folder: Path | None) -> None:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    section = listed.load().section(result, folder)
    if folder is None:
        print(section)
    else:
        print(f"wrote {report.write(listed.name, section, folder)}")
        print(report.bars_table(result.bars))


if __name__ == "__main__":
    main()
