"""Convolution of short signals with long kernels: overlap-save with the roles exchanged.

Convolution commutes. So the kernel may be the signal of overlap-save (see there), cut into blocks
that overlap, whose spectra are kept; and the signal is the short filter, transformed once. Where
a signal is much shorter than the kernel, several short transforms back take less time than a long
one there and back.

Blocks of `length` samples give `hop` outputs each, for signals of up to length - hop + 1 samples.
The error bound is that of `spectral`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine import nonfinite, transforms
from convolved_engine import threads as pool
from convolved_engine.machine import Machine
from convolved_engine.problem import Problem
from convolved_engine.registry import Cost, Parameters, Runnable

from .block_choice import held_bytes, one_block
from .direct import Direct
from .spectral import relative_error
from .weights import kernel_for_correlation

__all__ = ["KernelBlocks", "cost_in_blocks"]

_BATCH_BYTES = 512 << 10
_SHORTEST = 256
# Signals of about one length share the blocks: lengths count in these parts of a block.
_PARTS = 16


def cost_in_blocks(problem: Problem, machine: Machine) -> Cost | None:
    """The cheapest block; None where the kernel is not to be cut."""
    if (
        problem.rank > 1
        or problem.group_inputs > 1
        or max(problem.stride + problem.dilation) > 1
        or problem.kernel[0] < 2 * problem.size[0]
    ):
        return None
    choices = [
        _predict(problem, machine, length)
        for shift in range(_SHORTEST.bit_length() - 1, problem.kernel[0].bit_length())
        for length in (1 << shift, 3 << (shift - 1))
        if problem.size[0] <= length // 2 < problem.output_size[0]
    ]
    return min(choices, key=lambda cost: cost.seconds, default=None)


def _predict(problem: Problem, machine: Machine, length: int) -> Cost:
    part = length // _PARTS
    hop = length + 1 - part * -(-problem.size[0] // part)
    blocks = -(-problem.output_size[0] // hop)
    each, both = one_block(problem, machine, (length,))
    row = each + blocks * (both - each)
    row += -(-blocks // _together(length, problem.dtype)) * machine.fft_chunk_seconds
    rows = problem.batch * problem.out_channels
    spectra = problem.out_channels * blocks
    return Cost(
        seconds=4 * machine.call_seconds + -(-rows // min(machine.threads, rows)) * row,
        workspace_bytes=held_bytes(problem, (length,), machine.threads * blocks)
        + spectra * length * problem.dtype.itemsize,
        relative_error=relative_error(problem, length),
        parameters={"length": str(length), "hop": hop},
        preparing_seconds=spectra * each,
    )


def _together(length: int, dtype: np.dtype[Any]) -> int:
    """Blocks in one workspace."""
    return max(1, _BATCH_BYTES // (length * dtype.itemsize))


class KernelBlocks(Runnable):
    """See the module.

    Args:
        problem: with one axis, and one input channel in each group.
        weight: finite.
        bias: or None.
        parameters: `length` and `hop`, and perhaps `backend`, one of `transforms.BACKENDS`.
        otherwise: computes longer signals.
    """

    def __init__(
        self,
        problem: Problem,
        weight: NDArray[Any],
        bias: NDArray[Any] | None,
        parameters: Parameters,
        otherwise: Callable[[Problem, NDArray[Any], NDArray[Any], int | None], None],
    ) -> None:
        super().__init__(problem, weight, bias)
        self._given, self._otherwise = (weight, bias), otherwise
        self._length, self._hop = int(parameters["length"]), int(parameters["hop"])
        self._longest = self._length - self._hop + 1
        outputs = problem.output_size[0] + self._longest - problem.size[0]
        blocks = -(-outputs // self._hop)
        self._shape = transforms.Shape(
            inputs=1,
            outputs=min(blocks, _together(self._length, problem.dtype)),
            lengths=(self._length,),
            dtype=problem.dtype,
            backend=str(parameters.get("backend", transforms.default_backend())),
            aligned=True,
        )
        self._spectra = self._spectra_of(problem, weight, blocks)
        self.nbytes = self._spectra.nbytes + weight.nbytes

    def _spectra_of(self, problem: Problem, weight: NDArray[Any], blocks: int) -> NDArray[Any]:
        """The spectra (out_channels, blocks, bins), scaled so that no transform back need be."""
        response = kernel_for_correlation(problem, weight)[:, 0, ::-1]
        # Output 0 lies at this place of the full convolution; block 0 begins before it.
        begin = problem.kernel[0] - 1 - problem.pads[0][0] - (self._length - self._hop)
        places = begin + np.arange((blocks - 1) * self._hop + self._length)
        within = (places >= 0) & (places < problem.kernel[0])
        bins = self._shape.spectrum_lengths[-1]
        spectra = np.empty((len(response), blocks, bins), self._shape.spectrum_dtype)
        with transforms.lease(self._shape) as space:
            for row, taps in zip(spectra, response, strict=True):
                held = np.where(within, taps[places.clip(0, problem.kernel[0] - 1)], 0)
                for number in range(blocks):
                    first = number * self._hop
                    space.samples[0] = held[first : first + self._length]
                    space.forward()
                    row[number] = space.spectra[0]
        spectra /= self._length
        return spectra

    def compute(
        self, problem: Problem, x: NDArray[Any], out: NDArray[Any], threads: int | None
    ) -> None:
        """See `Runnable`."""
        if problem.size[0] > self._longest:
            self._otherwise(problem, x, out, threads)
            return

        @np.errstate(all="ignore")
        def work(first: int, last: int) -> None:
            with transforms.lease(self._shape) as space:
                for item in range(first, last):
                    signal, channel = divmod(item, problem.out_channels)
                    group = channel // problem.group_outputs
                    self._row(problem, x[signal, group], channel, space, out[signal, channel])

        pool.for_each_chunk(problem.batch * problem.out_channels, work, threads)

    def _row(
        self,
        problem: Problem,
        x: NDArray[Any],
        channel: int,
        space: transforms.Workspace,
        out: NDArray[Any],
    ) -> None:
        """Compute one output channel of one signal."""
        weight, bias = self._given
        samples, hop = space.samples[0], self._hop
        samples[: len(x)] = x
        samples[len(x) :] = 0
        space.forward()
        kernels = self._spectra[channel]
        results = space.results[:, self._length - hop :]
        step = len(results)
        for first in range(0, -(-len(out) // hop), step):
            some = kernels[first : first + step]
            np.multiply(space.spectra, some, out=space.products[: len(some)])
            space.products[len(some) :] = 0
            space.backward()
            if not nonfinite.looks_finite(results[: len(some)]):
                alone = dataclasses.replace(
                    problem, batch=1, groups=1, in_channels=1, out_channels=1
                )
                row = slice(channel, channel + 1)
                Direct().prepare(alone, weight[row], None if bias is None else bias[row], {})(
                    x[None, None], out[None, None], 1
                )
                return
            target = out[first * hop : (first + step) * hop]
            whole = len(target) // hop
            target[: whole * hop].reshape(whole, hop)[...] = results[:whole]
            target[whole * hop :] = results[whole : whole + 1, : len(target) - whole * hop].ravel()
        if bias is not None:
            out += bias[channel]
