"""Long impulse responses along time with no added delay: partitioned convolution on a grid.

The impulse response is cut into partitions of B taps. The first is convolved directly, so that
an output needs no block to be complete. Each of the others meets, in the frequency domain, the
spectrum of the block of input that lies as many blocks back: the sum of these products is the
tail of the next block and is known when the block before it is complete. Blocks lie on a grid
counted from input 0, so that bits do not depend on how the input is cut.

Source: W. Gardner, "Efficient convolution without input-output delay", J. Audio Eng. Soc. 43
(1995); F. Wefers, "Partitioned convolution algorithms for real-time auralization" (2015).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine import transforms
from convolved_engine.machine import Machine
from convolved_engine.problem import Problem
from convolved_engine.registry import algorithm
from convolved_engine.streaming.base import LayerStream
from convolved_vocabulary import Conv

__all__ = [
    "PartitionedResponse",
    "PartitionedStream",
    "partition_length",
    "partitioned_cost",
    "partitioned_error",
]

_SHORTEST, _LONGEST = 64, 512
_FEWEST_PARTITIONS = 4


def partition_length(layer: Conv, dtype: np.dtype[Any], block: int) -> int:
    """The length of partitions for live blocks of `block` samples; 0 where windows do better.

    The nearest power of two, from 64 to 512, that cuts the kernel into four or more.
    """
    plain = layer.rank == 1 and layer.stride == layer.dilation == (1,)
    padded_by_zeros = layer.boundary == ("zeros",) or layer.pads == ((0, 0),)
    taps = layer.kernel[-1]
    if not (plain and padded_by_zeros and dtype.kind == "f"):
        return 0
    if taps < _FEWEST_PARTITIONS * _SHORTEST or not np.isfinite(layer.weight).all():
        return 0
    wished = _LONGEST if block == 0 else min(max(block, _SHORTEST), _LONGEST)
    return 1 << (min(wished, taps // _FEWEST_PARTITIONS).bit_length() - 1)


def partitioned_cost(problem: Problem, length: int, machine: Machine) -> tuple[float, int]:
    """Predicted seconds of one block of `problem` in partitions of `length`, and bytes held."""
    samples = problem.output_size[-1]
    pairs = problem.group_inputs * problem.out_channels
    rows = problem.batch * (problem.in_channels + problem.out_channels)
    partitions = -(-problem.kernel[-1] // length) - 1
    item = problem.dtype.itemsize
    head = problem.batch * pairs * samples * length / machine.fma_rate * item / 4
    transform = 2 * length * math.log2(2 * length) / machine.fft_rate * item / 4
    products = problem.batch * pairs * partitions * (length + 1) * 4 * item / machine.copy_rate
    blocks = samples / length
    seconds = 2 * machine.call_seconds + head + blocks * (rows * transform + products)
    held = 2 * partitions * (length + 1) * item * (problem.batch * problem.in_channels + pairs)
    return seconds, held


def partitioned_error(problem: Problem, length: int) -> float:
    """Bound on max|error| / (sum|w| * max|x|): that of overlap-save, plus a sum over partitions.

    Terms round once more for each partition that is added; the head rounds once a tap.
    """
    unit = float(np.finfo(problem.dtype).eps) / 2
    partitions = -(-problem.kernel[-1] // length)
    spectral = 8 * (math.log2(2 * length) + math.sqrt(problem.group_inputs * partitions))
    return unit * (spectral + length * problem.group_inputs)


class PartitionedResponse:
    """A matrix of impulse responses, cut and transformed; streams share it.

    Args:
        responses: (out_channels, in_channels / groups, taps), in the order of time.
        bias: (out_channels,) or None.
        groups: of channels.
        length: B, the taps of a partition.
    """

    def __init__(
        self, responses: NDArray[Any], bias: NDArray[Any] | None, groups: int, length: int
    ) -> None:
        outs, ins, taps = responses.shape
        self.groups, self.group_inputs, self.group_outputs = groups, ins, outs // groups
        self.taps, self.length, self.dtype = taps, length, responses.dtype
        self.partitions = -(-taps // length) - 1
        direct = algorithm("direct")
        head = np.ascontiguousarray(responses[..., :length])
        problem = self._problem(head.shape, bias is not None)
        self.head = direct.prepare(problem, head, bias, {})
        self._rest = responses[..., length:]
        self.spectra = self._transform()

    @property
    def nbytes(self) -> int:
        """Bytes of the prepared partitions."""
        return self.head.nbytes + self.spectra.nbytes

    def shape(self, batch: int) -> transforms.Shape:
        """The transforms of one block of input and of one of output."""
        return transforms.Shape(
            inputs=batch * self.groups * self.group_inputs,
            outputs=batch * self.groups * self.group_outputs,
            lengths=(2 * self.length,),
            dtype=self.dtype,
            backend=transforms.default_backend(),
        )

    def rest(self, wild: NDArray[Any]) -> NDArray[Any]:
        """Convolve (batch, channels, n) directly with every tap but the head's."""
        weight = np.ascontiguousarray(self._rest)
        problem = self._problem(weight.shape, False).with_input(wild.shape)
        out = np.empty(problem.output_shape, self.dtype)
        algorithm("direct").prepare(problem, weight, None, {})(wild, out, 1)
        return out

    def _problem(self, weight_shape: tuple[int, ...], has_bias: bool) -> Problem:
        shape = (1, self.groups * self.group_inputs, 2 * weight_shape[-1])
        return Problem.of(
            shape,
            weight_shape,
            dtype=self.dtype,
            groups=self.groups,
            flip=True,
            has_bias=has_bias,
        )

    def _transform(self) -> NDArray[Any]:
        """(groups, outputs, inputs, partitions, bins), scaled for the transform back."""
        length, count = self.length, self.partitions
        kernels = self.groups * self.group_outputs * self.group_inputs
        padded = np.zeros((kernels, count * length), self.dtype)
        padded[:, : self._rest.shape[-1]] = self._rest.reshape(kernels, -1)
        blocks = padded.reshape(kernels * count, length)
        one = transforms.Shape(1, 1, (2 * length,), self.dtype, transforms.default_backend())
        found = np.empty((len(blocks), length + 1), one.spectrum_dtype)
        with transforms.lease(one) as work:
            for block, spectrum in zip(blocks, found, strict=True):
                work.samples[0, :length] = block
                work.samples[0, length:] = 0
                work.forward()
                spectrum[...] = work.spectra[0]
        found /= 2 * length
        return found.reshape(self.groups, self.group_outputs, self.group_inputs, count, length + 1)


class PartitionedStream(LayerStream):
    """One signal through a `PartitionedResponse`.

    Args:
        response: the partitions.
        batch: signals side by side.
        before: zeros before the signal.
        after: zeros after it.
    """

    algorithm = "partitioned"

    def __init__(self, response: PartitionedResponse, batch: int, before: int, after: int) -> None:
        self._response, self._batch = response, batch
        self._after = after
        # Output j is the response's output at time j + lead.
        self._lead: int = response.taps - 1 - before
        self._shape = response.shape(batch)
        rows_in = (batch, response.groups, response.group_inputs)
        rows_out = (batch, response.groups, response.group_outputs)
        bins = response.length + 1
        self._ring = np.zeros((*rows_in, response.partitions, bins), self._shape.spectrum_dtype)
        self._products = np.empty((response.partitions, bins), self._shape.spectrum_dtype)
        self._blocks = np.zeros((*rows_in, 2 * response.length), response.dtype)
        self._tail = np.zeros((*rows_out, response.length), response.dtype)
        self._past = np.zeros(
            (batch, response.groups * response.group_inputs, response.length - 1), response.dtype
        )
        self.start_at(0)

    def push(self, block: NDArray[Any]) -> NDArray[Any]:
        """One output for each input, after the lead."""
        found = self._advance(block)
        if self._lead < 0 and self.inputs == 0 and block.shape[-1]:
            found = np.concatenate((self._silence(-self._lead), found), axis=-1)
        self.inputs += block.shape[-1]
        return self._given(found)

    def flush(self) -> NDArray[Any]:
        """What zeros after the signal bring out."""
        if not self.inputs:
            return self._silence(0)
        response = self._response
        shape = (self._batch, response.groups * response.group_inputs, self._after)
        return self._given(self._advance(np.zeros(shape, response.dtype)))

    def start_at(self, inputs: int) -> int:
        """Outputs come from the first block on before which every partition is full."""
        length = self._response.length
        for state in (self._ring, self._blocks, self._tail, self._past):
            state[...] = 0
        self._wild: dict[int, NDArray[Any]] = {}
        self._time = self.inputs = inputs
        self.outputs = full = 0
        if inputs:
            full = (-(-inputs // length) + self._response.partitions + 1) * length
            self.outputs = full - self._lead
        self._hidden = self._lead if not inputs else full - inputs
        return self.outputs

    def retain_for(self, output: int) -> int:
        """As many whole blocks back as there are partitions, and one for the overlap."""
        length = self._response.length
        block = max(0, output + self._lead) // length
        first: int = (block - self._response.partitions - 1) * length
        return max(0, first)

    @property
    def state_bytes(self) -> int:
        """Spectra of the past, mostly."""
        return self._ring.nbytes + self._blocks.nbytes + self._tail.nbytes + self._past.nbytes

    def _silence(self, samples: int) -> NDArray[Any]:
        """Outputs before the first input: the bias, or zeros."""
        response = self._response
        shape = (self._batch, response.groups * response.group_inputs)
        stretch = np.zeros((*shape, response.length - 1 + samples), response.dtype)
        return self._convolve_head(stretch, samples)

    def _given(self, found: NDArray[Any]) -> NDArray[Any]:
        hidden = min(max(0, self._hidden), found.shape[-1])
        self._hidden -= hidden
        found = found[..., hidden:]
        self.outputs += found.shape[-1]
        return found

    def _convolve_head(self, stretch: NDArray[Any], samples: int) -> NDArray[Any]:
        response = self._response
        outs = response.groups * response.group_outputs
        out = np.empty((self._batch, outs, samples), response.dtype)
        if samples:
            response.head(np.ascontiguousarray(stretch), out)
        return out

    def _advance(self, block: NDArray[Any]) -> NDArray[Any]:
        """The response's outputs at the times of the block's samples."""
        samples, length = block.shape[-1], self._response.length
        stretch = np.concatenate((self._past, block), axis=-1)
        found = self._convolve_head(stretch, samples)
        self._past = stretch[..., samples:].copy()
        by_group = block.reshape(*self._blocks.shape[:3], samples)
        into = found.reshape(*self._tail.shape[:3], samples)
        done = 0
        while done < samples:
            at = self._time % length
            count = min(samples - done, length - at)
            into[..., done : done + count] += self._tail[..., at : at + count]
            place = slice(length + at, length + at + count)
            self._blocks[..., place] = by_group[..., done : done + count]
            self._time += count
            done += count
            if self._time % length == 0:
                self._finish_block()
        return found

    def _finish_block(self) -> None:
        """Transform the full block and make the tail of the next."""
        response, length = self._response, self._response.length
        number = self._time // length - 1
        self._set_wild_apart(number)
        count = response.partitions
        slot = number % count
        with transforms.lease(self._shape) as work:
            work.samples[...] = self._blocks.reshape(work.samples.shape)
            work.forward()
            self._ring[..., slot, :] = work.spectra.reshape(*self._ring.shape[:3], -1)
            self._multiply(work.products.reshape(*self._tail.shape[:3], -1), slot)
            work.backward()
            self._tail[...] = work.results.reshape(*self._tail.shape[:3], -1)[..., length:]
        self._blocks[..., :length] = self._blocks[..., length:]
        if self._wild:
            self._let_wild_in(number)

    def _multiply(self, products: NDArray[Any], slot: int) -> None:
        # Partition p meets the block p back, which lies in slot - p of the ring: first those
        # down to slot 0, then those from the ring's end.
        spectra, ring = self._response.spectra, self._ring
        terms, newer = self._products, slot + 1
        products[...] = 0
        for place in np.ndindex(products.shape[:3]):
            batch, group, out = place
            for channel in range(ring.shape[2]):
                kernel, past = spectra[group, out, channel], ring[batch, group, channel]
                np.multiply(past[slot::-1], kernel[:newer], out=terms[:newer])
                np.multiply(past[:slot:-1], kernel[newer:], out=terms[newer:])
                products[place] += terms.sum(axis=0)

    def _set_wild_apart(self, number: int) -> None:
        """Keep NaN and Inf of the full block out of the transforms."""
        length = self._response.length
        block = self._blocks[..., length:]
        finite = np.isfinite(block)
        if not finite.all():
            self._wild[number] = np.where(finite, 0, block)
            block[~finite] = 0

    def _let_wild_in(self, number: int) -> None:
        """Add to the tail what NaN and Inf make of it, no more and no less."""
        response, length = self._response, self._response.length
        reach = response.partitions + 1
        self._wild = {at: block for at, block in self._wild.items() if at > number - reach}
        if not self._wild:
            return
        past = np.zeros((*self._blocks.shape[:3], reach * length), response.dtype)
        for at, block in self._wild.items():
            first = (at - number - 1 + reach) * length
            past[..., first : first + length] = block
        stretch = response.taps - 1
        past = past.reshape(self._batch, -1, reach * length)[..., -stretch:]
        found = response.rest(np.ascontiguousarray(past))
        self._tail += found.reshape(self._tail.shape)
