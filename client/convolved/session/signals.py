"""Signals as they lie in the caller's memory, read block by block.

An array that is mapped from a file, strided or of foreign byte order is never copied whole: a
block is gathered when it is its turn to be sent.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from convolved.wire.framing import OutputFrame, Payload
from convolved.wire.limits import BLOCK_BYTES, MESSAGE_BYTES, MESSAGE_MARGIN
from convolved.wire.reasons import TooLarge
from convolved.wire.tensors import array_of, little_endian
from convolved_vocabulary import DTYPES, Filter, Internal, Layout, arrange, layout_of

from .sources import Source

__all__ = ["ROOM", "Outline", "Outlines", "block_length", "payload", "samples_of", "view_of"]

ROOM = MESSAGE_BYTES - MESSAGE_MARGIN
"""The bytes of tensors that fit one message."""

_KNOWN = 256
_SENT = frozenset(DTYPES) | {each.newbyteorder() for each in DTYPES}


def view_of(
    x: object, filter: Filter, sample_rate_hertz: float | None
) -> tuple[NDArray[Any], Layout]:
    """The signal as (batch, channels, *spatial), and the layout it came in, as `arrange` does.

    A plain array is not copied, whatever its strides.

    Raises:
        InvalidArgument: as `arrange` does.
    """
    if not _is_plain(x):
        return arrange(x, filter, sample_rate_hertz)
    filter.check_sample_rate(sample_rate_hertz)
    return _view(x, layout := layout_of(x.shape, filter)), layout


@dataclass(frozen=True, slots=True)
class Outline:
    """What follows from the type and the shape of a signal for its way through a filter.

    Attributes:
        output_shape: of the output, with its batch axis.
        examples: how many fit one request and one response; 0 if none.
    """

    output_shape: tuple[int, ...]
    examples: int

    @classmethod
    def of(cls, source: Source, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Outline:
        """That of a signal (batch, channels, *spatial).

        Raises:
            InvalidArgument: if the filter does not take it.
        """
        output_shape = source.filter.output_shape(shape)
        dtype = dtype.newbyteorder("=")
        # Of a filter known by its name, only the server can tell the type of exact results.
        exact = dtype.kind in "biu" and not source.has_weights
        itemsize = 16 if exact else source.filter.output_dtype(dtype).itemsize
        each = max(math.prod(shape[1:]) * dtype.itemsize, math.prod(output_shape[1:]) * itemsize)
        return cls(output_shape, max(0, ROOM - source.inline_bytes) // each)


class Outlines:
    """Outlines that were met before, so that calls which differ in their samples only are quick."""

    def __init__(self) -> None:
        self._known: OrderedDict[
            tuple[str, bool, np.dtype[Any], tuple[int, ...]], tuple[Layout, Outline]
        ] = OrderedDict()

    def view_of(
        self, x: object, source: Source, sample_rate_hertz: float | None
    ) -> tuple[NDArray[Any], Layout, Outline]:
        """What `view_of` gives, and the outline of the signal.

        Raises:
            InvalidArgument: as `arrange` does.
        """
        if not source.name or not _is_plain(x):
            view, layout = view_of(x, source.filter, sample_rate_hertz)
            return view, layout, Outline.of(source, view.dtype, view.shape)
        source.filter.check_sample_rate(sample_rate_hertz)
        key = source.name, source.has_weights, x.dtype, x.shape
        found = self._known.get(key)
        if found is None:
            layout = layout_of(x.shape, source.filter)
            found = self._known[key] = layout, Outline.of(source, x.dtype, layout.shape)
            if len(self._known) > _KNOWN:
                self._known.popitem(last=False)
        return _view(x, found[0]), *found


def _is_plain(x: object) -> TypeGuard[NDArray[Any]]:
    """Whether it is an array that can be sent as it is, read in some order."""
    return isinstance(x, np.ndarray) and x.dtype in _SENT and not isinstance(x, np.ma.MaskedArray)


def _view(x: NDArray[Any], layout: Layout) -> NDArray[Any]:
    return np.asarray(x)[(None,) * (len(layout.shape) - x.ndim)]


def payload(view: NDArray[Any]) -> Payload:
    """The bytes of a view as they travel; copied only if they do not lie so already."""
    native = np.ascontiguousarray(view, view.dtype.newbyteorder("="))
    return little_endian(native).reshape(-1).view(np.uint8).data


def samples_of(
    message: OutputFrame, dtype: np.dtype[Any], frame_shape: tuple[int, ...]
) -> NDArray[Any]:
    """The samples of an Output, (*frame_shape, samples), over its bytes.

    Raises:
        Internal: if the bytes are not a whole number of samples.
    """
    frame_bytes = dtype.itemsize * math.prod(frame_shape)
    samples, rest = divmod(len(message.data), frame_bytes)
    if rest:
        raise Internal(
            f"the server sent {len(message.data)} bytes of output, where one sample has "
            f"{frame_bytes}"
        )
    return array_of(message.data, dtype, (*frame_shape, samples))


def block_length(frame_shape: tuple[int, ...], dtype: np.dtype[Any], what: str) -> int:
    """How many samples a block holds.

    Raises:
        TooLarge: if not even one fits.
    """
    frame_bytes = dtype.itemsize * math.prod(frame_shape)
    if frame_bytes > BLOCK_BYTES:
        raise TooLarge(
            f"{what}: got {frame_bytes:,} bytes in one sample, shape {frame_shape} of "
            f"{dtype.name}; want at most {BLOCK_BYTES:,}: put fewer channels or a shorter axis "
            "beside time"
        )
    return BLOCK_BYTES // frame_bytes
