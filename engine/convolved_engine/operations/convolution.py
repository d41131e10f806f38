"""The Conv layer: from signal and boundary to a Problem, and from there to an algorithm."""

from __future__ import annotations

import dataclasses
import math
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
    PARTITIONED,
    PartitionedResponse,
    PartitionedStream,
    apart,
    in_parts,
    partitioned_cost,
    partitioned_error,
    scheme_for,
    together,
)
from convolved_engine.streaming.scheme import Scheme
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

    Attributes:
        layer: the layer.
    """

    def __init__(
        self, layer: Conv, signal: SignalType, options: Options, identity: Hashable | None
    ) -> None:
        self.layer = layer
        self._options, self._identity = options, identity
        self._once = identity is None
        self.output = layer.output_type(signal)
        self._dtype = computing_dtype(self.output.dtype)
        self._enters, self._leaves = signal.dtype != self._dtype, self._dtype != self.output.dtype
        self._plain = not (self._enters or self._leaves)
        self._weight = converted(layer.weight, self._dtype)
        bias = layer.bias
        self._bias = None if bias is None else converted(bias, self._dtype)
        self._gain = sums_of(signal, self.output, layer.weight, tuple(range(1, layer.weight.ndim)))
        self._zeros = boundary.remaining(layer.pads, layer.boundary)

    def run(self, x: NDArray[Any]) -> NDArray[Any]:
        """See `Operation`."""
        extended, choice = self._begin(x)
        return self._leave(self._compute(choice, self._prepare(choice), extended))

    def run_into(self, x: NDArray[Any], out: NDArray[Any]) -> None:
        """See `Operation`."""
        extended, choice = self._begin(x)
        if self._dtype == self.output.dtype:
            self._prepare(choice)(np.ascontiguousarray(extended), out)
        else:
            out[...] = self._leave(self._compute(choice, self._prepare(choice), extended))

    def prepare(self, shape: tuple[int, ...]) -> None:
        """See `Operation`."""
        self._prepare(self._choose(self._extended(shape), self._zeros, once=self._once))

    def plan(self, shape: tuple[int, ...]) -> tuple[str, Candidate, tuple[Candidate, ...]]:
        """See `Operation`."""
        choice = self._choose(self._extended(shape), self._zeros)
        copies = self._copied_bytes(shape, choice.problem)

        def with_copies(one: Candidate) -> Candidate:
            if one.predicted_seconds is None or not copies:
                return one
            return dataclasses.replace(one, workspace_bytes=one.workspace_bytes + copies)

        chosen, *rejected = map(with_copies, (choice.chosen, *choice.rejected))
        return str(choice.problem), chosen, tuple(rejected)

    def plan_stream(
        self, frame: tuple[int, ...], block: int
    ) -> tuple[str, Candidate, tuple[Candidate, ...]]:
        """See `Operation`."""
        choice = self._choose_for_blocks(frame, block, live=True)
        scheme = self._scheme(block)
        if scheme is None or not scheme.levels:
            return str(choice.problem), choice.chosen, choice.rejected
        seconds, held = partitioned_cost(choice.problem, scheme, machine.current())
        ratio = (choice.chosen.predicted_seconds or 0.0) / seconds
        chosen = Candidate(
            algorithm=PARTITIONED,
            parameters=(("partitions", str(scheme)),),
            predicted_seconds=seconds,
            workspace_bytes=held,
            relative_error=partitioned_error(choice.problem, scheme),
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
        elif self._plain:
            return inner
        return AdaptedStream(inner, self._enter_block, self._leave)

    def _scheme(self, block: int) -> Scheme | None:
        """The partitions, where that algorithm is wished and pays."""
        wish = self._options.algorithm
        long = wish in ("auto", "overlap_save") and self._options.accuracy != "strict"
        scheme = scheme_for(self.layer, self._dtype, block, long=long)
        if scheme is None or (not scheme.levels and wish not in ("auto", "direct")):
            return None
        return scheme

    def _partitioned(self, frame: tuple[int, ...], block: int) -> LayerStream | None:
        """Long responses in the frequency domain."""
        scheme = self._scheme(block)
        if scheme is None:
            return None

        def make() -> PartitionedResponse:
            taps = self._weight if self.layer.flip else self._weight[..., ::-1]
            bias = self._bias
            if self._dtype.kind == "c":
                taps, bias = in_parts(taps, bias)
            return PartitionedResponse(taps, bias, self.layer.groups, scheme)

        form = ("partitioned", scheme, self._dtype)
        response = prepared_weights.get_or_make(self._identity, form, make)
        inner = PartitionedStream(response, frame[0], *self.layer.pads[-1], block)
        return AdaptedStream(inner, apart, together) if self._dtype.kind == "c" else inner

    def _windowed(self, frame: tuple[int, ...], block: int, total: int | None) -> LayerStream:
        """An algorithm over history and block, pinned with its parameters for good."""
        time = self.layer.axes(self.layer.rank)[-1]
        samples = block if total is None else time.output_length(total) * time.stride
        choice = self._choose_for_blocks(frame, samples, total is None)
        runnable = self._prepare(choice)
        apart = not (choice.algorithm.cut_invariant or choice.algorithm.has_grid)
        grid = choice.problem.output_size[-1] if apart else runnable.grid

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
            time, across, self._dtype, compute, empty, choice.algorithm.name, grid, apart=apart
        )

    def plain_choice(self, x: NDArray[Any]) -> Choice | None:
        """How `run` computes, if for such a signal it does nothing else beside."""
        plain = x.dtype == self._dtype == self.output.dtype and self._zeros == self.layer.pads
        return self._choose(x.shape, self._zeros, once=self._once) if plain else None

    def _begin(self, x: NDArray[Any]) -> tuple[NDArray[Any], Choice]:
        """A signal with its padding, and how it will be computed."""
        layer = self.layer
        extended = boundary.extend(self._enter(x), layer.pads, layer.boundary, self._zeros)
        return extended, self._choose(extended.shape, self._zeros, once=self._once)

    def _choose_for_blocks(self, frame: tuple[int, ...], samples: int, live: bool) -> Choice:
        """The algorithm for windows over blocks: one that keeps the law, or has a grid.

        Of a whole signal outputs may be held back, so that any other will do if it is wished.
        """
        time = self.layer.axes(self.layer.rank)[-1]
        most = max(_WHOLE_BLOCK, time.extent)
        length = min(max(1, samples), most) + time.extent - 1
        shape = (*self._extended((*frame, 1))[:-1], length)
        whole: planner.Cuts = "grid" if self._options.algorithm == "auto" else "none"
        cuts = "any" if live else whole
        return self._choose(shape, self._at_time(0, 0), cuts=cuts)

    def _at_time(self, before: int, after: int) -> Pads:
        """The zeros left to the algorithm, with these along time."""
        return (*self._zeros[:-1], (before, after))

    def _extended(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a signal with all of its padding but the zeros left to the algorithm."""
        added = [
            0 if left == pair else sum(pair)
            for pair, left in zip(self.layer.pads, self._zeros, strict=True)
        ]
        outer = len(shape) - len(added)
        return (*shape[:outer], *(n + more for n, more in zip(shape[outer:], added, strict=True)))

    def _copied_bytes(self, shape: tuple[int, ...], problem: Problem) -> int:
        """The most at a time of copies of a signal and its result: in other dtypes, or padded."""
        entered = math.prod(shape) * self._dtype.itemsize if self._enters else 0
        padded = problem.input_bytes if problem.input_shape != shape else 0
        left = problem.output_bytes if self._leaves else 0
        return max(entered + padded, (padded or entered) + left)

    def _choose(
        self,
        shape: tuple[int, ...],
        zeros: Pads,
        *,
        cuts: planner.Cuts = "none",
        once: bool = False,
    ) -> Choice:
        layer, wish = self.layer, self._options.algorithm
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
            cuts=cuts,
            once=once,
            rigor=self._options.rigor,
        )

    def _prepare(self, choice: Choice) -> Runnable:
        return prepared_weights.get(choice, self._weight, self._bias, self._identity)

    def _compute(self, choice: Choice, runnable: Runnable, x: NDArray[Any]) -> NDArray[Any]:
        out = np.empty(choice.problem.output_shape, self._dtype)
        runnable(np.ascontiguousarray(x), out)
        return out

    def _enter_block(self, block: NDArray[Any]) -> NDArray[Any]:
        """A block of a stream as `run` would have it, but for what pads it along time."""
        pads = (*self.layer.pads[:-1], (0, 0))
        return boundary.extend(self._enter(block), pads, self.layer.boundary, self._at_time(0, 0))

    def _enter(self, x: NDArray[Any]) -> NDArray[Any]:
        """Bring a signal to the dtype of computing; refuse integers whose sums have no room."""
        check_room(x, self._gain, self.layer.bias, self.layer.boundary)
        return converted(x, self._dtype)

    def _leave(self, out: NDArray[Any]) -> NDArray[Any]:
        return converted(out, self.output.dtype)
