"""File endings, the formats that they stand for, and the optional library behind most of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convolved_vocabulary.errors import InvalidArgument, MissingExtra

__all__ = ["FILES", "FORMATS", "Format", "choose", "libsndfile"]

FILES = "a WAV, FLAC, OGG or .npy file"


@dataclass(frozen=True)
class Format:
    """One container, its sample format unless told otherwise, and how many bytes it can hold."""

    name: str
    subtype: str | None
    greatest_bytes: int | None = None


FORMATS = {
    ".wav": Format("WAV", "FLOAT", greatest_bytes=2**32 - 2**16),
    ".w64": Format("W64", "FLOAT"),
    ".flac": Format("FLAC", "PCM_24"),
    ".ogg": Format("OGG", "VORBIS"),
    ".npy": Format("NPY", None),
}


def libsndfile() -> Any:
    """Return the module soundfile.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import soundfile
    except ImportError as error:
        raise MissingExtra("reading and writing audio files", "cli") from error
    return soundfile


def choose(path: Path, subtype: str | None, argument: str = "path") -> tuple[Format, str | None]:
    """Return the format that the ending of `path` asks for, and the sample format within it.

    Raises:
        InvalidArgument: the ending is not one of ours, or its format lacks that sample format.

    >>> choose(Path("wet.wav"), "PCM_16")[1]
    'PCM_16'
    """
    chosen = FORMATS.get(path.suffix.lower())
    if chosen is None:
        raise InvalidArgument(
            argument,
            f"{str(path)!r}, whose ending is " + (repr(path.suffix) if path.suffix else "missing"),
            "a path that ends in " + ", ".join(FORMATS),
        )
    if subtype is None:
        return chosen, chosen.subtype
    if chosen.subtype is None:
        raise InvalidArgument(
            "subtype", repr(subtype), f"None, for {path.suffix} keeps the array's own dtype"
        )
    possible = libsndfile().available_subtypes(chosen.name)
    if subtype.upper() not in possible:
        raise InvalidArgument(
            "subtype", f"{subtype!r} for {path.suffix}", "one of " + ", ".join(sorted(possible))
        )
    return chosen, subtype.upper()
