"""Long impulse responses along time with no added delay: partitioned convolution on a grid.

The impulse response is cut into partitions, small ones first and larger ones later. The first
taps are convolved directly, so that an output needs no block to be complete. Each other partition
meets, in the frequency domain, the spectrum of the block of input that lies as far back: sums of
these products are made ready ahead of the outputs that they belong to, the work on large
partitions a bit at each boundary of the grid. Blocks and boundaries are counted from input 0, so
that bits do not depend on how the input is cut.

`scheme` cuts, `program` says what is done when, `kernels.partitions` does it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine.kernels.partition_layout import VECTORS, Layout
from convolved_engine.machine import Machine, vector_bytes
from convolved_engine.problem import Problem
from convolved_engine.streaming.base import LayerStream
from convolved_engine.streaming.program import Program, Rows, factors_of, lanes_for, program_for
from convolved_engine.streaming.scheme import SHORTEST, Scheme, chosen_scheme
from convolved_vocabulary import Conv

__all__ = [
    "PARTITIONED",
    "PartitionedResponse",
    "PartitionedStream",
    "apart",
    "in_parts",
    "partitioned_cost",
    "partitioned_error",
    "scheme_for",
    "together",
]

PARTITIONED = "partitioned"
"""What computes long responses."""

_FEWEST_PARTITIONS = 4
_STAGED = 1024
_USUAL_BLOCK = 512
_FLUSHED = 8192
_SHORT_BASE = 512
_FEW_PAIRS = 4


def scheme_for(layer: Conv, dtype: np.dtype[Any], block: int, *, long: bool) -> Scheme | None:
    """How the layer is cut for live blocks of `block` samples; None where windows do better.

    Args:
        layer: the layer.
        dtype: of computing.
        block: samples that come at a time.
        long: whether there may be partitions, or nothing but the direct head.
    """
    plain = layer.rank == 1 and layer.stride == layer.dilation == (1,)
    padded_by_zeros = layer.boundary == ("zeros",) or layer.pads == ((0, 0),)
    taps = layer.kernel[-1]
    if not (plain and padded_by_zeros and dtype.kind in "fc"):
        return None
    if not np.isfinite(layer.weight).all():
        return None
    outputs, inputs = layer.weight.shape[:2]
    outputs //= layer.groups
    if dtype.kind == "c":
        inputs, outputs = 2 * inputs, 2 * outputs
    if taps < _FEWEST_PARTITIONS * SHORTEST:
        few = inputs * outputs <= _FEW_PAIRS
        return Scheme(_SHORT_BASE, ()) if few else None
    return chosen_scheme(taps, inputs, outputs, block) if long else None


def in_parts(
    weight: NDArray[Any], bias: NDArray[Any] | None
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """A complex response as a real one between real and imaginary parts, side by side.

    Args:
        weight: (out_channels, in_channels / groups, taps).
        bias: (out_channels,) or None.
    """
    outputs, inputs, taps = weight.shape
    rows = np.empty((outputs, 2, inputs, 2, taps), weight.real.dtype)
    rows[:, 0, :, 0], rows[:, 0, :, 1] = weight.real, -weight.imag
    rows[:, 1, :, 0], rows[:, 1, :, 1] = weight.imag, weight.real
    sides = None if bias is None else np.stack((bias.real, bias.imag), axis=-1).ravel()
    return rows.reshape(2 * outputs, 2 * inputs, taps), sides


def apart(x: NDArray[Any]) -> NDArray[Any]:
    """A complex signal (batch, channels, n) as a real one of twice the channels."""
    batch, channels, samples = x.shape
    return np.stack((x.real, x.imag), axis=2).reshape(batch, 2 * channels, samples)


def together(x: NDArray[Any]) -> NDArray[Any]:
    """The inverse of `apart`."""
    found = np.empty((x.shape[0], x.shape[1] // 2, x.shape[2]), np.result_type(x, np.complex64))
    found.real, found.imag = x[:, 0::2], x[:, 1::2]
    return found


def partitioned_cost(problem: Problem, scheme: Scheme, machine: Machine) -> tuple[float, int]:
    """Predicted seconds of one block of `problem`, and bytes held."""
    samples = problem.output_size[-1]
    pairs = problem.group_inputs * problem.out_channels
    rows = problem.batch * (problem.in_channels + problem.out_channels)
    item = problem.dtype.itemsize
    seconds = problem.batch * pairs * samples * scheme.base / machine.fma_rate * item / 4
    held = 0
    for level in scheme.levels:
        points = 2 * samples * math.log2(2 * level.length)
        seconds += rows * points / machine.fft_rate * item / 4
        products = problem.batch * pairs * level.partitions * samples
        seconds += products / machine.product_rate * item / 4
        spectra = problem.batch * problem.in_channels + pairs
        held += 2 * level.partitions * level.length * item * spectra
    return machine.call_seconds + seconds, held


def partitioned_error(problem: Problem, scheme: Scheme) -> float:
    """Bound on max|error| / (sum|w| * max|x|): that of overlap-save, plus a sum over partitions.

    Terms round once more for each partition that is added; the head rounds once a tap.
    """
    parts = 2 if problem.is_complex else 1
    unit = float(np.finfo(problem.dtype).eps) / 2 * parts
    longest = scheme.levels[-1].length
    partitions = sum(level.partitions for level in scheme.levels) + len(scheme.levels)
    spectral = 8 * (math.log2(2 * longest) + math.sqrt(problem.group_inputs * partitions))
    return unit * (spectral + scheme.base * problem.group_inputs)


class PartitionedResponse:
    """A matrix of impulse responses, cut and transformed; streams share it.

    Args:
        responses: (out_channels, in_channels / groups, taps), in the order of time.
        bias: (out_channels,) or None.
        groups: of channels.
        scheme: the partitions.
    """

    def __init__(
        self, responses: NDArray[Any], bias: NDArray[Any] | None, groups: int, scheme: Scheme
    ) -> None:
        outs, ins, taps = responses.shape
        self.taps, self.scheme, self.dtype = taps, scheme, responses.dtype
        self.rows = Rows(1, groups, ins, outs // groups)
        self.responses = responses.reshape(groups, outs // groups, ins, taps)
        self.lanes = lanes_for(vector_bytes(), self.dtype)
        head = np.ascontiguousarray(responses[..., : scheme.base]).ravel()
        self.head_taps = min(taps, scheme.base)
        whole = np.zeros(outs, self.dtype) if bias is None else bias
        tables, self._factors = factors_of(scheme, self.lanes, self.dtype, head.size + outs)
        parts = [head, whole, *tables]
        self._spectra = []
        at = sum(part.size for part in parts)
        for spectra in self._transformed():
            self._spectra.append(at)
            parts.append(spectra)
            at += spectra.size
        self.constants = aligned(at, self.dtype)
        np.concatenate(parts, out=self.constants)
        self.bias_at = head.size
        self._programs: dict[tuple[int, int], Program] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of the prepared partitions."""
        return self.constants.nbytes + self.responses.nbytes

    def program(self, batch: int, block: int) -> Program:
        """What a stream of so many signals runs."""
        # A cache around a method would hold the response for as long as the response holds it.
        if (batch, block) in self._programs:
            return self._programs[batch, block]
        rows = Rows(batch, self.rows.groups, self.rows.group_inputs, self.rows.group_outputs)
        made = self._programs[batch, block] = program_for(
            self.scheme,
            rows,
            self.lanes,
            self.dtype,
            self._factors,
            self._spectra,
            self.head_taps,
            self.bias_at,
            block or _USUAL_BLOCK,
        )
        return made

    def _transformed(self) -> list[NDArray[Any]]:
        """Of each level (groups, outputs, chunks, inputs, partitions, parts, bins)."""
        groups, outputs, inputs = self.responses.shape[:3]
        width = VECTORS * self.lanes
        found = []
        for level in self.scheme.levels:
            n, count = level.length, level.partitions
            begin = level.delay * n
            part = self.responses[..., begin : begin + n * count]
            padded = np.zeros((groups, outputs, inputs, count * n))
            padded[..., : part.shape[-1]] = part
            blocks = padded.reshape(groups, outputs, inputs, count, n)
            twist = np.exp(0.5j * np.pi * np.arange(n) / n)
            spectra = np.fft.fft(blocks * twist) / n
            parts = np.stack((spectra.real, spectra.imag), axis=-2).astype(self.dtype)
            chunks = parts.reshape(groups, outputs, inputs, count, 2, n // width, width)
            found.append(np.ascontiguousarray(chunks.transpose(0, 1, 5, 2, 3, 4, 6)).ravel())
        return found


class PartitionedStream(LayerStream):
    """One signal through a `PartitionedResponse`.

    Args:
        response: the partitions.
        batch: signals side by side.
        before: zeros before the signal.
        after: zeros after it.
        block: samples that come at a time; 0 if unknown.
    """

    def __init__(
        self, response: PartitionedResponse, batch: int, before: int, after: int, block: int = 0
    ) -> None:
        from convolved_engine.kernels.partitions import advancing

        self.algorithm = PARTITIONED if response.scheme.levels else "direct"
        self._response = response
        self._after = after
        # Output j is the response's output at time j + lead.
        self._lead: int = response.taps - 1 - before
        self._levels = [
            (level.length, level.reach * level.length) for level in response.scheme.levels
        ]
        self._advance = advancing(response.lanes)
        program = response.program(batch, block)
        self._layout = Layout(*program.plan[: len(Layout._fields)].tolist())
        rows = response.rows
        self.dtype = response.dtype
        self._rows_in = batch * rows.inputs
        self._rows_out = batch * rows.outputs
        self._batch = batch
        self._constants, self._plan = response.constants, program.plan
        self._state = aligned(program.numbers, response.dtype)
        self._counters = np.zeros(3, np.int64)
        self._stage = np.empty((self._rows_in, _STAGED), response.dtype)
        self.start_at(0)

    def push(self, block: NDArray[Any]) -> NDArray[Any]:
        """One output for each input, after the lead."""
        found = self.push_rows(block.reshape(self._rows_in, block.shape[-1]))
        return found.reshape(self._batch, self._response.rows.outputs, found.shape[-1])

    def push_rows(self, rows: NDArray[Any]) -> NDArray[Any]:
        """`push` for (batch * channels, n), which gives (batch * out_channels, m)."""
        samples = rows.shape[1]
        out = np.empty((self._rows_out, samples), self.dtype)
        if samples <= _STAGED:
            x = self._stage
            x[:, :samples] = rows
        else:
            x = np.array(rows, order="C")
        done = self._advance(
            x, out, 0, samples, self._state, self._constants, self._plan, self._counters
        )
        if done >= 0 or self._wild:
            self._go_on_wildly(x, out, done)
        if not self._plain:
            out = self._wanted(out)
        self.inputs += samples
        self.outputs += out.shape[1]
        return out

    def flush(self) -> NDArray[Any]:
        """What zeros after the signal bring out."""
        return np.concatenate([*self.flush_steps()], axis=-1)

    def flush_steps(self) -> Iterator[NDArray[Any]]:
        """The same, some thousand outputs at a time."""
        missing = self._after if self.inputs else 0
        while True:
            count = min(missing, _FLUSHED)
            yield self.push(np.zeros((self._rows_in, count), self.dtype))
            missing -= count
            if not missing:
                return

    def start_at(self, inputs: int) -> int:
        """Outputs come from the first on that is computed from whole blocks alone."""
        self._state[...] = 0
        self._counters[:] = (inputs, 0, 0)
        self._wild: list[tuple[NDArray[Any], NDArray[Any]]] = []
        self.inputs, self.outputs, full = inputs, 0, 0
        if inputs:
            full = inputs + self._response.head_taps - 1
            for length, back in self._levels:
                full = max(full, -(-inputs // length) * length + back)
            self.outputs = full - self._lead
        self._hidden = self._lead if not inputs else full - inputs
        self._plain = self._hidden == 0
        return self.outputs

    def skip_to(self, output: int) -> int:
        """That output; what serves those before it alone is not computed."""
        if output > self.outputs:
            self._hidden += output - self.outputs
            self._plain = False
            self.outputs = output
            self._counters[2] = output + self._lead
        return self.outputs

    def retain_for(self, output: int) -> int:
        """The begin of the first block that any level reads for the output."""
        time = max(0, output + self._lead)
        first: int = time - self._response.head_taps + 1
        for length, back in self._levels:
            first = min(first, time - time % length - back)
        return max(0, first)

    @property
    def state_bytes(self) -> int:
        """Spectra of the past, mostly."""
        return self._state.nbytes + self._stage.nbytes

    def _wanted(self, found: NDArray[Any]) -> NDArray[Any]:
        """Without the outputs before the first, or with the bias that comes before it."""
        samples = found.shape[1]
        if self._hidden < 0 and samples:
            begin, outputs = self._response.bias_at, self._response.rows.outputs
            bias = np.tile(self._constants[begin : begin + outputs], self._batch)
            silence = np.broadcast_to(bias[:, None], (self._rows_out, -self._hidden))
            found = np.concatenate((silence, found), axis=1)
            self._hidden = 0
        hidden = min(self._hidden, samples) if self._hidden > 0 else 0
        self._hidden -= hidden
        self._plain = self._hidden == 0
        return found[:, hidden:]

    def _go_on_wildly(self, x: NDArray[Any], out: NDArray[Any], done: int) -> None:
        """Convolve what is left of x, of which something is not finite, or something before."""
        samples = out.shape[1]
        while done >= 0:
            self._set_wild_apart()
            done = self._advance(
                x, out, done, samples, self._state, self._constants, self._plan, self._counters
            )
        self._let_wild_in(out, int(self._counters[0]) - samples)

    def _set_wild_apart(self) -> None:
        """Keep NaN and Inf of the full block out of the transforms."""
        base, layout = self._response.scheme.base, self._layout
        begin = int(self._counters[0]) - base
        lines = self._state[layout.past_at :][: self._rows_in * layout.past]
        place = begin % layout.past_length
        block = lines.reshape(self._rows_in, -1)[:, place : place + base]
        wild = ~np.isfinite(block)
        rows, times = np.nonzero(wild)
        inputs, outputs = layout.group_inputs, layout.group_outputs
        outer, channel = rows // inputs, rows % inputs
        places = np.stack((begin + times, outer * outputs, channel, outer % layout.groups), axis=-1)
        self._wild.append((places, block[wild]))
        block[wild] = 0

    def _let_wild_in(self, out: NDArray[Any], begin: int) -> None:
        """Add to the outputs what NaN and Inf make of them, no more and no less."""
        from convolved_engine.kernels.partitions import add_products

        response = self._response
        oldest = begin - response.taps
        self._wild = [each for each in self._wild if int(each[0][:, 0].max()) > oldest]
        for places, values in self._wild:
            add_products(out, begin, places, values, response.responses, response.scheme.base)


def aligned(count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """A flat array of zeros that begins at a line of the cache."""
    held = np.zeros(count * dtype.itemsize + 64, np.uint8)
    begin = -held.ctypes.data % 64
    return held[begin : begin + count * dtype.itemsize].view(dtype)
