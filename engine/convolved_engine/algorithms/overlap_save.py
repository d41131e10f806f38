"""Convolution in the frequency domain, in overlapping blocks whose spoiled ends are discarded.

Overlap-save (A. Oppenheim, R. Schafer, Discrete-Time Signal Processing, section 8.7.3) with
blocks of `block` samples along each axis; a block may well span a whole axis. Blocks lie on a
grid counted from output 0. Several channels are mixed in the frequency domain. A dilated kernel
is split into phases, each an undilated problem on every d-th sample; stuffing it with zeros would
make longer transforms. With a stride all outputs of a phase are computed and every s-th is kept.

Error bound: a transform of n points errs by about u * log2(n) relative to the root mean square of
its result (N. Higham, Accuracy and Stability of Numerical Algorithms, theorem 24.2). Three
transforms are involved, and rounding errors spread evenly over a block, so that
|error| <= 8 * u * (log2(n) + sqrt(channels)) * sum|w| * max|x| leaves a wide margin; it assumes,
as all such bounds of practical size do, that roundings are not all aligned. It is a bound on the
norm: small outputs beside large ones have no digits of their own.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from convolved_engine import nonfinite, transforms
from convolved_engine import threads as pool
from convolved_engine.machine import Machine
from convolved_engine.problem import Problem
from convolved_engine.registry import Algorithm, Cost, Parameters, Runnable, register

from .direct import Direct, kernel_for_correlation

__all__ = ["OverlapSave"]

_BATCH_BYTES = 192 << 10
# As many input channels are mixed by plain products; matrices that small cost more in transposing.
_FEW_INPUTS = 4


class OverlapSave(Algorithm):
    """See the module."""

    name = "overlap_save"
    has_grid = True

    def supports(self, problem: Problem) -> str | None:
        """Floating dtypes with a bound on the norm only."""
        if problem.is_integer:
            return "a transform cannot keep integers exact"
        if problem.accuracy == "strict":
            return "a transform bounds no error by its own output's terms, as strict demands"
        return None

    def cost(self, problem: Problem, machine: Machine) -> Cost:
        """The cheapest block by the time of its transforms, products and copies."""
        return _cost(problem, machine)

    def form(self, problem: Problem, parameters: Parameters) -> Hashable:
        """The block and what the weight means; batch and size may differ."""
        return (
            self.name,
            problem.groups,
            problem.stride,
            problem.dilation,
            problem.pads,
            problem.dtype,
            problem.flip,
            tuple(sorted(parameters.items())),
        )

    def prepare(
        self,
        problem: Problem,
        weight: NDArray[Any],
        bias: NDArray[Any] | None,
        parameters: Parameters,
    ) -> Runnable:
        """The spectra of the kernels."""
        if not np.isfinite(weight).all():
            # A transform would spread it over every output.
            return Direct().prepare(problem, weight, bias, parameters)
        return _OverlapSave(problem, weight, bias, parameters)


@dataclass(frozen=True, slots=True)
class _Axis:
    """One phase of one axis as an undilated problem: kept output i stands at j0 + i * j_step and
    reads the samples start + dilation * v for v from offset + i * v_step on.
    """

    count: int
    j0: int
    j_step: int
    start: int
    length: int
    dilation: int
    offset: int
    v_step: int


def _phases(
    n: int, out: int, stride: int, dilation: int, before: int, after: int
) -> Iterator[_Axis]:
    del after
    common = math.gcd(stride, dilation)
    for phase in range(0, min(dilation, (out - 1) * stride + 1), common):
        # Dense output phase + dilation * m is kept where the stride divides it.
        v_step = stride // common
        first = next(m for m in range(v_step) if (phase + dilation * m) % stride == 0)
        j0, j_step = (phase + dilation * first) // stride, dilation // common
        count = -(-(out - j0) // j_step)
        if count < 1:
            continue
        start = (phase - before) % dilation
        offset = (phase - before) // dilation + first
        length = max(0, -(-(n - start) // dilation))
        yield _Axis(count, j0, j_step, start, length, dilation, offset, v_step)


class _OverlapSave(Runnable):
    def __init__(
        self,
        problem: Problem,
        weight: NDArray[Any],
        bias: NDArray[Any] | None,
        parameters: Parameters,
    ) -> None:
        super().__init__(problem, weight, bias)
        self._block = _lengths(parameters)
        self._batch = int(parameters["batch"])
        self._together = int(parameters["groups"])
        self._backend = str(parameters.get("backend", transforms.default_backend()))
        self._kept = tuple(
            (n - k) // (s // math.gcd(s, d)) + 1
            for n, k, s, d in zip(
                self._block, problem.kernel, problem.stride, problem.dilation, strict=True
            )
        )
        stride, dilation = problem.stride[-1], problem.dilation[-1]
        self.grid = self._batch * self._kept[-1] * (dilation // math.gcd(stride, dilation))
        # What a block reads; beyond it stand zeros, lest its bits depend on later samples.
        self._span = tuple(
            (kept - 1) * (s // math.gcd(s, d)) + k
            for kept, s, d, k in zip(
                self._kept, problem.stride, problem.dilation, problem.kernel, strict=True
            )
        )
        self._weight = kernel_for_correlation(problem, weight)
        self._spectra = self._transform(self._weight)
        self._bias = None if bias is None else np.asarray(bias, problem.dtype)
        self.nbytes = self._spectra.nbytes + self._weight.nbytes

    def _transform(self, weight: NDArray[Any]) -> NDArray[Any]:
        """Conjugate spectra over the block length: (groups, outputs, inputs, bins)."""
        problem = self.problem
        kernels = weight.reshape(-1, *problem.kernel).conj()
        shape = self._shape(problem, 1)
        bins = math.prod(shape.spectrum_lengths)
        spectra = np.empty((len(kernels), bins), shape.spectrum_dtype)
        with transforms.lease(shape) as work:
            step = len(work.samples)
            within = (slice(None), *(slice(k) for k in problem.kernel))
            for first in range(0, len(kernels), step):
                some = kernels[first : first + step]
                work.samples[...] = 0
                work.samples[: len(some)][within] = some
                work.forward()
                np.conjugate(
                    work.spectra.reshape(step, -1)[: len(some)],
                    out=spectra[first : first + step],
                )
        spectra /= math.prod(self._block)
        spectra = spectra.reshape(problem.groups, problem.group_outputs, problem.group_inputs, bins)
        if problem.group_inputs > _FEW_INPUTS:
            # (groups, bins, outputs, inputs): one matrix for each frequency.
            return np.ascontiguousarray(spectra.transpose(0, 3, 1, 2))
        return spectra

    def _shape(self, problem: Problem, batch: int) -> transforms.Shape:
        rows = self._together * batch
        return transforms.Shape(
            inputs=rows * problem.group_inputs,
            outputs=rows * problem.group_outputs,
            lengths=self._block,
            dtype=problem.dtype,
            backend=self._backend,
        )

    def compute(
        self, problem: Problem, x: NDArray[Any], out: NDArray[Any], threads: int | None
    ) -> None:
        """See `Runnable`."""
        axes = zip(
            problem.size,
            problem.output_size,
            problem.stride,
            problem.dilation,
            *zip(*problem.pads, strict=True),
            strict=True,
        )
        runs = -(-problem.groups // self._together)
        jobs = []
        for phase in itertools.product(*(tuple(_phases(*each)) for each in axes)):
            grid = tuple(
                -(-axis.count // kept) for axis, kept in zip(phase, self._kept, strict=True)
            )
            grid = (*grid[:-1], -(-grid[-1] // self._batch))
            jobs.append((phase, grid, math.prod(grid) * x.shape[0] * runs))
        ends = list(itertools.accumulate(job[2] for job in jobs))
        shape = self._shape(problem, self._batch)

        def work(first: int, last: int) -> None:
            with transforms.lease(shape) as space, np.errstate(all="ignore"):
                for item in range(first, last):
                    number = next(n for n, end in enumerate(ends) if item < end)
                    phase, grid, count = jobs[number]
                    rest, run = divmod(item - ends[number] + count, runs)
                    signal, block = divmod(rest, math.prod(grid))
                    at = np.unravel_index(block, grid)
                    places = tuple(int(a) for a in at)
                    self._compute(space, problem, x[signal], out[signal], phase, places, run)

        pool.for_each_chunk(ends[-1], work, threads)

    def _compute(
        self,
        space: transforms.Workspace,
        problem: Problem,
        x: NDArray[Any],
        out: NDArray[Any],
        phase: tuple[_Axis, ...],
        place: tuple[int, ...],
        run: int,
    ) -> None:
        groups = slice(run * self._together, min(problem.groups, (run + 1) * self._together))
        count = groups.stop - groups.start
        inputs = x[groups.start * problem.group_inputs : groups.stop * problem.group_inputs]
        firsts = tuple(p * kept for p, kept in zip(place, self._kept, strict=True))
        firsts = (*firsts[:-1], firsts[-1] * self._batch)
        samples = space.samples.reshape(
            self._together * problem.group_inputs, self._batch, *self._block
        )
        self._gather(inputs, samples, phase, firsts)
        outputs = slice(groups.start * problem.group_outputs, groups.stop * problem.group_outputs)
        results = space.results.reshape(
            self._together * problem.group_outputs, self._batch, *self._block
        )[: count * problem.group_outputs]
        self._transform_back_and_forth(space, groups)
        if not nonfinite.looks_finite(results.reshape(-1, *self._block)):
            samples[len(inputs) :] = 0
            self._gather(inputs, samples, phase, firsts)
            results = self._repaired(space, samples, results, groups, outputs)
        bias = None if self._bias is None else self._bias[outputs]
        self._scatter(results, out[outputs], bias, phase, firsts)

    def _transform_back_and_forth(self, space: transforms.Workspace, groups: slice) -> None:
        space.forward()
        self._mix(space, groups)
        space.backward()

    def _repaired(
        self,
        space: transforms.Workspace,
        samples: NDArray[Any],
        results: NDArray[Any],
        groups: slice,
        outputs: slice,
    ) -> NDArray[Any]:
        """The results of samples of which some are not finite, or so large that sums overflow."""
        kept = samples.copy()
        places, values = nonfinite.take_out(samples)
        if len(values) > 0 and nonfinite.few(len(values), samples):
            self._transform_back_and_forth(space, groups)
            if nonfinite.looks_finite(results.reshape(-1, *self._block)):
                nonfinite.spread(
                    results, places, values, self._weight[outputs], groups.stop - groups.start
                )
                return results
        return self._directly(kept, groups, outputs)

    def _directly(self, samples: NDArray[Any], groups: slice, outputs: slice) -> NDArray[Any]:
        """The results by direct convolution of the blocks (channels, batch, *block)."""
        count = groups.stop - groups.start
        samples = samples[: count * self.problem.group_inputs]
        weight = self._weight[outputs]
        problem = Problem.of(
            (self._batch, len(samples), *self._block),
            weight.shape,
            dtype=weight.dtype,
            groups=count,
        )
        dense = np.empty(problem.output_shape, weight.dtype)
        run = Direct().prepare(problem, weight, None, {})
        run(np.ascontiguousarray(samples.swapaxes(0, 1)), dense, 1)
        return dense.swapaxes(0, 1)

    def _gather(
        self,
        inputs: NDArray[Any],
        samples: NDArray[Any],
        phase: tuple[_Axis, ...],
        firsts: tuple[int, ...],
    ) -> None:
        """Fill samples (channels, batch, *block) with the receptive fields of the blocks."""
        view = inputs[(slice(None), *(slice(a.start, None, a.dilation) for a in phase))]
        begins = [a.offset + f * a.v_step for a, f in zip(phase, firsts, strict=True)]
        channels, last, span = len(inputs), phase[-1], self._span[-1]
        inside: list[slice] = []
        within: list[slice] = []
        for axis, begin in zip(phase[:-1], begins[:-1], strict=True):
            low, high = _clip(begin, self._span[len(inside)], axis.length)
            inside.append(slice(low, high))
            within.append(slice(low - begin, high - begin))
        lines = view[(slice(None), *inside)]
        # Blocks from low on and before high lie inside the signal on the last axis.
        begin, hop = begins[-1], self._kept[-1] * last.v_step
        low = min(self._batch, max(0, -(begin // hop)))
        high = min(self._batch, max(low, (last.length - span - begin) // hop + 1))
        if (
            high - low < self._batch
            or lines.shape[1:-1] != self._block[:-1]
            or span < self._block[-1]
        ):
            samples[:channels] = 0
        if high > low:
            field = lines[..., begin + low * hop :]
            blocks = as_strided(
                field,
                (channels, high - low, *lines.shape[1:-1], span),
                (field.strides[0], hop * field.strides[-1], *field.strides[1:]),
                writeable=False,
            )
            samples[(slice(channels), slice(low, high), *within, slice(span))] = blocks
        for number in (*range(low), *range(high, self._batch)):
            start = begin + number * hop
            first, end = _clip(start, span, last.length)
            place = (slice(channels), number, *within, slice(first - start, end - start))
            samples[place] = lines[..., first:end]

    def _mix(self, space: transforms.Workspace, groups: slice) -> None:
        """Products of spectra, summed over the input channels of each group."""
        problem, count = self.problem, groups.stop - groups.start
        inputs, outputs, batch = problem.group_inputs, problem.group_outputs, self._batch
        spectra = space.spectra.reshape(self._together, inputs, batch, -1)[:count]
        products = space.products.reshape(self._together, outputs, batch, -1)[:count]
        if inputs <= _FEW_INPUTS:
            kernels = self._spectra[groups]
            if inputs == 1:
                np.multiply(spectra, kernels, out=products)
                return
            # Products may be where the spectra are.
            total = pool.scratch(products.size, products.dtype, "sum").reshape(products.shape)
            each = pool.scratch(products.size, products.dtype, "term").reshape(products.shape)
            np.multiply(spectra[:, :1], kernels[:, :, 0, None], out=total)
            for channel in range(1, inputs):
                one = spectra[:, channel : channel + 1]
                np.multiply(one, kernels[:, :, channel, None], out=each)
                total += each
            products[...] = total
            return
        by_bin = np.ascontiguousarray(spectra.transpose(0, 3, 1, 2))
        products[...] = np.matmul(self._spectra[groups], by_bin).transpose(0, 2, 3, 1)

    def _scatter(
        self,
        results: NDArray[Any],
        targets: NDArray[Any],
        bias: NDArray[Any] | None,
        phase: tuple[_Axis, ...],
        firsts: tuple[int, ...],
    ) -> None:
        """Write what is kept of results (channels, batch, *block) to its places."""
        source: list[slice] = []
        target: list[slice] = []
        for axis, kept, first in zip(phase[:-1], self._kept[:-1], firsts[:-1], strict=True):
            count = min(kept, axis.count - first)
            source.append(slice(0, (count - 1) * axis.v_step + 1, axis.v_step))
            begin = axis.j0 + first * axis.j_step
            target.append(slice(begin, begin + (count - 1) * axis.j_step + 1, axis.j_step))
        last, kept = phase[-1], self._kept[-1]
        left = last.count - firsts[-1]
        begin = last.j0 + firsts[-1] * last.j_step
        lines = targets[(slice(None), *target, slice(begin, None, last.j_step))]
        if bias is not None:
            results += bias.reshape(-1, *(1,) * (1 + len(phase)))
        whole = min(self._batch, left // kept)
        if whole:
            blocks = as_strided(
                lines,
                (len(lines), whole, *lines.shape[1:-1], kept),
                (lines.strides[0], kept * lines.strides[-1], *lines.strides[1:]),
            )
            end = (kept - 1) * last.v_step + 1
            blocks[...] = results[(slice(None), slice(whole), *source, slice(0, end, last.v_step))]
        rest = left - whole * kept
        if whole < self._batch and rest > 0:
            end = (rest - 1) * last.v_step + 1
            block = results[:, whole]
            lines[..., whole * kept :] = block[(slice(None), *source, slice(0, end, last.v_step))]


def _clip(begin: int, span: int, length: int) -> tuple[int, int]:
    """The part of begin .. begin + span that lies in 0 .. length; maybe empty."""
    low = min(max(begin, 0), length)
    return low, max(low, min(begin + span, length))


def _lengths(parameters: Parameters) -> tuple[int, ...]:
    return tuple(map(int, str(parameters["block"]).split("x")))


@functools.lru_cache(maxsize=1024)
def _cost(problem: Problem, machine: Machine) -> Cost:
    item = problem.dtype.itemsize
    common = [math.gcd(s, d) for s, d in zip(problem.stride, problem.dilation, strict=True)]
    steps = [s // g for s, g in zip(problem.stride, common, strict=True)]
    phases = [d // g for d, g in zip(problem.dilation, common, strict=True)]
    # Of one phase: what the longest needs, dense.
    needed = [
        (-(-out // phase) - 1) * step + kernel
        for out, phase, step, kernel in zip(
            problem.output_size, phases, steps, problem.kernel, strict=True
        )
    ]
    best: tuple[float, tuple[int, ...], int, int] | None = None
    for block in itertools.product(
        *(_candidates(n, k) for n, k in zip(needed, problem.kernel, strict=True))
    ):
        seconds, batch, together = _time(problem, machine, block, steps, phases)
        if best is None or seconds < best[0]:
            best = seconds, block, batch, together
    assert best is not None
    seconds, block, batch, together = best
    points = math.prod(block)
    rows = together * batch * (problem.group_inputs + problem.group_outputs)
    helping = machine.threads
    spectra = points * problem.out_channels * problem.group_inputs * item
    unit = float(np.finfo(problem.dtype).eps) / 2
    return Cost(
        seconds=seconds,
        workspace_bytes=helping * 2 * rows * points * item + spectra,
        relative_error=8 * unit * (math.log2(points) + math.sqrt(problem.group_inputs)),
        parameters={
            "block": "x".join(map(str, block)),
            "batch": batch,
            "groups": together,
        },
    )


def _candidates(needed: int, kernel: int) -> list[int]:
    """Block lengths worth a try: the whole axis, and powers of two well above the kernel."""
    whole = transforms.fast_length(needed)
    least = 1 << max(5, (2 * kernel - 1).bit_length() - 1)
    powers = itertools.takewhile(lambda n: n < whole, (least << shift for shift in range(8)))
    return [*(n for n in powers if n >= kernel), whole]


def _time(
    problem: Problem,
    machine: Machine,
    block: tuple[int, ...],
    steps: list[int],
    phases: list[int],
) -> tuple[float, int, int]:
    real = problem.dtype.itemsize // (2 if problem.is_complex else 1)
    scale = real / 4 * (1.6 if problem.is_complex else 1)
    points = math.prod(block)
    blocks = problem.batch * problem.groups
    last = 1
    for axis, n in enumerate(block):
        kept = (n - problem.kernel[axis]) // steps[axis] + 1
        last = math.ceil(math.ceil(problem.output_size[axis] / phases[axis]) / kept)
        blocks *= phases[axis] * last
    channels = max(problem.group_inputs, problem.group_outputs)
    held = points * problem.dtype.itemsize * channels
    batch = max(1, min(last, _BATCH_BYTES // held))
    together = max(1, min(problem.groups, _BATCH_BYTES // (held * batch)))
    rows = problem.group_inputs + problem.group_outputs
    spill = 1.6 if 2 * held * batch * together > machine.cache_bytes else 1.0
    transform = scale * spill * points * math.log2(points) / machine.fft_rate
    pairs = problem.group_inputs * problem.group_outputs
    bins = points if problem.is_complex else points / 2
    copies = 2 * problem.dtype.itemsize * points * rows / machine.copy_rate
    if problem.group_inputs == 1:
        mixing = bins * pairs / machine.product_rate
    elif problem.group_inputs <= _FEW_INPUTS:
        mixing = 2 * bins * pairs / machine.product_rate
    else:
        mixing = bins * (pairs / machine.mixing_rate + machine.matrix_seconds / batch)
        copies *= 3
    mixing *= real / 4
    one = rows * transform + mixing + copies
    items = blocks / (batch * together)
    padded = math.ceil(last / batch) * batch / last
    total = blocks * padded * one + items * machine.fft_chunk_seconds
    spectra = problem.groups * pairs * (transform + copies / rows)
    helping = max(1, min(machine.threads, int(items)))
    return 4 * machine.call_seconds + spectra + total / helping, batch, together


register(OverlapSave())
