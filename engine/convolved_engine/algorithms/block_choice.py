"""Which block of overlap-save is predicted to take the least time, and how much that is."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

from convolved_engine import transforms
from convolved_engine.machine import Machine
from convolved_engine.problem import Problem

from .mixing import FEW_INPUTS

__all__ = ["BlockChoice", "best_block"]

_BATCH_BYTES = 192 << 10
_COMPLEX_EFFORT = 1.6
_SPILL_EFFORT = 1.6


class BlockChoice(NamedTuple):
    """A block and what it costs; of two the one that sorts first is better.

    Attributes:
        seconds: of a run.
        block: samples along each axis.
        batch: blocks along the last axis in one transform.
        together: groups in one transform.
        workspace_bytes: of one thread.
    """

    seconds: float
    block: tuple[int, ...]
    batch: int
    together: int
    workspace_bytes: int


def best_block(problem: Problem, machine: Machine) -> BlockChoice:
    """The best of the whole axes and of powers of two above the kernel, and all mixtures."""
    common = [math.gcd(s, d) for s, d in zip(problem.stride, problem.dilation, strict=True)]
    strides = [s // c for s, c in zip(problem.stride, common, strict=True)]
    phases = [d // c for d, c in zip(problem.dilation, common, strict=True)]
    longest = [-(-out // p) for out, p in zip(problem.output_size, phases, strict=True)]
    lengths = (
        _candidates((out - 1) * stride + kernel, kernel)
        for out, stride, kernel in zip(longest, strides, problem.kernel, strict=True)
    )
    return min(
        _predict(problem, machine, block, strides, longest, math.prod(phases))
        for block in itertools.product(*lengths)
    )


def _candidates(needed: int, kernel: int) -> list[int]:
    whole = transforms.fast_length(needed)
    least = 1 << max(5, (2 * kernel - 1).bit_length() - 1)
    powers = itertools.takewhile(lambda n: n < whole, (least << shift for shift in range(8)))
    return [*(n for n in powers if n >= kernel), whole]


def _predict(
    problem: Problem,
    machine: Machine,
    block: tuple[int, ...],
    strides: list[int],
    longest: list[int],
    phases: int,
) -> BlockChoice:
    counts = [
        -(-out // ((n - kernel) // stride + 1))
        for out, n, kernel, stride in zip(longest, block, problem.kernel, strides, strict=True)
    ]
    inputs, outputs = problem.group_inputs, problem.group_outputs
    points, item = math.prod(block), problem.dtype.itemsize
    held = points * item * max(inputs, outputs)
    batch = max(1, min(counts[-1], _BATCH_BYTES // held))
    together = max(1, min(problem.groups, _BATCH_BYTES // (held * batch)))

    # All for one block of one group, in units of float32.
    scale = item // (2 if problem.is_complex else 1) / 4
    effort = scale * (_COMPLEX_EFFORT if problem.is_complex else 1.0)
    if 2 * held * batch * together > machine.cache_bytes:
        effort *= _SPILL_EFFORT
    transform = effort * points * math.log2(points) / machine.fft_rate
    copies = 2 * item * points * (inputs + outputs) / machine.copy_rate
    bins = points if problem.is_complex else points / 2
    if inputs <= FEW_INPUTS:
        products = inputs * outputs * (1 if inputs == 1 else 2)
        mixing = scale * bins * products / machine.product_rate
    else:
        matrix = inputs * outputs / machine.mixing_rate + machine.matrix_seconds / batch
        mixing = scale * bins * matrix
        copies *= 3
    one = (inputs + outputs) * transform + mixing + copies

    batches = -(-counts[-1] // batch)
    items = phases * math.prod(counts[:-1]) * batches * problem.batch
    items *= -(-problem.groups // together)
    total = items * (batch * min(together, problem.groups) * one + machine.fft_chunk_seconds)
    spectra = problem.groups * inputs * outputs * (transform + copies / (inputs + outputs))
    helping = max(1, min(machine.threads, items))
    return BlockChoice(
        seconds=4 * machine.call_seconds + spectra + total / helping,
        block=block,
        batch=batch,
        together=together,
        workspace_bytes=2 * together * batch * (inputs + outputs) * points * item,
    )
