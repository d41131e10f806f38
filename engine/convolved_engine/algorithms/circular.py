"""Convolution of whole signals in the frequency domain, by transforms as short as can be.

A circular convolution equals the linear one where nothing but zeros wraps around (A. Oppenheim,
R. Schafer, Discrete-Time Signal Processing, section 8.7.2). The zeros of the padding before and
after the signal may therefore lie in the same places: a full convolution takes a transform of the
length of its output, where a block of overlap-save would be longer by the kernel. So this is for
kernels that are not short beside the signal; those that are long beside it are cut into blocks
(`kernel_blocks`) where that is faster. Dilated kernels are stuffed with zeros, which costs
nothing here; with a stride every s-th output is kept.

The error bound is that of `spectral`.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine import nonfinite, transforms
from convolved_engine import threads as pool
from convolved_engine.machine import Machine
from convolved_engine.problem import Problem
from convolved_engine.registry import Cost, Parameters, Runnable, register

from .block_choice import held_bytes, one_block
from .direct import Direct
from .kernel_blocks import KernelBlocks, cost_in_blocks
from .mixing import Spectra
from .spectral import Spectral, relative_error
from .transform_effort import fastest_length
from .weights import kernel_for_correlation

__all__ = ["Circular"]

_MOST_POINTS = 1 << 24
# Threads take turns at what is not transforming.
_TURNS_SECONDS = 40e-6


class Circular(Spectral):
    """See the module.

    Its parameters: `length`, of the transform along each axis, joined by "x"; `hop` where the
    kernel is cut into blocks; and perhaps `backend`, one of `transforms.BACKENDS`.
    """

    name = "circular"

    def supports(self, problem: Problem) -> str | None:
        """Signals that are not too long."""
        if math.prod(_needed(problem)) > _MOST_POINTS:
            return f"its one transform would have more than {_MOST_POINTS:,} points"
        return super().supports(problem)

    def costs(self, problem: Problem, machine: Machine) -> tuple[Cost, ...]:
        """Of one transform, and of a kernel cut into blocks."""
        return _costs(problem, machine)

    def prepare_finite(
        self,
        problem: Problem,
        weight: NDArray[Any],
        bias: NDArray[Any] | None,
        parameters: Parameters,
    ) -> Runnable:
        """See `Spectral`."""
        if "hop" not in parameters:
            return _Circular(problem, weight, bias, parameters)
        backend = str(parameters.get("backend", transforms.default_backend()))

        def otherwise(
            problem: Problem, x: NDArray[Any], out: NDArray[Any], threads: int | None
        ) -> None:
            _whole(problem, weight, bias, backend).compute(problem, x, out, threads)

        return KernelBlocks(problem, weight, bias, parameters, otherwise)


def _needed(problem: Problem) -> tuple[int, ...]:
    """The least lengths at which nothing but zeros wraps around.

    Output t reads the places from t * stride on, where the signal begins at `before`.
    """
    axes = zip(
        problem.size,
        problem.pads,
        problem.extent,
        problem.stride,
        problem.output_size,
        strict=True,
    )
    return tuple(
        max(extent, before + n, (outputs - 1) * stride + max(1, extent - before))
        for n, (before, _), extent, stride, outputs in axes
    )


def _lengths(problem: Problem) -> tuple[int, ...]:
    """The fastest lengths that will do."""
    return tuple(
        fastest_length(needed, axis, problem.rank, problem.dtype)
        for axis, needed in enumerate(_needed(problem))
    )


@functools.lru_cache(maxsize=1024)
def _costs(problem: Problem, machine: Machine) -> tuple[Cost, ...]:
    """The fastest first."""
    whole, blocks = _cost(problem, machine), cost_in_blocks(problem, machine)
    found = (whole,) if blocks is None else (whole, blocks)
    return tuple(sorted(found, key=lambda cost: cost.seconds))


def _cost(problem: Problem, machine: Machine) -> Cost:
    lengths = _lengths(problem)
    each, group = one_block(problem, machine, lengths)
    items = problem.batch * problem.groups
    helping = min(machine.threads, items)
    item_seconds = group + machine.fft_chunk_seconds + (helping > 1) * _TURNS_SECONDS
    weights = problem.out_channels * problem.group_inputs * math.prod(problem.extent)
    held = held_bytes(problem, lengths, helping) + 2 * weights * problem.dtype.itemsize
    return Cost(
        seconds=4 * machine.call_seconds
        + (helping > 1) * machine.waking_seconds
        + -(-items // helping) * item_seconds,
        workspace_bytes=held,
        relative_error=relative_error(problem, math.prod(lengths)),
        parameters={"length": "x".join(map(str, lengths))},
        preparing_seconds=problem.out_channels * problem.group_inputs * each,
    )


class _Circular(Runnable):
    def __init__(
        self,
        problem: Problem,
        weight: NDArray[Any],
        bias: NDArray[Any] | None,
        parameters: Parameters,
    ) -> None:
        super().__init__(problem, weight, bias)
        self._given = weight, bias
        self._backend = str(parameters.get("backend", transforms.default_backend()))
        self._lengths = tuple(map(int, str(parameters["length"]).split("x")))
        self._shape = transforms.Shape(
            inputs=problem.group_inputs,
            outputs=problem.group_outputs,
            lengths=self._lengths,
            dtype=problem.dtype,
            backend=self._backend,
            aligned=problem.rank < 3,
        )
        self._weight = _stuffed(problem, kernel_for_correlation(problem, weight))
        undilated = dataclasses.replace(
            problem, kernel=problem.extent, dilation=(1,) * problem.rank
        )
        self._spectra = Spectra(undilated, self._weight, self._shape, 1)
        self.nbytes = self._spectra.nbytes + self._weight.nbytes + weight.nbytes

    def compute(
        self, problem: Problem, x: NDArray[Any], out: NDArray[Any], threads: int | None
    ) -> None:
        """See `Runnable`."""
        if any(a > b for a, b in zip(_needed(problem), self._lengths, strict=True)):
            # Prepared for shorter signals.
            _whole(problem, *self._given, self._backend).compute(problem, x, out, threads)
            return

        @np.errstate(all="ignore")
        def work(first: int, last: int) -> None:
            with transforms.lease(self._shape) as space:
                for item in range(first, last):
                    signal, group = divmod(item, problem.groups)
                    self._group(problem, group, space, x[signal], out[signal])

        with self._spectra.one_thread_each():
            pool.for_each_chunk(problem.batch * problem.groups, work, threads)

    def _group(
        self,
        problem: Problem,
        group: int,
        space: transforms.Workspace,
        x: NDArray[Any],
        out: NDArray[Any],
    ) -> None:
        """Compute one group of one signal."""
        inputs = x[group * problem.group_inputs : (group + 1) * problem.group_inputs]
        rows = slice(group * problem.group_outputs, (group + 1) * problem.group_outputs)
        _place(problem, inputs, space.samples)
        self._there_and_back(space, group)
        results = space.results
        if not nonfinite.looks_finite(results) and not self._repaired(
            problem, group, space, inputs
        ):
            self._directly(problem, inputs, out[rows], rows)
            return
        taken = (
            slice(0, (count - 1) * stride + 1, stride)
            for count, stride in zip(problem.output_size, problem.stride, strict=True)
        )
        found = results[(slice(None), *taken)]
        bias = self._given[1]
        if bias is None:
            out[rows] = found
        else:
            np.add(found, bias[rows].reshape(-1, *(1,) * problem.rank), out=out[rows])

    def _there_and_back(self, space: transforms.Workspace, group: int) -> None:
        space.forward()
        self._spectra.mix(space, slice(group, group + 1))
        space.backward()

    def _repaired(
        self,
        problem: Problem,
        group: int,
        space: transforms.Workspace,
        inputs: NDArray[Any],
    ) -> bool:
        """Let few samples that are not finite reach what they would; return whether that did."""
        _place(problem, inputs, space.samples)
        places, values = nonfinite.take_out(space.samples)
        # Zeros in a stuffed kernel are no taps, and would make NaN of an Inf.
        dilated = max(problem.dilation) > 1
        if dilated or not len(values) or not nonfinite.few(len(values), space.samples):
            return False
        self._there_and_back(space, group)
        if not nonfinite.looks_finite(space.results):
            return False
        count = problem.group_outputs
        weight = self._weight[group * count : (group + 1) * count]
        places = np.insert(places, 1, 0, axis=1)
        nonfinite.spread(space.results[:, None], places, values, weight, 1)
        return True

    def _directly(
        self, problem: Problem, inputs: NDArray[Any], out: NDArray[Any], rows: slice
    ) -> None:
        """One group by direct convolution."""
        weight, bias = self._given
        alone = dataclasses.replace(
            problem, batch=1, groups=1, in_channels=len(inputs), out_channels=len(out)
        )
        some = None if bias is None else bias[rows]
        Direct().prepare(alone, weight[rows], some, {})(inputs[None], out[None], 1)


def _whole(
    problem: Problem, weight: NDArray[Any], bias: NDArray[Any] | None, backend: str
) -> _Circular:
    """What computes `problem`, whatever its size."""
    length = "x".join(str(transforms.fast_length(n)) for n in _needed(problem))
    return _Circular(problem, weight, bias, {"length": length, "backend": backend})


def _stuffed(problem: Problem, weight: NDArray[Any]) -> NDArray[Any]:
    """The weight with the zeros of its dilation."""
    if max(problem.dilation) == 1:
        return weight
    stuffed = np.zeros((*weight.shape[:2], *problem.extent), weight.dtype)
    stuffed[(slice(None), slice(None), *(slice(None, None, d) for d in problem.dilation))] = weight
    return stuffed


def _place(problem: Problem, inputs: NDArray[Any], samples: NDArray[Any]) -> None:
    """Put a signal where its outputs read it, and zeros around it."""
    within = tuple(
        slice(before, before + n) for n, (before, _) in zip(problem.size, problem.pads, strict=True)
    )
    if problem.rank == 1:
        samples[:, : within[0].start] = 0
        samples[:, within[0].stop :] = 0
    else:
        samples[...] = 0
    samples[(slice(None), *within)] = inputs


register(Circular())
