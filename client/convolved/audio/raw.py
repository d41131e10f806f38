"""Samples without a header, as they go through pipes: the formats that sox and ffmpeg call so.

The law: full scale is 2 ** (bits - 1) both ways, so that what was decoded is encoded to the same
bytes. Integers are rounded to the nearest, without dither: what comes out depends on what went in
alone. What lies beyond full scale is cut off to it; `convolved.audio.peak` tells whether any does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_vocabulary.errors import InvalidArgument

__all__ = ["FORMATS", "RawFormat", "raw_format"]

_PACKED_BITS = 24


@dataclass(frozen=True)
class RawFormat:
    """How the samples of interleaved channels lie one after the other.

    Attributes:
        name: as ffmpeg calls it.
        bits: of a sample.
        is_float: floats, which hold any sample; else integers, which hold at most full scale.
        big_endian: the byte of most weight comes first.

    >>> stereo = raw_format("s16").decode(bytes([0, 64, 0, 192]), channels=2)
    >>> stereo
    array([[ 0.5],
           [-0.5]], dtype=float32)
    >>> list(raw_format("s24be").encode(stereo))
    [64, 0, 0, 192, 0, 0]
    """

    name: str
    bits: int
    is_float: bool
    big_endian: bool

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample of one channel."""
        return self.bits // 8

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of decoded samples: one that keeps every bit."""
        return np.dtype(np.float64 if self.bits > (32 if self.is_float else 24) else np.float32)

    def decode(self, data: bytes | bytearray | memoryview, channels: int) -> NDArray[Any]:
        """Return the samples (channels, n) of whole frames, full scale 1."""
        if self.is_float:
            samples = np.frombuffer(data, self._stored)
        else:
            samples = self._integers(data) * self.dtype.type(2.0 ** (1 - self.bits))
        # A copy in any case: `data` may be a buffer that is about to be filled anew.
        return np.array(samples.reshape(-1, channels).T, self.dtype, order="C")

    def encode(self, samples: NDArray[Any]) -> bytes:
        """Return the bytes of samples (channels, n) without NaN."""
        frames = samples.T
        if self.is_float:
            return frames.astype(self._stored).tobytes()
        scale = 2.0 ** (self.bits - 1)
        # In float64, for float32 has no greatest integer of 32 bits.
        whole = np.clip(np.rint(frames.astype(np.float64) * scale), -scale, scale - 1)
        if self.bits != _PACKED_BITS:
            return whole.astype(self._stored).tobytes()
        padded = whole.astype(f"{self._order}i4").reshape(-1, 1).view(np.uint8)
        return padded[:, 1:].tobytes() if self.big_endian else padded[:, :3].tobytes()

    @property
    def _order(self) -> str:
        return ">" if self.big_endian else "<"

    @property
    def _stored(self) -> np.dtype[Any]:
        return np.dtype(f"{self._order}{'f' if self.is_float else 'i'}{self.sample_bytes}")

    def _integers(self, data: bytes | bytearray | memoryview) -> NDArray[Any]:
        if self.bits != _PACKED_BITS:
            return np.frombuffer(data, self._stored)
        packed = np.frombuffer(data, np.uint8).reshape(-1, 3)
        padded = np.zeros((len(packed), 4), np.uint8)
        # In the upper bytes, from where the shift brings the sign along.
        padded[:, slice(0, 3) if self.big_endian else slice(1, 4)] = packed
        shifted: NDArray[Any] = padded.view(f"{self._order}i4")[:, 0] >> 8
        return shifted


FORMATS = {
    f"{kind}{bits}{order}": RawFormat(f"{kind}{bits}{order}", bits, kind == "f", order == "be")
    for kind, bits in (("s", 16), ("s", 24), ("s", 32), ("f", 32), ("f", 64))
    for order in ("le", "be")
}


def raw_format(name: str, argument: str = "format") -> RawFormat:
    """Return a format by the name that ffmpeg, sox or ALSA has for it.

    Args:
        name: such as "s16le"; without an order of bytes the little-endian one.
        argument: how an error is to name it.

    Raises:
        InvalidArgument: there is no such format.

    >>> [raw_format(name).name for name in ("f32", "s16le", "S24_3LE", "FLOAT64_BE")]
    ['f32le', 's16le', 's24le', 'f64be']
    """
    plain = name.lower().replace("_3", "_").replace("_", "").replace("float", "f")
    found = FORMATS.get(plain) or FORMATS.get(f"{plain}le")
    if found is None:
        known = ", ".join(re.sub("le$", "", each) for each in FORMATS if each.endswith("le"))
        raise InvalidArgument(argument, repr(name), f"one of {known}, with le or be at its end")
    return found
