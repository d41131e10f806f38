"""A stream without its transport: blocks in, messages out, and the law about both.

Positions are absolute sample indices and the only sequence numbers. In which blocks the input
comes changes neither the values nor their number; a live push is answered by exactly the outputs
that it fixes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import convolved_engine as engine
from convolved.v1 import convolution_pb2 as pb
from convolved.wire.fields import located
from convolved.wire.framing import BlockFrame, OutputFrame, serialize
from convolved.wire.limits import BLOCK_BYTES
from convolved.wire.plans import duration
from convolved.wire.reasons import OutOfSequence
from convolved.wire.tensors import array_of, checked_bools, data_type
from convolved_engine.streaming.swaps import Successor
from convolved_vocabulary import InvalidArgument
from convolved_vocabulary.swaps import length as length_after
from convolved_vocabulary.swaps import ready as ready_after

from .opening import Opening
from .pace import Pace
from .usual import UsualBlock, UsualOutput, varint
from .wishes import SwapWish

__all__ = ["Session"]

# Output that is computed at one time, as far as the filter lets it be divided.
_STEP_BYTES = 4 << 20
# A stream that is to leave, or whose deadline passes, leaves after so much computing at the most.
_STEP_SECONDS = 0.1
# Less is not divided by time: a first push may have been long for what it prepared.
_LEAST_BYTES = 64 << 10
_TAIL_SECONDS = 0.02
# Longer blocks gain nothing by the short way.
_USUAL_BYTES = 32 << 10
# One of so many usual blocks is timed, which asks the kernel, and looks what may be forgotten. It
# has no factor in common with the period in which long filters compute, so that each place of that
# has its turn.
_EACH = 7


class Session:
    """One stream.

    Args:
        opening: what it is to be.
        stream: the engine's stream, opened so.

    Attributes:
        accepted: the end of the blocks accepted.
        sent: the end of the outputs given.
        blocks: received.
        late: pushes answered later than they last.
        seconds: spent computing.
        usual_seconds: that `answer` should take; infinite if no block is expected.
        usual_period: for which an expected block lasts; infinite if that is not known.
    """

    def __init__(self, opening: Opening, stream: engine.Stream) -> None:
        self._opening = opening
        self._stream = stream
        self._pace = Pace()
        # Beside other streams a thread waits for its turn, which says nothing of the work itself.
        self._clock = time.thread_time if opening.live else time.perf_counter
        self._loaded: NDArray[Any] = np.empty((*opening.frame, 0), opening.dtype)
        self._open_push = False
        self._retain_from = opening.input_offset
        self._live = opening.live
        self._total = opening.total
        self._frame_bytes = opening.frame_bytes
        self._shape = (*opening.frame, -1)
        self._usual_shape: tuple[int, ...] = self._shape
        self._dtype = opening.dtype
        self._piece = max(1, BLOCK_BYTES // opening.out_frame_bytes)
        self._step = self._cut = max(1, int(_STEP_BYTES / opening.widest_bytes))
        self._least = max(1, int(_LEAST_BYTES / opening.widest_bytes))
        # Booleans are looked at before they are taken.
        self._usual_bytes = _USUAL_BYTES if self._live and opening.dtype != np.bool_ else 0
        self._usual: UsualBlock | None = None
        self._output_of = UsualOutput().head
        self._rate = opening.sample_rate if self._live else None
        self._length = 0
        self._tail: Iterator[NDArray[Any]] = iter(())
        self._held: NDArray[Any] = self._loaded
        self.accepted = opening.input_offset
        self.sent = opening.output_offset
        self.blocks = 0
        self.late = 0
        self.seconds = 0.0
        self.usual_seconds = self.usual_period = math.inf
        self._until_told = 0

    def started(self, idle_timeout: float) -> bytes:
        """The message that opens the stream."""
        opening = self._opening
        message = pb.Started(
            filter=opening.filter.name,
            data_type=data_type(self._stream.output_dtype),
            frame_shape=self._stream.frame_shape,
            delay_samples=float(self._stream.delay),
            block_samples=self._stream.block,
            algorithm=self._stream.algorithm,
        )
        if opening.total is not None:
            message.total_samples = opening.filter.time.output_length(opening.total)
        if idle_timeout:
            message.idle_timeout.CopyFrom(duration(idle_timeout))
        return pb.StreamConvolveResponse(started=message).SerializeToString()

    def accept(self, block: BlockFrame) -> int:
        """Check that a block is the next one, and count it; return its samples.

        Raises:
            OutOfSequence: if its offset is not the end of the block before.
            InvalidArgument: if its length is wrong.
        """
        if block.offset != self.accepted:
            with located("block.offset"):
                raise OutOfSequence("block.offset", block.offset, str(self.accepted))
        size = len(block.data)
        samples, rest = divmod(size, self._frame_bytes)
        if size > BLOCK_BYTES:
            with located("block.data"):
                raise InvalidArgument("block.data", f"{size} bytes", f"at most {BLOCK_BYTES}")
        if rest:
            with located("block.data"):
                raise InvalidArgument(
                    "block.data",
                    f"{size} bytes",
                    f"a multiple of {self._frame_bytes}, the bytes of one sample",
                )
        ends_push = self._live and self._open_push and not block.more
        if not samples and not ends_push:
            with located("block.data"):
                raise InvalidArgument("block.data", "no samples", "at least one sample")
        if self._total is not None and self.accepted + samples > self._total:
            with located("block.data"):
                raise OutOfSequence(
                    "block.data",
                    f"samples up to {self.accepted + samples}",
                    f"no more than the total_samples of Start, {self._total}",
                )
        self.accepted += samples
        self.blocks += 1
        self._open_push = self._live and block.more
        return samples

    def joins(self, block: BlockFrame) -> bool:
        """Whether `block`, the next one, may be computed together with those accepted last.

        A push that is complete is not held up by one that is not.
        """
        return not self._live or self._open_push or not block.more

    def steps(self, samples: int) -> int:
        """In how many steps that many samples are computed: of bounded bytes and time."""
        self._cut = self._step
        seconds = self._pace.predict(self._step)
        if seconds is not None and seconds > _STEP_SECONDS:
            self._cut = max(self._least, int(self._step * _STEP_SECONDS / seconds))
        return max(1, -(-samples // self._cut))

    def predict(self, samples: int) -> float | None:
        """Seconds that a step should take, None if nothing is known."""
        return self._pace.predict(min(samples, self._cut))

    def note_wait(self, seconds: float, samples: int) -> None:
        """Take note of how long an answer took, to `samples`."""
        if self._rate:
            self.late += seconds > samples / self._rate

    def predict_flush(self) -> float | None:
        """Seconds that `flush` should take, None if nothing is known."""
        opening = self._opening
        left = self._whole_length() - self.sent
        return self._pace.predict(max(0, math.ceil(left / opening.rate)))

    def load(self, blocks: Sequence[BlockFrame]) -> None:
        """Take in blocks that were accepted; `advance` computes them step by step."""
        dtype = self._opening.dtype
        arrays = [array_of(block.data, dtype, self._shape) for block in blocks]
        joined = arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=-1)
        self._loaded = checked_bools(joined, "block", "x")

    def advance(self, answered: bool) -> list[bytes]:
        """Compute the next step of what is loaded; `answered`: it ends a push, or several.

        Returns:
            the Outputs, serialized.
        """
        samples = self._loaded
        length = samples.shape[-1]
        if length > self._cut:
            self._loaded = samples[..., self._cut :]
            samples = samples[..., : self._cut]
            length = self._cut
        begun = self._clock()
        found = self._stream.push_arranged(samples)
        seconds = self._clock() - begun
        self._pace.measured(length, seconds)
        self.seconds += seconds
        given = found.shape[-1]
        if self._live and given <= self._piece:
            # The common case, made short: one answer in one message.
            self._retain_from = max(self._retain_from, self._stream.retain_from)
            return [self._output(found, more=not answered)] if given or answered else []
        return list(self._outputs(found, answered))

    def expect(self, block: BlockFrame, samples: int) -> None:
        """Expect after a push of one block another one of its length; see `answer`."""
        nbytes = len(block.data)
        if 0 < nbytes <= self._usual_bytes and not self._open_push:
            self._usual = UsualBlock(nbytes, samples, self.accepted)
            self._usual_shape = (*self._opening.frame, samples)
            self._tell_usual()
            if self._rate:
                self.usual_period = samples / self._rate

    def answer(self, raw: bytes) -> list[bytes] | None:
        """Do at once all that an expected block asks for; None if `raw` is something else.

        Returns:
            the Outputs, serialized.
        """
        usual = self._usual
        if usual is None or not raw.startswith(usual.head) or len(raw) != usual.size:
            return None
        samples = usual.samples
        # A copy, for within the message the samples are not aligned.
        block = np.ndarray(self._usual_shape, self._dtype, raw[-usual.nbytes :])
        self.blocks += 1
        begin = self.accepted
        self.accepted = begin + samples
        if self._until_told:
            self._until_told -= 1
            found = self._stream.push_arranged(block)
        else:
            begun = self._clock()
            found = self._stream.push_arranged(block)
            self._pace.measured(samples, self._clock() - begun)
            self._tell_usual()
        self.seconds += self.usual_seconds
        position = usual.position
        end = varint(self.accepted)
        usual.expect(end)
        given = found.shape[-1]
        if given > self._piece:
            return list(self._outputs(found, answered=True))
        offset = self.sent
        self.sent = offset + given
        if offset != begin:
            position = varint(offset) if offset else b""
        data = found.tobytes()
        return [self._output_of(position, end, self._retain_from, len(data)) + data]

    def _tell_usual(self) -> None:
        """Look at what need not be known anew at each block."""
        assert self._usual is not None
        predicted = self._pace.predict(self._usual.samples)
        self.usual_seconds = math.inf if predicted is None else predicted
        self._retain_from = max(self._retain_from, self._stream.retain_from)
        self._until_told = _EACH - 1

    def ready(self, inputs: int) -> int:
        """The leading outputs that so many inputs fix."""
        return ready_after(self._stream.filter, self._stream.swaps, inputs)

    def swap(self, wish: SwapWish, successor: Successor) -> bytes:
        """Let a filter that was prepared take over; return the Swapped, serialized.

        Raises:
            InvalidArgument: for a position that is too early.
        """
        when = wish.when
        with wish.in_fields():
            at = self._stream.swap(successor, at=when.at, fade=when.fade, curve=when.curve)
        # From now on two filters are computed, and then another one.
        self._until_told = 0
        message = pb.Swapped(at_output=at, filter=wish.filter.name)
        return pb.StreamConvolveResponse(swapped=message).SerializeToString()

    def flush(self) -> None:
        """End the input; `tail` computes what is left."""
        self._length = self._whole_length()
        self._tail = self._stream.flush_steps()

    def tail(self) -> tuple[list[bytes], bool]:
        """Compute for a moment what is left.

        Returns:
            the Outputs, serialized, and whether they are the last.
        """
        begun = now = time.perf_counter()
        outputs: list[bytes] = []
        found: NDArray[Any] | None = None
        while now - begun < _TAIL_SECONDS:
            found = next(self._tail, None)
            now = time.perf_counter()
            if found is None:
                break
            if found.shape[-1]:
                # One is held back, for the last one says that it is that.
                outputs += self._outputs(self._held, answered=False, settled=False)
                self._held = found
        else:
            self.seconds += now - begun
            return outputs, False
        self.seconds += now - begun
        outputs += self._outputs(self._held, answered=True)
        return outputs, True

    def end(self, end: pb.End) -> None:
        """Check that an End tells the samples that have come.

        Raises:
            OutOfSequence: if samples are missing or a push is not complete.
        """
        if self._open_push:
            with located("end"):
                raise OutOfSequence("end", "the end within a push", "a Block without more before")
        if end.total_samples != self.accepted:
            with located("end.total_samples"):
                raise OutOfSequence("end.total_samples", end.total_samples, str(self.accepted))
        total = self._total
        if total is not None and total != self.accepted:
            with located("end.total_samples"):
                raise OutOfSequence(
                    "end.total_samples", self.accepted, f"{total}, the total_samples of Start"
                )

    def finished(self) -> bytes:
        """The last message.

        Raises:
            InvalidArgument: if the first output wanted lies beyond the last one.
        """
        opening = self._opening
        length = self._length
        if opening.output_offset > length:
            with located("start.output_offset"):
                raise InvalidArgument(
                    "output_offset", opening.output_offset, f"at most {length}, the whole output"
                )
        if self.sent != length:
            raise AssertionError(f"{self.sent} of {length} outputs have been given")
        statistics = pb.Statistics(
            blocks=self.blocks, late_blocks=self.late, compute_time=duration(self.seconds)
        )
        message = pb.Finished(total_samples=self.sent, statistics=statistics)
        return pb.StreamConvolveResponse(finished=message).SerializeToString()

    def _whole_length(self) -> int:
        return length_after(self._stream.filter, self._stream.swaps, self.accepted)

    def _outputs(
        self, found: NDArray[Any], answered: bool, *, settled: bool = True
    ) -> Iterator[bytes]:
        """Outputs for what was computed; `settled`: it is all that was."""
        length = found.shape[-1]
        retain_from = max(self._retain_from, self._stream.retain_from)
        for begin in range(0, length, self._piece):
            last = begin + self._piece >= length
            if last and settled:
                # Only now does nothing that is still to come need the input before.
                self._retain_from = retain_from
            piece = found[..., begin : begin + self._piece]
            yield self._output(piece, more=self._live and not (last and answered))

    def _output(self, piece: NDArray[Any], more: bool) -> bytes:
        frame = OutputFrame(
            offset=self.sent,
            data=np.ascontiguousarray(piece).data if piece.size else b"",
            more=more,
            input_end=self._stream.inputs,
            retain_from=self._retain_from,
        )
        self.sent += piece.shape[-1]
        return serialize(frame)
