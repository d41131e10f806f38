"""A filter over an array of any size: in single messages where they do, else through streams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved.methods import CONVOLVE
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.framing import ArrayFrame
from convolved.wire.options import encode_options
from convolved.wire.tensors import decode_elements, encode_tensor
from convolved.wire.whole_arrays import named_request, output_of
from convolved_vocabulary import Internal, Options

from .operations import Exchange, Steps, Unary
from .registering import registering
from .signals import ROOM, Outline
from .sources import Source
from .whole import WholeSession

__all__ = ["ROOM", "Applying"]


class Applying:
    """One application of a filter to a signal.

    A batch goes by as many examples at once as fit a message; examples that fit none go through
    one stream each. The output is written straight into the array that is returned.

    Args:
        source: the filter.
        signal: (batch, channels, *spatial), of any strides and byte order.
        options: the wishes.
        sample_rate_hertz: of the signal, or None.
        progress: called with the output samples received and their total while streaming.
        outline: of the signal, where it is known already.
    """

    def __init__(
        self,
        source: Source,
        signal: NDArray[Any],
        options: Options,
        sample_rate_hertz: float | None,
        progress: Callable[[int, int], object] | None = None,
        outline: Outline | None = None,
    ) -> None:
        self._source, self._signal, self._options = source, signal, options
        self._rate, self._progress = sample_rate_hertz, progress
        self._dtype = signal.dtype.newbyteorder("=")
        outline = outline or Outline.of(source, signal.dtype, signal.shape)
        self._shape, self._count = outline.output_shape[1:], outline.examples
        self._output: NDArray[Any] | None = None

    def steps(self) -> Steps[NDArray[Any]]:
        """The steps; they give the output (batch, channels, *spatial)."""
        count = self._count
        for begin in range(0, self._signal.shape[0], count or 1):
            if count:
                yield from registering(self._source, self._unary(begin, count))
            else:
                yield from self._exchange(begin)
        assert self._output is not None, "a batch has at least one example"
        return self._output

    def _unary(self, begin: int, count: int) -> Callable[[], Steps[None]]:
        def once() -> Steps[None]:
            head, data = yield Unary(CONVOLVE, self._request(begin, count))
            found = decode_elements(data, *output_of(head))
            target = self._target(begin, found.shape[1:], found.dtype, len(found))
            target[...] = found

        return once

    def _request(self, begin: int, count: int) -> pb.ConvolveRequest | ArrayFrame:
        examples = np.ascontiguousarray(self._signal[begin : begin + count], self._dtype)
        rate = self._rate or 0.0
        if self._source.name:
            return named_request(self._source.name, examples, self._options, rate)
        return pb.ConvolveRequest(
            filter=self._source.message(),
            input=encode_tensor(examples),
            options=encode_options(self._options),
            sample_rate_hertz=rate,
        )

    def _exchange(self, index: int) -> Steps[None]:
        session = WholeSession(
            self._source,
            self._signal[index],
            self._options,
            self._rate,
            lambda shape, dtype: self._target(index, shape, dtype)[0],
            self._progress,
        )

        def once() -> Steps[None]:
            yield Exchange(session)

        return registering(self._source, once, lambda: session.received)

    def _target(
        self, begin: int, shape: tuple[int, ...], dtype: np.dtype[Any], count: int = 1
    ) -> NDArray[Any]:
        """Where the examples from `begin` on go; the first tell the dtype of the output.

        Raises:
            Internal: if the server's result is not what geometry says.
        """
        if self._output is None:
            self._output = np.empty((self._signal.shape[0], *self._shape), dtype)
        if shape != self._shape or dtype != self._output.dtype:
            raise Internal(
                f"the server made an output of shape {shape}, {dtype.name}, where {self._shape}, "
                f"{self._output.dtype.name} was due"
            )
        return self._output[begin : begin + count]
