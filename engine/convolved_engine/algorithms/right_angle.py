"""Overlap-save of real signals along one axis, by kernels with transforms of their own.

One call takes blocks there, multiplies and takes them back, with neither FFTW nor Python in
between (`convolved_engine.kernels.right_angle`). So a block costs no more than its arithmetic,
many short signals do as well as a long one, and no plans are made. Blocks are powers of two that
stay in the cache. A dilated problem falls into undilated phases; with a stride the product is
folded, so that no more is transformed back than is kept.

The error bound is that of `overlap_save`, for the same transforms.
"""

from __future__ import annotations

import bisect
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine import nonfinite
from convolved_engine import threads as pool
from convolved_engine.kernels.reading import to_read
from convolved_engine.machine import Machine, vector_bytes
from convolved_engine.problem import Problem
from convolved_engine.registry import Cost, Runnable
from convolved_engine.streaming.program import lanes_for

from .blocks import BlockGrid, PhaseAxis, phases
from .right_angle_layout import Work, blocks_dealt, constants_for, folds, work_for
from .spectral import directly, relative_error
from .weights import kernel_for_correlation

__all__ = ["BACKEND", "RightAngle", "costs", "serves"]

BACKEND = "kernels"
"""What the parameter `backend` of overlap-save says of these."""

_LONGEST = 1 << 20
_KEPT_LAYOUTS = 16
# A block's fixed cost; and bytes of a block from which the first-level cache no longer holds it,
# with the effort added by each doubling.
_BLOCK_SECONDS = 0.2e-6
_IN_CACHE, _SPILL = 32 << 10, 0.15
# Where a block takes so many times the best one's time, longer ones take yet more.
_BEHIND = 1.5


def serves(problem: Problem) -> bool:
    """Whether signals are real, along one axis, and the kernel leaves room in a block."""
    return problem.rank == 1 and not problem.is_complex and 2 * problem.kernel[0] <= _LONGEST


def costs(problem: Problem, machine: Machine) -> tuple[Cost, ...]:
    """One for each length of block that may be worth it."""
    found: list[Cost] = []
    least = math.inf
    for block in _blocks(problem, machine):
        found.append(_cost(problem, machine, block))
        least = min(least, found[-1].seconds)
        if found[-1].seconds > _BEHIND * least:
            break
    return tuple(found)


def _blocks(problem: Problem, machine: Machine) -> list[int]:
    """Powers of two, up to the first that is longer than what there is."""
    lanes = lanes_for(machine.vector_bytes, problem.dtype)
    stride, dilation = problem.stride[0], problem.dilation[0]
    common = math.gcd(stride, dilation)
    outputs = -(-problem.output_size[0] * common // dilation)
    needed = (outputs - 1) * stride // common + problem.kernel[0]
    block = max(2 * lanes * lanes, 1 << (problem.kernel[0] - 1).bit_length())
    found = [block]
    while block < min(needed, _LONGEST):
        block *= 2
        found.append(block)
    return found


def _cost(problem: Problem, machine: Machine, block: int) -> Cost:
    inputs, outputs = problem.group_inputs, problem.group_outputs
    stride, item, n = _own_stride(problem), problem.dtype.itemsize, block // 2
    parts = folds(stride, n, lanes_for(machine.vector_bytes, problem.dtype))
    scale = item / 4

    def transform(samples: int) -> float:
        spill = 1 + _SPILL * max(0.0, math.log2(samples * item / _IN_CACHE))
        effort = scale * spill * samples * math.log2(samples)
        return _BLOCK_SECONDS / 2 + effort / machine.block_fft_rate

    each = inputs * transform(block) + outputs * transform(block // parts)
    if inputs > 1 or parts > 1:
        each += scale * inputs * outputs * n / machine.block_product_rate
    spectra = problem.out_channels * inputs * block * item
    if spectra > machine.cache_bytes:
        # They come from afar for each block again.
        each += spectra / problem.groups / machine.memory_rate
    kept = (block - problem.kernel[0]) // stride + 1
    phase_count = problem.dilation[0] * stride // problem.stride[0]
    blocks = phase_count * -(-problem.output_size[0] // (phase_count * kept))
    items = blocks * problem.groups * problem.batch
    moved = (problem.input_bytes + problem.output_bytes) / machine.memory_rate
    helping = min(machine.threads, -(-items // blocks_dealt(block, inputs + outputs)))
    kernels = problem.out_channels * inputs
    # Beside spectra and workspaces the factors of transforms.
    held = (kernels + 6 + helping * (4 + inputs)) * block * item
    return Cost(
        seconds=machine.call_seconds + machine.shared(items * each + moved, helping),
        workspace_bytes=held + problem.weight_bytes,
        relative_error=relative_error(problem, block),
        parameters={"block": str(block), "backend": BACKEND},
        preparing_seconds=kernels * transform(block),
    )


def _own_stride(problem: Problem) -> int:
    """From one output of a phase to the next, in its samples."""
    return problem.stride[0] // math.gcd(problem.stride[0], problem.dilation[0])


class RightAngle(Runnable):
    """See the module.

    Args:
        problem: what it is prepared for, real and along one axis.
        weight: (out_channels, in_channels / groups, taps), finite.
        bias: (out_channels,) or None.
        block: samples of a block, a power of two.
    """

    def __init__(
        self, problem: Problem, weight: NDArray[Any], bias: NDArray[Any] | None, block: int
    ) -> None:
        from convolved_engine.kernels.right_angle import right_angle

        super().__init__(problem, weight, bias)
        self._grid = BlockGrid(problem, (block,), 1)
        self.grid = self._grid.outputs
        self._weight = np.ascontiguousarray(kernel_for_correlation(problem, weight))
        self._bias = np.zeros(len(weight), problem.dtype) if bias is None else bias
        lanes = lanes_for(vector_bytes(), problem.dtype)
        points = block // 2
        self._lengths = points, points // folds(_own_stride(problem), points, lanes)
        kernels = math.prod(weight.shape[:2])
        self._constants = constants_for(self._lengths, lanes, self._bias, kernels)
        self._laid_out = self._layouts()
        self._transform, self._convolve = right_angle(lanes)
        numbers, *_ = self._constants
        self._fill_in_spectra()
        self.nbytes = numbers.nbytes + self._weight.nbytes

    def _fill_in_spectra(self) -> None:
        """Those of the weight, divided by their length, go where room was left for them."""
        points, taps = self._lengths[0], self._weight.shape[-1]
        numbers, plan, places = self._constants
        space = pool.scratch(8 * points, numbers.dtype, "blocks")
        staged, found = space[4 * points : 6 * points], space[6 * points :]
        rows = numbers[places["weights_at"] :].reshape(-1, 2 * points)
        at, twist = places["there_at"], places["twist_at"]
        for kernel, row in zip(self._weight.reshape(-1, taps), rows, strict=True):
            staged[:taps], staged[taps:] = kernel, 0
            self._transform(
                space, 4 * points, 5 * points, numbers, plan, at, twist, 6 * points, 0, 0
            )
            np.divide(found, points, out=row)

    def compute(
        self, problem: Problem, x: NDArray[Any], out: NDArray[Any], threads: int | None
    ) -> None:
        """See `Runnable`."""
        work = self._laid_out(problem)
        layout = work.layout
        strange = self._run(work, x, out, threads)
        for item in strange.nonzero()[0]:
            rest, block = divmod(int(item), layout.blocks)
            signal, group = divmod(rest, layout.groups)
            phase = bisect.bisect_right(work.ends, block)
            block -= int(work.ends[phase - 1]) if phase else 0
            inputs = x[signal, group * layout.group_inputs :][: layout.group_inputs]
            outputs = out[signal, group * layout.group_outputs :][: layout.group_outputs]
            self._repair(work, work.phases[phase], block, group, inputs, outputs)

    def _layouts(self) -> Callable[[Problem], Work]:
        """Lays out problems, and keeps some; without `self`, which nothing could free then."""
        kept, lengths, places = self._grid.kept[0], self._lengths, self._constants.places

        @functools.lru_cache(_KEPT_LAYOUTS)
        def lay_out(problem: Problem) -> Work:
            each = tuple(axis for (axis,) in phases(problem))
            return work_for(problem, each, kept, lengths, places)

        return lay_out

    def _run(
        self, work: Work, x: NDArray[Any], out: NDArray[Any], threads: int | None
    ) -> NDArray[np.uint8]:
        """Compute all blocks; mark those whose outputs are not finite."""
        numbers, plan, _ = self._constants
        layout, rows, ends = work.layout, work.rows, work.ends
        counter, strange = np.zeros(1, np.int64), np.zeros(layout.items, np.uint8)
        flat_x, flat_y = to_read(x), out.reshape(-1)

        def some() -> None:
            space = pool.scratch(work.numbers, out.dtype, "blocks")
            self._convolve(
                flat_x, flat_y, numbers, plan, rows, ends, strange, counter, space, layout
            )

        pool.on_threads(some, threads, -(-layout.items // layout.chunk))
        return strange

    def _repair(
        self,
        work: Work,
        axis: PhaseAxis,
        block: int,
        group: int,
        inputs: NDArray[Any],
        outputs: NDArray[Any],
    ) -> None:
        """Compute a block again of which samples are not finite, or sums overflow."""
        layout = work.layout
        span, first = layout.span, block * layout.kept
        begin = axis.offset + first * axis.stride
        low = min(max(0, -begin), span)
        high = max(low, min(span, axis.length - begin))
        samples = np.zeros((len(inputs), 1, span), inputs.dtype)
        samples[:, 0, low:high] = inputs[:, axis.start :: axis.dilation][
            :, begin + low : begin + high
        ]
        results = self._of_samples(work, samples, group)
        count = min(layout.kept, axis.count - first)
        target = outputs[:, axis.first + first * axis.step :: axis.step]
        target[:, :count] = results[:, 0, :: axis.stride][:, :count]

    def _of_samples(self, work: Work, samples: NDArray[Any], group: int) -> NDArray[Any]:
        """All outputs (out_channels, 1, n) of samples (in_channels, 1, span) of a group."""
        layout, taps = work.layout, self._weight.shape[-1]
        rows = slice(group * layout.group_outputs, (group + 1) * layout.group_outputs)
        weight, bias = self._weight[rows], self._bias[rows, None, None]
        cleaned = samples.copy()
        places, values = nonfinite.take_out(cleaned)
        if len(values) and nonfinite.few(len(values), samples):
            kept = layout.span - taps + 1
            places_of = self._constants.places
            points = layout.points
            alone = Problem.of((1, *samples[:, 0].shape), weight.shape, dtype=samples.dtype)
            row = group * layout.group_outputs
            small = work_for(
                alone,
                tuple(axis for (axis,) in phases(alone)),
                kept,
                (points, points),
                {
                    **places_of,
                    "back_at": places_of["there_at"],
                    "untwist_at": places_of["twist_at"],
                    "bias_at": places_of["bias_at"] + row,
                    "weights_at": places_of["weights_at"] + row * layout.group_inputs * 2 * points,
                },
            )
            results = np.empty((len(weight), 1, kept), samples.dtype)
            if not self._run(small, cleaned, results, 1).any():
                # As long as the samples: products with the last of them reach beyond.
                longer = np.zeros((len(weight), 1, layout.span), samples.dtype)
                longer[..., :kept] = results
                nonfinite.spread(longer, places, values, weight, 1)
                return longer[..., :kept]
        with np.errstate(all="ignore"):
            results = directly(samples, weight, 1)
            results += bias
            return results
