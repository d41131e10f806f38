"""Reading a file whole or block by block, and saying well why one cannot be read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved.audio.formats import FILES, libsndfile
from convolved.audio.recording import Header, Recording
from convolved_vocabulary.errors import InvalidArgument

__all__ = ["blocks", "header", "read"]

NPY_MAGIC = b"\x93NUMPY"
# These hold more bits than a float32 keeps.
WIDE = frozenset({"PCM_32", "DOUBLE", "ALAC_32"})

SIGNATURES = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive (such as .npz or .docx)",
    b"\x1f\x8b": "a gzip archive",
    b"\x7fELF": "a program",
    b"\x80\x04": "a Python pickle",
    b"\x1a\x45\xdf\xa3": "a Matroska or WebM video",
    NPY_MAGIC: "a NumPy array",
}


def header(path: str | os.PathLike[str], *, argument: str = "path") -> Header:
    """Return what a file says about its samples, without reading them.

    Args:
        path: a WAV, FLAC, OGG or .npy file, or any other that libsndfile knows by its content.
        argument: how an error is to name this file, such as "kernel".

    Raises:
        InvalidArgument: the file is missing, no audio, empty, or of a dtype not served.
        MissingExtra: soundfile is not installed (.npy needs nothing).
    """
    path = Path(path)
    start = _first_bytes(path, argument)
    if start.startswith(NPY_MAGIC):
        return _npy_header(path, argument)
    with _opened(path, start, argument) as file:
        dtype = np.dtype(np.float64 if file.subtype in WIDE else np.float32)
        shape = (file.channels, file.frames)
        if file.frames == 0:
            raise _empty(path, shape, argument)
        return Header(path, shape, dtype, file.samplerate, file.subtype)


def read(path: str | os.PathLike[str], *, argument: str = "path") -> Recording:
    """Read a file whole: audio as (channels, n) in float, full scale 1; .npy as it is.

    An array (n,) in .npy comes as (1, n); (channels, n) and (out, in, n) stay.

    Args:
        path: a WAV, FLAC, OGG or .npy file, or any other that libsndfile knows by its content.
        argument: how an error is to name this file, such as "kernel".

    Raises:
        InvalidArgument: the file is missing, no audio, damaged, empty, or of a dtype not served.
        MissingExtra: soundfile is not installed (.npy needs nothing).
    """
    head = header(path, argument=argument)
    if head.subtype is None:
        samples = np.ascontiguousarray(_npy_samples(head, argument))
    else:
        samples = np.empty(head.shape, head.dtype)
        at = 0
        for block in _audio_blocks(head, 1 << 18, argument):
            samples[:, at : at + block.shape[1]] = block
            at += block.shape[1]
    return Recording(samples, head.sample_rate_hertz, head.subtype, head.path)


def blocks(
    path: str | os.PathLike[str], frames: int, *, argument: str = "path"
) -> Iterator[NDArray[Any]]:
    """Read a file in blocks of `frames` samples of every channel, the last one shorter.

    Never more than a block is in memory. What is wrong with the file is raised at the call, not
    at the first block; only damage inside is met on the way. Arguments and errors are those of
    `read`; the blocks joined along the last axis are its samples.

    Raises:
        InvalidArgument: `frames` is below 1, or as `read`.
        MissingExtra: soundfile is not installed (.npy needs nothing).
    """
    if frames < 1:
        raise InvalidArgument("frames", frames, "at least 1 sample to a block")
    head = header(path, argument=argument)
    if head.subtype is None:
        return _npy_blocks(head, frames, argument)
    return _audio_blocks(head, frames, argument)


def _audio_blocks(head: Header, frames: int, argument: str) -> Iterator[NDArray[Any]]:
    count = 0
    with _opened(head.path, b"", argument) as file:
        while count < head.frames:
            block = file.read(min(frames, head.frames - count), head.dtype.name, always_2d=True)
            if len(block) == 0:
                raise InvalidArgument(
                    argument,
                    f"{str(head.path)!r}, which breaks off after {count} of {head.frames} samples",
                    "a whole file",
                )
            count += len(block)
            yield np.ascontiguousarray(block.T)


@contextmanager
def _opened(path: Path, start: bytes, argument: str) -> Iterator[Any]:
    """Open an audio file; all that libsndfile says against it becomes an error of ours."""
    soundfile = libsndfile()
    try:
        # By descriptor, so that the ending has no say: the content alone decides.
        with path.open("rb") as raw, soundfile.SoundFile(raw.fileno(), closefd=False) as file:
            yield file
    except soundfile.LibsndfileError as error:
        came = _looks_like(start) if start else "which is damaged"
        raise InvalidArgument(
            argument, f"{str(path)!r}, {came} ({error.error_string})", FILES
        ) from error


def _npy_header(path: Path, argument: str) -> Header:
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            if version == (1, 0):
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            else:
                shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    except ValueError as error:
        raise _damaged(path, error, argument) from error
    if dtype.kind not in "iufc" or dtype.itemsize > (16 if dtype.kind == "c" else 8):
        raise InvalidArgument(
            argument,
            f"{str(path)!r}, an array of dtype {dtype}",
            "real or complex numbers of at most 64 bits each (integer or float)",
        )
    if not 1 <= len(shape) <= 3:
        raise InvalidArgument(
            argument,
            f"{str(path)!r}, an array of shape {shape}",
            "shape (n,), (channels, n) or (out, in, n)",
        )
    if 0 in shape:
        raise _empty(path, shape, argument)
    return Header(path, shape if len(shape) > 1 else (1, *shape), dtype.newbyteorder("="))


def _npy_samples(head: Header, argument: str) -> NDArray[Any]:
    try:
        mapped = np.load(head.path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise _damaged(head.path, error, argument) from error
    samples: NDArray[Any] = mapped.reshape(head.shape)
    return samples.astype(head.dtype, copy=False)


def _npy_blocks(head: Header, frames: int, argument: str) -> Iterator[NDArray[Any]]:
    samples = _npy_samples(head, argument)
    for at in range(0, head.frames, frames):
        yield np.array(samples[..., at : at + frames], order="C")


def _first_bytes(path: Path, argument: str) -> bytes:
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except FileNotFoundError:
        raise InvalidArgument(argument, f"{str(path)!r}, which does not exist", FILES) from None
    except IsADirectoryError:
        raise InvalidArgument(argument, f"{str(path)!r}, which is a folder", FILES) from None
    except OSError as error:
        raise InvalidArgument(argument, f"{str(path)!r}: {error.strerror}", FILES) from error
    if not start:
        raise InvalidArgument(argument, f"{str(path)!r}, which is 0 bytes long", FILES)
    return start


def _looks_like(start: bytes) -> str:
    """Say in words what the first bytes of a file that is not audio seem to be."""
    for signature, words in SIGNATURES.items():
        if start.startswith(signature):
            return f"which looks like {words}"
    if start[4:8] == b"ftyp":
        return "which looks like an MP4 file"
    # The last bytes may be half a character.
    text = start.decode("utf-8", errors="ignore")
    if len(text.encode()) > len(start) - 4 and all(c.isprintable() or c in "\t\r\n" for c in text):
        return f"which looks like a text that begins {text[:24]!r}"
    return f"which is not audio: it begins with the bytes {start[:8].hex(' ')}"


def _empty(path: Path, shape: tuple[int, ...], argument: str) -> InvalidArgument:
    return InvalidArgument(
        argument, f"{str(path)!r}, which holds no samples (shape {shape})", "at least one sample"
    )


def _damaged(path: Path, error: ValueError, argument: str) -> InvalidArgument:
    return InvalidArgument(argument, f"{str(path)!r}, a damaged array ({error})", FILES)
