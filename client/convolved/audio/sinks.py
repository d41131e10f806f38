"""Where blocks go: an audio file by libsndfile, or a growing .npy array."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from convolved.audio.formats import Format, libsndfile
from convolved_vocabulary.errors import InvalidArgument, ResourceExhausted

__all__ = ["ArraySink", "AudioSink", "Sink", "disk_errors"]

WHOLE_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
FLOAT_BITS = {"FLOAT": 32, "DOUBLE": 64}
# libsndfile's Vorbis encoder takes a write to the C stack whole, so that writes must be short.
FRAMES = 1 << 15


class Sink(Protocol):
    """A file that takes blocks (channels, n) one after the other."""

    def write(self, block: NDArray[Any]) -> None:
        """Append a block."""

    def close(self) -> None:
        """Bring everything to the disk; to be called once."""


class AudioSink:
    """An audio file; `name` is what errors call it."""

    def __init__(
        self, path: Path, name: Path, chosen: Format, subtype: str, channels: int, rate: int
    ) -> None:
        self._name, self._format, self._frames = name, chosen, 0
        self._whole_bits = WHOLE_BITS.get(subtype)
        self._frame_bytes = channels * (WHOLE_BITS | FLOAT_BITS).get(subtype, 8) // 8
        soundfile = libsndfile()
        try:
            self._file = soundfile.SoundFile(
                str(path), "w", rate, channels, subtype, format=chosen.name
            )
        except soundfile.LibsndfileError as error:
            raise InvalidArgument(
                "samples",
                f"{channels} channels at {rate} Hz as {subtype} for {name.suffix} "
                f"({error.error_string})",
                "a format with room for them, such as .wav",
            ) from error

    def write(self, block: NDArray[Any]) -> None:
        """Append a block (channels, n) of real floats."""
        self._frames += block.shape[1]
        size, most = self._frames * self._frame_bytes, self._format.greatest_bytes
        if most is not None and size > most:
            raise InvalidArgument(
                "samples",
                f"{size / 2**30:.1f} GiB for {self._name.name!r}",
                f"less than 4 GiB, all that a {self._name.suffix} file holds; .w64 has no limit",
            )
        wide = np.float64 if block.itemsize == 8 else np.float32
        with disk_errors(self._name):
            for at in range(0, block.shape[1], FRAMES):
                frames: NDArray[Any] = np.ascontiguousarray(block[:, at : at + FRAMES].T, wide)
                bits = self._whole_bits
                self._file.write(frames if bits is None else _rounded(frames, bits))

    def close(self) -> None:
        """Finish the header and close the file."""
        with disk_errors(self._name):
            self._file.close()


class ArraySink:
    """An .npy array (channels, n) in Fortran order, in which blocks lie one after the other."""

    def __init__(self, path: Path, name: Path, channels: int) -> None:
        self._name, self._channels, self._frames = name, channels, 0
        self._dtype: np.dtype[Any] | None = None
        self._file = path.open("wb")

    def write(self, block: NDArray[Any]) -> None:
        """Append a block (channels, n); the first one decides the dtype."""
        with disk_errors(self._name):
            if self._dtype is None:
                self._dtype = block.dtype
                self._header(self._dtype)
            elif block.dtype != self._dtype:
                raise InvalidArgument(
                    "block", f"dtype {block.dtype}", f"{self._dtype}, as the blocks before"
                )
            self._frames += block.shape[1]
            self._file.write(np.ascontiguousarray(block.T).data)

    def close(self) -> None:
        """State the length and close the file."""
        with disk_errors(self._name), self._file as file:
            if self._dtype is not None:
                file.seek(0)
                self._header(self._dtype)

    def _header(self, dtype: np.dtype[Any]) -> None:
        # NumPy pads the header for an axis that grows, so that it keeps its length.
        np.lib.format.write_array_header_1_0(
            self._file,
            {
                "descr": np.lib.format.dtype_to_descr(dtype),
                "fortran_order": True,
                "shape": (self._channels, self._frames),
            },
        )


def _rounded(x: NDArray[Any], bits: int) -> NDArray[Any]:
    """Return samples as int32 with their value in the upper bits, rounded to the nearest.

    libsndfile would cut the fraction off; so, what was read from such a file is written unchanged.
    """
    scale = 2 ** (bits - 1)
    whole = np.clip(np.rint(x.astype(np.float64) * scale), -scale, scale - 1)
    # A file with NaN is refused once it is whole; until then it must hold something.
    return np.asarray(np.nan_to_num(whole).astype(np.int32) << (32 - bits))


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a full disk into an error that says so.

    A short write is a failed assertion in soundfile, a system error without a number in NumPy.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (None, errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise _full(path) from error
    except (AssertionError, RuntimeError) as error:
        raise _full(path) from error


def _full(path: Path) -> ResourceExhausted:
    return ResourceExhausted(
        f"{str(path)!r}: could not be written to its end; want more room on the disk"
    )
