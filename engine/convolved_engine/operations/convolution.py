"""The Conv layer: from signal and boundary to a Problem, and from there to an algorithm."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from convolved_engine import boundary, machine, planner
from convolved_engine.operations.base import Operation, converted
from convolved_engine.operations.integers import check_room, sums_of
from convolved_engine.planner import Choice
from convolved_engine.prepared import PreparedWeights
from convolved_engine.problem import Problem
from convolved_engine.registry import Runnable
from convolved_engine.streaming.adapted import AdaptedStream
from convolved_engine.streaming.base import LayerStream
from convolved_engine.streaming.partitioned import (
    PartitionedResponse,
    PartitionedStream,
    partition_length,
    partitioned_cost,
    partitioned_error,
)
from convolved_engine.streaming.windowed import WindowedStream
from convolved_vocabulary import Candidate, Conv, Options, SignalType
from convolved_vocabulary.dtypes import computing_dtype

__all__ = ["Convolution", "prepared_weights"]

prepared_weights = PreparedWeights()
"""The one cache of prepared weights of this process."""

Pads = tuple[tuple[int, int], ...]
_WHOLE_BLOCK = 1 << 17
_KEPT_STRETCHES = 16


class Convolution(Operation):
    """A `Conv` layer for signals of one type.

    Args:
        layer: the layer.
        signal: the type of what comes in.
        options: the wishes of the caller.
        identity: under which the prepared weights are kept for the next call; None to keep
            nothing.
    """

    def __init__(
        self, layer: Conv, signal: SignalType, options: Options, identity: Hashable | None
    ) -> None:
        self._layer = layer
        self._options, self._identity = options, identity
        self.output = layer.output_type(signal)
        self._dtype = computing_dtype(self.output.dtype)
        self._weight = converted(layer.weight, self._dtype)
        bias = layer.bias
        self._bias = None if bias is None else converted(bias, self._dtype)
        self._gain = sums_of(signal, self.output, layer.weight, tuple(range(1, layer.weight.ndim)))
        self._zeros = boundary.remaining(layer.pads, layer.boundary)

    def run(self, x: NDArray[Any]) -> NDArray[Any]:
        """See `Operation`."""
        layer = self._layer
        extended = boundary.extend(self._enter(x), layer.pads, layer.boundary, self._zeros)
        choice = self._choose(extended.shape, self._zeros)
        return self._leave(self._compute(choice, self._prepare(choice), extended))

    def plan(self, shape: tuple[int, ...]) -> tuple[str, Candidate, tuple[Candidate, ...]]:
        """See `Operation`."""
        choice = self._choose(self._extended(shape), self._zeros)
        return str(choice.problem), choice.chosen, choice.rejected

    def plan_stream(
        self, frame: tuple[int, ...], block: int
    ) -> tuple[str, Candidate, tuple[Candidate, ...]]:
        """See `Operation`."""
        choice = self._choose_for_blocks(frame, block, live=True)
        length = self._partition(block)
        if not length:
            return str(choice.problem), choice.chosen, choice.rejected
        seconds, held = partitioned_cost(choice.problem, length, machine.current())
        ratio = (choice.chosen.predicted_seconds or 0.0) / seconds
        chosen = Candidate(
            algorithm=PartitionedStream.algorithm,
            parameters=(("partition", str(length)),),
            predicted_seconds=seconds,
            workspace_bytes=held,
            relative_error=partitioned_error(choice.problem, length),
            reason="long taps without added delay",
        )
        loser = dataclasses.replace(
            choice.chosen, reason=f"{ratio:.3g} times the time of {chosen.algorithm}"
        )
        return str(choice.problem), chosen, (loser, *choice.rejected)

    def stream(self, frame: tuple[int, ...], block: int, total: int | None) -> LayerStream:
        """See `Operation`."""
        inner = self._partitioned(frame, block) if total is None else None
        if inner is None:
            inner = self._windowed(frame, block, total)
        return AdaptedStream(inner, self._enter_block, self._leave)

    def _partition(self, block: int) -> int:
        """The length of partitions, where that algorithm is wished and pays, else 0."""
        wished = self._options.algorithm in ("auto", "overlap_save")
        if not wished or self._options.accuracy == "strict":
            return 0
        return partition_length(self._layer, self._dtype, block)

    def _partitioned(self, frame: tuple[int, ...], block: int) -> LayerStream | None:
        """Long responses in the frequency domain."""
        length = self._partition(block)
        if not length:
            return None

        def make() -> PartitionedResponse:
            taps = self._weight if self._layer.flip else self._weight[..., ::-1]
            return PartitionedResponse(taps, self._bias, self._layer.groups, length)

        form = ("partitioned", length, self._dtype)
        response = prepared_weights.get_or_make(self._identity, form, make)
        return PartitionedStream(response, frame[0], *self._layer.pads[-1])

    def _windowed(self, frame: tuple[int, ...], block: int, total: int | None) -> LayerStream:
        """An algorithm over history and block, pinned with its parameters for good."""
        time = self._layer.axes(self._layer.rank)[-1]
        samples = block if total is None else time.output_length(total) * time.stride
        choice = self._choose_for_blocks(frame, samples, total is None)
        runnable = self._prepare(choice)
        grid = 1 if choice.algorithm.cut_invariant else runnable.grid

        @lru_cache(maxsize=_KEPT_STRETCHES)
        def pinned(size: tuple[int, ...], zeros: tuple[int, int]) -> tuple[Choice, Runnable]:
            problem = dataclasses.replace(choice.problem, size=size, pads=self._at_time(*zeros))
            same = dataclasses.replace(choice, problem=problem)
            return same, self._prepare(same) if any(zeros) else runnable

        def compute(x: NDArray[Any], zeros: tuple[int, int]) -> NDArray[Any]:
            return self._compute(*pinned(x.shape[2:], zeros), x)

        empty = np.empty((*choice.problem.output_shape[:-1], 0), self._dtype)
        across = choice.problem.input_shape[:-1]
        return WindowedStream(
            time, across, self._dtype, compute, empty, choice.algorithm.name, grid
        )

    def _choose_for_blocks(self, frame: tuple[int, ...], samples: int, live: bool) -> Choice:
        """The algorithm for windows over blocks: one that keeps the law, or has a grid."""
        time = self._layer.axes(self._layer.rank)[-1]
        most = max(_WHOLE_BLOCK, time.extent)
        length = min(max(1, samples), most) + time.extent - 1
        shape = (*self._extended((*frame, 1))[:-1], length)
        choice = self._choose(shape, self._at_time(0, 0), cut_invariant=live)
        if not (live or choice.algorithm.cut_invariant or choice.algorithm.has_grid):
            choice = self._choose(shape, self._at_time(0, 0), cut_invariant=True)
        return choice

    def _at_time(self, before: int, after: int) -> Pads:
        """The zeros left to the algorithm, with these along time."""
        return (*self._zeros[:-1], (before, after))

    def _extended(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a signal with all of its padding but the zeros left to the algorithm."""
        added = [
            0 if left == pair else sum(pair)
            for pair, left in zip(self._layer.pads, self._zeros, strict=True)
        ]
        outer = len(shape) - len(added)
        return (*shape[:outer], *(n + more for n, more in zip(shape[outer:], added, strict=True)))

    def _choose(
        self, shape: tuple[int, ...], zeros: Pads, *, cut_invariant: bool = False
    ) -> Choice:
        layer, wish = self._layer, self._options.algorithm
        problem = Problem.of(
            shape,
            layer.weight.shape,
            dtype=self._dtype,
            stride=layer.stride,
            dilation=layer.dilation,
            pads=zeros,
            groups=layer.groups,
            flip=layer.flip,
            accuracy=cast(Any, self._options.accuracy),
            has_bias=layer.bias is not None,
        )
        return planner.plan(
            problem,
            algorithm=None if wish == "auto" else wish,
            memory_limit=self._options.memory_limit_bytes,
            cut_invariant=cut_invariant,
        )

    def _prepare(self, choice: Choice) -> Runnable:
        return prepared_weights.get(choice, self._weight, self._bias, self._identity)

    def _compute(self, choice: Choice, runnable: Runnable, x: NDArray[Any]) -> NDArray[Any]:
        out = np.empty(choice.problem.output_shape, self._dtype)
        runnable(np.ascontiguousarray(x), out)
        return out

    def _enter_block(self, block: NDArray[Any]) -> NDArray[Any]:
        """A block of a stream as `run` would have it, but for what pads it along time."""
        pads = (*self._layer.pads[:-1], (0, 0))
        return boundary.extend(self._enter(block), pads, self._layer.boundary, self._at_time(0, 0))

    def _enter(self, x: NDArray[Any]) -> NDArray[Any]:
        """Bring a signal to the dtype of computing; refuse integers whose sums have no room."""
        check_room(x, self._gain, self._layer.bias, self._layer.boundary)
        return converted(x, self._dtype)

    def _leave(self, out: NDArray[Any]) -> NDArray[Any]:
        return converted(out, self.output.dtype)
