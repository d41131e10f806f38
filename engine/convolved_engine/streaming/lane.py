"""One filter along time: its layers one behind the other, in the dtypes of signal and result."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from numpy.typing import NDArray

from convolved_engine.operations.base import converted
from convolved_engine.pipeline import Pipeline
from convolved_engine.streaming.partitioned import PartitionedStream
from convolved_vocabulary import InvalidArgument

__all__ = ["Lane"]


class Lane:
    """The state of one filter along time.

    Args:
        pipeline: the filter, ready for signals of one dtype.
        channels: of the input.
        size: the spatial axes before time.
        block: input samples that come at a time; 0 if unknown.
        total: the length of the whole input, where known.

    Attributes:
        filter: what is applied.
        frame_shape: (out_channels, *out_size) of an output.
        algorithm: the names of what computes, in the order of the layers.
        outputs: the end of the output given.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        channels: int,
        size: tuple[int, ...],
        block: int,
        total: int | None,
    ) -> None:
        self.filter = pipeline.filter
        self.output_dtype = pipeline.output_dtype
        self.frame_shape = pipeline.frame_shape(channels, size)
        self._channels = channels
        self._spread, self._gather = pipeline.spread, pipeline.gather
        self._stages = pipeline.open(channels, size, block, total)
        rank = pipeline.filter.rank
        self._axes = tuple(step.layer.axes(rank)[-1] for step in pipeline.steps)
        self._skips = [0] * len(self._stages)
        self._skipping = False
        self.algorithm = "+".join(dict.fromkeys(stage.algorithm for stage in self._stages))
        self.outputs = 0
        self._push_rows = self._shortcut(pipeline)

    def _shortcut(self, pipeline: Pipeline) -> Callable[[NDArray[Any]], NDArray[Any]] | None:
        """What takes (channels, n) at once, where there is nothing to do but to convolve."""
        only = self._stages[0]
        if len(self._stages) > 1 or not isinstance(only, PartitionedStream):
            return None
        same = pipeline.dtype == only.dtype == self.output_dtype
        return only.push_rows if same else None

    @property
    def state_bytes(self) -> int:
        """The memory that the state takes."""
        return sum(stage.state_bytes for stage in self._stages)

    def push(self, block: NDArray[Any]) -> NDArray[Any]:
        """Take (channels, *size, n) in and give the outputs that it fixes."""
        if self._push_rows is not None and not self._skipping:
            found = self._push_rows(block)
            self.outputs += found.shape[1]
            return found
        return self._given(self._through(self._spread(block), 0))

    def flush_steps(self) -> Iterator[NDArray[Any]]:
        """End the input and give what is left in pieces, each of which takes but little time."""
        for index, stage in enumerate(self._stages):
            for piece in stage.flush_steps():
                yield self._given(self._through(self._wanted(index, piece), index + 1))

    def retain_for(self, output: int) -> int:
        """The first input from which `start_at` still gives `output` and all later ones."""
        for stage in reversed(self._stages):
            output = stage.retain_for(output)
        return output

    def start_at(self, inputs: int, outputs: int) -> None:
        """Stand before input `inputs`, with `outputs` the first output to be given.

        Raises:
            InvalidArgument: if the input from there on does not fix that output.
        """
        position = inputs
        for stage in self._stages:
            position = stage.start_at(position)
        if position > outputs:
            raise InvalidArgument(
                "input_offset",
                f"{inputs}, from where output {position} is the first that can be made",
                f"an earlier one, as output {outputs} is wanted",
            )
        self.outputs = outputs
        self._skips = [0] * len(self._stages)
        self._skips[-1] = outputs - position
        self._skipping = position < outputs

    def stand_for(self, output: int, end: int) -> int:
        """Stand where the least past gives `output` and all later ones; return that input.

        Args:
            output: the first output to be given.
            end: the end of the input so far, which is the latest place.
        """
        reached = end
        for stage, axis in zip(self._stages, self._axes, strict=True):
            # How much the padding after the signal may mirror is counted from here.
            stage.start_at(reached)
            reached = axis.ready(reached)
        wanted = [output]
        for stage in reversed(self._stages):
            wanted.append(stage.retain_for(wanted[-1]))
        begin = at = min(wanted.pop(), end)
        for index, stage in enumerate(self._stages):
            stage.start_at(at)
            at = wanted.pop()
            self._skips[index] = at - stage.skip_to(at)
        self._skipping = any(self._skips)
        self.outputs = output
        return begin

    def _through(self, block: NDArray[Any], first: int) -> NDArray[Any]:
        if self._skipping:
            for index in range(first, len(self._stages)):
                block = self._wanted(index, self._stages[index].push(block))
            self._skipping = any(self._skips)
            return block
        for stage in self._stages[first:]:
            block = stage.push(block)
        return block

    def _wanted(self, index: int, found: NDArray[Any]) -> NDArray[Any]:
        dropped = min(self._skips[index], found.shape[-1])
        self._skips[index] -= dropped
        return found[..., dropped:]

    def _given(self, found: NDArray[Any]) -> NDArray[Any]:
        found = self._gather(found, self._channels)[0]
        self.outputs += found.shape[-1]
        return converted(found, self.output_dtype)
