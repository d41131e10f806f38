"""A filter made ready for signals of one dtype: its operations in order.

`apply` and `stream` are two ways to drive one pipeline; a plan is what it says about itself.
Pipelines hold no weights of their own but those of the plain dtype; the algorithms' prepared
forms live in one cache, bounded in bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine.folding import Step, steps
from convolved_engine.operations import Operation, operation_for
from convolved_engine.operations.base import converted
from convolved_engine.streaming.base import LayerStream
from convolved_vocabulary import Cancelled, Filter, LayerPlan, Options, Plan, SignalType

__all__ = ["ByName", "Pipeline", "pipeline_for"]


class Pipeline:
    """A filter for signals of one dtype.

    Args:
        filter: what to apply.
        dtype: of the signals.
        options: the wishes of the caller.
        identity: under which prepared weights are kept; None to keep nothing.
    """

    def __init__(
        self,
        filter: Filter,
        dtype: np.dtype[Any],
        options: Options,
        identity: Hashable | None = None,
    ) -> None:
        self.filter, self.dtype, self.options = filter, dtype, options
        self.output_dtype = options.output_dtype or filter.output_dtype(dtype)
        signals = (SignalType.of(dtype), *filter.output_types(dtype))
        self.steps = steps(filter.layers, signals)
        self.operations: tuple[Operation, ...] = tuple(
            operation_for(
                step.layer,
                step.signal,
                options,
                None if identity is None else (identity, step.indices),
            )
            for step in self.steps
        )

    def run(
        self,
        signal: NDArray[Any],
        cancelled: Callable[[], bool] | None = None,
        out: NDArray[Any] | None = None,
    ) -> NDArray[Any]:
        """Apply the filter to a signal (batch, channels, *spatial).

        Args:
            signal: what to filter.
            cancelled: asked between layers.
            out: where to put the result, C-contiguous and apart from the signal; None makes
                an array.

        Raises:
            Cancelled: if `cancelled` says so.
        """
        found = self.spread(np.ascontiguousarray(signal))
        for number, operation in enumerate(self.operations, start=1):
            if cancelled is not None and cancelled():
                raise Cancelled("the work was cancelled between two layers")
            if (
                out is not None
                and number == len(self.operations)
                and out.dtype == operation.output.dtype
            ):
                operation.run_into(found, self.spread(out))
                return out
            found = operation.run(found)
        result = converted(self.gather(found, signal.shape[1]), self.output_dtype)
        if out is None:
            return result
        out[...] = result
        return out

    def prepare(self, shape: Sequence[int]) -> None:
        """Make ready what `run` needs for a signal (batch, channels, *spatial) of this shape.

        Plans, packed weights and spectra are kept for the runs to come; signals of other lengths
        share most of them.
        """
        before = self._one_channel(tuple(shape))
        for step, operation in zip(self.steps, self.operations, strict=True):
            operation.prepare(before)
            before = self._after(step, before)

    def plan(self, shape: Sequence[int], block: int | None = None) -> Plan:
        """Say what `run` would do for (batch, channels, *spatial), or a stream for a block.

        Args:
            shape: of the signal.
            block: samples of one push of a live stream; None for the whole signal.
        """
        shapes = self.filter.shapes(shape)
        before = self._one_channel(tuple(shape))
        planned = []
        for step, operation in zip(self.steps, self.operations, strict=True):
            if block is None:
                problem, chosen, rejected = operation.plan(before)
            else:
                problem, chosen, rejected = operation.plan_stream(before[:-1], block)
                block = self._scaled(block, step)
            before = self._after(step, before)
            losers = tuple(map(step.bounded, rejected))
            planned.append(LayerPlan(step.indices, problem, step.bounded(chosen), losers))
        return Plan(
            steps=tuple(planned),
            output_shape=shapes[-1],
            output_dtype=self.output_dtype,
            receptive_field=self.filter.receptive_field,
            multiply_adds=self.filter.multiply_adds(shape),
            parameter_count=self.filter.parameter_count,
        )

    def open(
        self, channels: int, size: tuple[int, ...], block: int, total: int | None
    ) -> tuple[LayerStream, ...]:
        """Open every layer along time for an input of `channels` and `size` a time step."""
        frame = self._one_channel((1, channels, *size))
        stages = []
        for step, operation in zip(self.steps, self.operations, strict=True):
            stages.append(operation.stream(frame, block, total))
            frame = self._after(step, frame)
            block = self._scaled(block, step)
            if total is not None:
                total = step.layer.axes(self.filter.rank)[-1].output_length(total)
        return tuple(stages)

    def _after(self, step: Step, shape: tuple[int, ...]) -> tuple[int, ...]:
        """What a step makes of (batch, channels, *spatial), also without time."""
        axes = zip(step.layer.axes(self.filter.rank), shape[2:], strict=False)
        channels = step.layer.out_channels(shape[1])
        return (shape[0], channels, *(axis.output_length(n) for axis, n in axes))

    def _scaled(self, block: int, step: Step) -> int:
        """How many samples a step makes of a block."""
        rate = step.layer.axes(self.filter.rank)[-1].rate
        return max(1, block * rate.numerator // rate.denominator) if block else 0

    def frame_shape(self, channels: int, size: tuple[int, ...]) -> tuple[int, ...]:
        """(out_channels, *out_size) of one output time step."""
        across = zip(self.filter.chains, size, strict=False)
        return (
            self.filter.out_channels(channels),
            *(chain.output_length(n) for chain, n in across),
        )

    def spread(self, signal: NDArray[Any]) -> NDArray[Any]:
        """Bring ([batch,] channels, *spatial) to (batch, channels, *spatial) of the layers."""
        whole = signal if signal.ndim == self.filter.rank + 2 else signal[None]
        return whole.reshape(self._one_channel(whole.shape))

    def gather(self, found: NDArray[Any], channels: int) -> NDArray[Any]:
        """Undo `spread` for an output made from `channels` channels."""
        if not self.filter.per_channel:
            return found
        return found.reshape(found.shape[0] // channels, channels, *found.shape[2:])

    def _one_channel(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        if not self.filter.per_channel:
            return shape
        return (shape[0] * shape[1], 1, *shape[2:])


def pipeline_for(
    filter: Filter, dtype: np.dtype[Any], options: Options, *, keep: bool = True
) -> Pipeline:
    """The pipeline of a filter; with `keep` the same one, and its weights, for the next call."""
    if not keep:
        return Pipeline(filter, dtype, options)
    return _kept(filter.name, ByName(filter), dtype, options)


class ByName:
    """A filter that a cache may hold under its name alone."""

    def __init__(self, filter: Filter) -> None:
        self.filter = filter

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByName)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=64)
def _kept(name: str, held: ByName, dtype: np.dtype[Any], options: Options) -> Pipeline:
    return Pipeline(held.filter, dtype, options, name)
