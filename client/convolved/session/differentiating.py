"""One call for gradients: the problem out, its tensors in Parts where large, the gradients in.

The state is that of one attempt: `requests` begins from the beginning.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from convolved.v1 import convolution_pb2 as pb
from convolved.wire.filters import tensors_of
from convolved.wire.framing import PartFrame
from convolved.wire.gradients import decode_gradients, described, encode_gradients
from convolved.wire.limits import BLOCK_BYTES
from convolved.wire.options import encode_options
from convolved.wire.parts import Assembler, announced_shapes, parts
from convolved.wire.tensors import announce_tensor, encode_tensor
from convolved_vocabulary import (
    ConvolvedError,
    Gradients,
    Internal,
    InvalidArgument,
    Options,
    Unavailable,
)

from .sources import Source

__all__ = ["GradientsSession"]


class GradientsSession:
    """The gradients of one filter at one input.

    `requests` may be drawn by another thread than the one that calls `receive`.

    Args:
        source: the filter.
        signal: (batch, channels, *spatial), in C order.
        gradient: with respect to the output (batch, out_channels, *spatial), in C order.
        options: the wishes.
        sample_rate_hertz: of the signal, or None.
    """

    def __init__(
        self,
        source: Source,
        signal: NDArray[Any],
        gradient: NDArray[Any],
        options: Options,
        sample_rate_hertz: float | None,
    ) -> None:
        self._source, self._signal, self._gradient = source, signal, gradient
        self._options, self._rate = options, sample_rate_hertz
        self._first: pb.Gradients | None = None
        self._assembler = Assembler(())

    def requests(self) -> Iterator[pb.ComputeGradientsRequest | PartFrame]:
        """Everything to send."""
        self._first, self._assembler = None, Assembler(())
        return self._requests()

    def _requests(self) -> Iterator[pb.ComputeGradientsRequest | PartFrame]:
        source, signal, gradient = self._source, self._signal, self._gradient
        announce = source.inline_bytes + signal.nbytes + gradient.nbytes > BLOCK_BYTES
        tensor = announce_tensor if announce else encode_tensor
        yield pb.ComputeGradientsRequest(
            start=pb.GradientsStart(
                filter=source.message(announce=announce),
                input=tensor(signal),
                output_gradient=tensor(gradient),
                options=encode_options(self._options),
                sample_rate_hertz=self._rate or 0.0,
            )
        )
        if announce:
            inline = [] if source.name else tensors_of(source.filter)
            yield from parts([*inline, signal, gradient])

    def receive(self, message: pb.ComputeGradientsResponse | PartFrame) -> None:
        """Take in a message.

        Raises:
            Internal: if it is not what the contract promises.
        """
        try:
            if isinstance(message, PartFrame):
                self._assembler.add(message)
            elif message.HasField("gradients"):
                self._check(message.gradients)
                self._first = message.gradients
                self._assembler = Assembler(announced_shapes(message.gradients))
        except InvalidArgument as error:
            raise Internal(f"the server sent what cannot be read: {error}") from error

    def end(self) -> Gradients:
        """The gradients, now that the call has ended well.

        Raises:
            Unavailable: if it ended before everything had come.
            Internal: if they cannot be read.
        """
        if self._first is None or not self._assembler.complete:
            raise Unavailable("the server ended the call before its last gradient")
        try:
            return decode_gradients(self._first, self._assembler.arrays)
        except InvalidArgument as error:
            raise Internal(f"the server sent what cannot be read: {error}") from error

    def failed(self, error: ConvolvedError) -> BaseException:
        """What to raise when the call failed with `error`."""
        return error

    def _check(self, message: pb.Gradients) -> None:
        """Hold what is told of the gradients against what they belong to.

        Raises:
            Internal: if it is something else.
        """
        layers = tuple(
            {name: each for name, each in layer.tensors().items() if each.dtype.kind in "fc"}
            for layer in self._source.filter.layers
        )
        due = encode_gradients(Gradients(self._signal, layers), announce=True)
        if described(message) != described(due):
            raise Internal("the server sent gradients of other shapes or types than were due")
