"""Writing a file whole or block by block; a file appears under its name only once it is complete.

Samples go to a file of another name in the same folder, which takes the right name at the end. So
a failure leaves no half a file and destroys no old one, and a file can be read while its
successor is being written.
"""

from __future__ import annotations

import math
import os
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from convolved.audio.formats import FORMATS, choose
from convolved.audio.peak import Fit, decibels, fit, peak
from convolved.audio.reading import WIDE, blocks
from convolved.audio.replacing import part_of, replacing
from convolved.audio.sinks import ArraySink, AudioSink, Sink, disk_errors
from convolved_vocabulary.errors import ConvolvedError, InvalidArgument

__all__ = ["Writer", "write"]

FRAMES = 1 << 18


def write(
    path: str | os.PathLike[str],
    samples: NDArray[Any],
    sample_rate_hertz: float | None = None,
    subtype: str | None = None,
    *,
    normalize: bool = False,
    argument: str = "path",
) -> Fit:
    """Write samples to a file whose ending says its format, and return how they fit.

    Args:
        path: ending in .wav, .w64, .flac, .ogg or .npy. Whatever was there is replaced.
        samples: (channels, n) or (n,), real floats with full scale 1; .npy takes any numbers of
            any shape and keeps them as they are.
        sample_rate_hertz: a whole number, needed by all but .npy, which carries none.
        subtype: libsndfile's name of the sample format, such as "PCM_16". By default FLOAT
            (float32) for .wav and .w64, PCM_24 for .flac, VORBIS for .ogg.
        normalize: scale so that the peak is at -1 dBFS.
        argument: how an error is to name this file.

    Raises:
        InvalidArgument: the ending, subtype, shape, dtype or folder will not do, or the samples
            would clip; the message states the peak and what would do.
        ResourceExhausted: the disk is full.
        MissingExtra: soundfile is not installed (.npy needs nothing).
    """
    path, samples = Path(path), np.asarray(samples)
    chosen, kind = choose(path, subtype, argument)
    if chosen.name == "NPY":
        _refuse_to_normalize(normalize, path)
        if samples.dtype.kind not in "iufc":
            raise InvalidArgument("samples", f"dtype {samples.dtype}", "numbers")
        with replacing(path, argument) as part, disk_errors(path), part.open("wb") as file:
            np.save(file, samples, allow_pickle=False)
        return Fit(decibels(peak(samples)))
    samples = samples[np.newaxis] if samples.ndim == 1 else samples
    if samples.ndim != 2:
        raise InvalidArgument("samples", f"shape {samples.shape}", "(channels, n) or (n,)")
    _check_floats("samples", samples)
    done = fit(peak(samples), kind, normalize=normalize)
    with Writer(path, len(samples), sample_rate_hertz, subtype, argument=argument) as writer:
        for at in range(0, samples.shape[1], FRAMES):
            block = samples[:, at : at + FRAMES]
            writer.write(block * done.factor if done.gain_decibels else block)
    return done


class Writer:
    """A file that is written block by block, as a context manager; only a block is in memory.

    What would clip is refused at the end of the block of the `with` statement and not before, so
    that the error can state the peak of the whole. To normalize, the samples are kept in a file
    beside the target until the peak is known.

    Args:
        path: as in `write`; a .npy file comes out as (channels, n) in Fortran order.
        channels: rows of every block.
        sample_rate_hertz: as in `write`.
        subtype: as in `write`.
        normalize: as in `write`.
        argument: as in `write`.

    Attributes:
        fit: how the samples fitted, known after the `with` statement.

    Raises:
        InvalidArgument, ResourceExhausted, MissingExtra: as `write`; what concerns the path at
            the start, what concerns the samples from `write` or the end.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        channels: int,
        sample_rate_hertz: float | None = None,
        subtype: str | None = None,
        *,
        normalize: bool = False,
        argument: str = "path",
    ) -> None:
        self._path, self._channels, self._argument = Path(path), channels, argument
        self._format, self._subtype = choose(self._path, subtype, argument)
        self._normalize, self._peak, self._frames = normalize, 0.0, 0
        self._is_array = self._format.name == "NPY"
        if self._is_array:
            _refuse_to_normalize(normalize, self._path)
        else:
            self._rate = _whole_rate(sample_rate_hertz)
        if not 1 <= channels <= 1024:
            raise InvalidArgument(
                "channels", channels, "1 to 1024; samples are (channels, n), else transpose them"
            )
        self.fit: Fit = Fit(-math.inf)

    def __enter__(self) -> Self:
        self._part = part_of(self._path, self._argument)
        try:
            self._sink = self._open(self._part, spool=self._normalize)
        except BaseException:
            self._part.unlink()
            raise
        return self

    def write(self, block: NDArray[Any]) -> None:
        """Append a block (channels, n), or (n,) for one channel, of any length.

        Raises:
            InvalidArgument: its shape or dtype will not do, or the format can hold no more.
            ResourceExhausted: the disk is full.
        """
        block = block[np.newaxis] if block.ndim == 1 else block
        if not self._is_array:
            _check_floats("block", block)
        if block.ndim != 2 or block.shape[0] != self._channels:
            hint = "; transpose it" if block.shape[1:] == (self._channels,) else ""
            raise InvalidArgument("block", f"shape {block.shape}", f"({self._channels}, n){hint}")
        # fmax would forget a NaN that this must remember.
        self._peak = float(np.maximum(self._peak, peak(block)))
        self._frames += block.shape[1]
        self._sink.write(block)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._sink.close()
                self._finish()
            else:
                with suppress(ConvolvedError):
                    self._sink.close()
        finally:
            self._part.unlink(missing_ok=True)

    def _finish(self) -> None:
        if self._frames == 0:
            raise InvalidArgument("samples", "none", "at least one sample to write")
        self.fit = fit(self._peak, self._subtype, normalize=self._normalize)
        if self._normalize:
            with replacing(self._part, self._argument) as scaled:
                sink = self._open(scaled)
                with closing(sink):
                    for block in blocks(self._part, FRAMES):
                        sink.write(block * self.fit.factor)
        self._part.replace(self._path.resolve())

    def _open(self, part: Path, *, spool: bool = False) -> Sink:
        if self._subtype is None:
            return ArraySink(part, self._path, self._channels)
        chosen, subtype = self._format, self._subtype
        if spool:
            chosen, subtype = FORMATS[".w64"], "DOUBLE" if subtype in WIDE else "FLOAT"
        return AudioSink(part, self._path, chosen, subtype, self._channels, self._rate)


def _check_floats(argument: str, samples: NDArray[Any]) -> None:
    if samples.dtype.kind != "f":
        raise InvalidArgument(
            argument,
            f"dtype {samples.dtype}",
            "real floats with full scale 1 for an audio file; .npy takes any numbers",
        )


def _whole_rate(sample_rate_hertz: float | None) -> int:
    if sample_rate_hertz is None or sample_rate_hertz < 1 or sample_rate_hertz % 1:
        raise InvalidArgument(
            "sample_rate_hertz",
            sample_rate_hertz,
            "a whole number of at least 1 for an audio file; .npy needs none",
        )
    return int(sample_rate_hertz)


def _refuse_to_normalize(normalize: bool, path: Path) -> None:
    if normalize:
        raise InvalidArgument(
            "normalize", f"True for {path.name!r}", "False, for .npy keeps numbers as they are"
        )
