"""The ConvTranspose layer: its phases, each an ordinary problem for the planner's algorithms."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from convolved_engine import machine, planner
from convolved_engine.operations.base import Operation, converted
from convolved_engine.operations.convolution import prepared_weights
from convolved_engine.operations.integers import check_room, sums_of
from convolved_engine.phases import Span, Together, periods, together
from convolved_engine.planner import Choice
from convolved_engine.problem import Problem
from convolved_engine.streaming.adapted import AdaptedStream
from convolved_engine.streaming.base import LayerStream
from convolved_engine.streaming.spread import SpreadStream
from convolved_vocabulary import Candidate, ConvTranspose, Options, SignalType
from convolved_vocabulary.dtypes import computing_dtype
from convolved_vocabulary.words import counted

__all__ = ["Transposition"]

Ranges = list[range]
_NAME = "direct"
_WHOLE_CHUNK = 1 << 17

# Seconds to put one output of a phase among those of the others.
_PLACING_SECONDS = 2e-9


class Transposition(Operation):
    """A `ConvTranspose` layer for signals of one type.

    Args:
        layer: the layer.
        signal: the type of what comes in.
        options: the wishes of the caller.
        identity: under which the prepared weights are kept for the next call; None to keep
            nothing.
    """

    def __init__(
        self,
        layer: ConvTranspose,
        signal: SignalType,
        options: Options,
        identity: Hashable | None,
    ) -> None:
        self._layer = layer
        self._options, self._identity = options, identity
        self.output = layer.output_type(signal)
        self._dtype = computing_dtype(self.output.dtype)
        self._axes = layer.axes(layer.rank)
        bias = layer.bias
        self._bias = None if bias is None else converted(bias, self._dtype)
        weight = converted(layer.weight, self._dtype)
        self._parts = together(layer, weight, self._bias)
        self._out_channels = layer.out_channels(layer.in_channels)
        grouped = layer.weight.reshape(layer.groups, -1, *layer.weight.shape[1:])
        self._gain = sums_of(signal, self.output, grouped, (1, *range(3, grouped.ndim)))
        phases = sum(math.prod(part.phases) for part in self._parts)
        self._covers = phases == math.prod(layer.stride)

    def run(self, x: NDArray[Any]) -> NDArray[Any]:
        """See `Operation`."""
        inputs, outputs = self._whole(x.shape[2:])
        choices = self._choose(x.shape[0], inputs, outputs, live=False)
        return self._leave(self._compute(self._enter(x), inputs, outputs, choices))

    def plan(self, shape: tuple[int, ...]) -> tuple[str, Candidate, tuple[Candidate, ...]]:
        """See `Operation`; times are those of all phases together."""
        return self._plan(shape[0], *self._whole(shape[2:]), live=False)

    def plan_stream(
        self, frame: tuple[int, ...], block: int
    ) -> tuple[str, Candidate, tuple[Candidate, ...]]:
        """See `Operation`."""
        return self._plan(frame[0], *self._stretch(frame, block * self._axes[-1].stride), live=True)

    def stream(self, frame: tuple[int, ...], block: int, total: int | None) -> LayerStream:
        """See `Operation`."""
        time, live = self._axes[-1], total is None
        chunk = 1 if total is None else max(1, min(time.output_length(total), _WHOLE_CHUNK))
        nominal = time.stride * max(1, block) if total is None else max(time.stride, chunk)
        inputs, outputs = self._stretch(frame, nominal)
        choices = self._choose(frame[0], inputs, outputs, live=live)
        algorithm = next((each.algorithm.name for each in choices if each is not None), _NAME)
        across_in, across_out = inputs[:-1], outputs[:-1]

        def compute(x: NDArray[Any], first: int, wanted: range) -> NDArray[Any]:
            stretch = range(first, first + x.shape[-1])
            return self._compute(x, [*across_in, stretch], [*across_out, wanted], choices)

        empty = np.empty((frame[0], self._out_channels, *map(len, across_out), 0), self._dtype)
        inner = SpreadStream(time, frame, self._dtype, compute, empty, algorithm, chunk)
        return AdaptedStream(inner, self._enter, self._leave)

    def _whole(self, size: tuple[int, ...]) -> tuple[Ranges, Ranges]:
        """The inputs and the outputs of a whole signal along each axis."""
        lengths = [axis.output_length(n) for axis, n in zip(self._axes, size, strict=True)]
        return [range(n) for n in size], [range(n) for n in lengths]

    def _stretch(self, frame: tuple[int, ...], count: int) -> tuple[Ranges, Ranges]:
        """Those of `count` outputs along time in the middle of a signal."""
        time = self._axes[-1]
        first = (time.extent // time.stride + 1) * time.stride
        wanted = range(first, first + count)
        reads = range(time.first_input(wanted[0]), time.last_input(wanted[-1]) + 1)
        across = zip(self._axes, frame[2:], strict=False)
        lengths = [axis.output_length(n) for axis, n in across]
        return [*map(range, frame[2:]), reads], [*map(range, lengths), wanted]

    def _spans(self, part: Together, inputs: Ranges, outputs: Ranges) -> tuple[Span, ...] | None:
        """What a part reads along each axis; None if it reads no sample."""
        spans = tuple(
            each.span(periods(each.axis, wanted), stretch)
            for each, wanted, stretch in zip(part.axes, outputs, inputs, strict=True)
        )
        return None if any(span.samples < 1 for span in spans) else spans

    def _problem(self, part: Together, batch: int, spans: tuple[Span, ...]) -> Problem:
        return Problem.of(
            (batch, self._layer.in_channels, *(span.samples for span in spans)),
            part.weight.shape,
            dtype=self._dtype,
            dilation=tuple(each.dilation for each in part.axes),
            pads=tuple(span.pads for span in spans),
            groups=self._layer.groups,
            flip=True,
            accuracy=cast(Any, self._options.accuracy),
            has_bias=part.bias is not None,
        )

    def _choose(
        self, batch: int, inputs: Ranges, outputs: Ranges, *, live: bool
    ) -> list[Choice | None]:
        """One algorithm for all phases, the one that suits the largest; None where none has a
        sample to read.
        """
        wish = None if self._options.algorithm == "auto" else self._options.algorithm
        choices: list[Choice | None] = []
        for part in self._parts:
            spans = self._spans(part, inputs, outputs)
            if spans is None:
                choices.append(None)
                continue
            choice = planner.plan(
                self._problem(part, batch, spans),
                algorithm=wish,
                memory_limit=self._options.memory_limit_bytes,
                cuts="any" if live else "none",
                rigor=self._options.rigor,
            )
            wish = choice.algorithm.name
            choices.append(choice)
        return choices

    def _plan(
        self, batch: int, inputs: Ranges, outputs: Ranges, *, live: bool
    ) -> tuple[str, Candidate, tuple[Candidate, ...]]:
        found = self._choose(batch, inputs, outputs, live=live)
        choices = [choice for choice in found if choice is not None]
        entries = math.prod(map(len, outputs)) * batch * self._out_channels
        result = entries * self._dtype.itemsize
        scatter = entries * _PLACING_SECONDS + 2 * result / machine.current().memory_rate
        if not choices:
            reason = "no input reaches any output"
            return reason, Candidate(_NAME, predicted_seconds=scatter, reason=reason), ()

        def of_all(one: Candidate) -> Candidate:
            each = [
                candidate
                for choice in choices
                for candidate in (choice.chosen, *choice.rejected)
                if candidate.algorithm == one.algorithm
            ]
            return dataclasses.replace(
                one,
                predicted_seconds=scatter + sum(other.predicted_seconds or 0.0 for other in each),
                workspace_bytes=result + max(other.workspace_bytes for other in each),
                relative_error=max(other.relative_error for other in each),
            )

        first = choices[0]
        rejected = tuple(
            one if one.predicted_seconds is None else of_all(one) for one in first.rejected
        )
        phases = sum(math.prod(part.phases) for part in self._parts)
        words = f"transposed convolution in {counted(phases, 'phase')}, each {first.problem}"
        return words, of_all(first.chosen), rejected

    def _compute(
        self, x: NDArray[Any], inputs: Ranges, outputs: Ranges, choices: list[Choice | None]
    ) -> NDArray[Any]:
        """The `outputs` along each axis from the stretch of `inputs` that x holds."""
        spans_of = [self._spans(part, inputs, outputs) for part in self._parts]
        shape = (x.shape[0], self._out_channels, *map(len, outputs))
        out = np.empty(shape, self._dtype)
        if not self._covers or None in spans_of:
            out[...] = 0 if self._bias is None else self._bias.reshape(-1, *(1,) * len(outputs))
        for number, (part, spans, choice) in enumerate(
            zip(self._parts, spans_of, choices, strict=True)
        ):
            if choice is None or spans is None:
                continue
            problem = self._problem(part, x.shape[0], spans)
            pinned = dataclasses.replace(choice, problem=problem)
            identity = None if self._identity is None else (self._identity, number)
            runnable = prepared_weights.get(pinned, part.weight, part.bias, identity)
            found = np.empty(problem.output_shape, self._dtype)
            within = (slice(None), slice(None), *(span.inside for span in spans))
            runnable(np.ascontiguousarray(x[within]), found)
            part.place(found, out, outputs)
        return out

    def _enter(self, x: NDArray[Any]) -> NDArray[Any]:
        """Bring a signal to the dtype of computing; refuse integers whose sums have no room."""
        check_room(x, self._gain, self._layer.bias)
        return converted(x, self._dtype)

    def _leave(self, out: NDArray[Any]) -> NDArray[Any]:
        return converted(out, self.output.dtype)
