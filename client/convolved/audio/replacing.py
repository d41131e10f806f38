"""A file appears under its name only once it is complete, and takes the old one's place whole."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from convolved_vocabulary.errors import InvalidArgument

__all__ = ["part_of", "replacing"]


@contextmanager
def replacing(path: Path, argument: str = "path") -> Iterator[Path]:
    """Give the path of an empty file that takes the place of `path` if all goes well.

    Raises:
        InvalidArgument: no file can be made there.
    """
    part = part_of(path, argument)
    try:
        yield part
        part.replace(path.resolve())
    finally:
        part.unlink(missing_ok=True)


def part_of(path: Path, argument: str = "path") -> Path:
    """Make an empty file beside the target, and so find out whether one can be made there.

    Raises:
        InvalidArgument: no file can be made there.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        raise InvalidArgument(argument, f"{str(path)!r}, which is no file", "the path of a file")
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        part.touch(exist_ok=False)
    except FileNotFoundError:
        raise InvalidArgument(
            argument, f"{str(path)!r}, whose folder does not exist", "a path in a folder that does"
        ) from None
    except OSError as error:
        raise InvalidArgument(
            argument, f"{str(path)!r}: {error.strerror}", "a path that can be written"
        ) from error
    return part
