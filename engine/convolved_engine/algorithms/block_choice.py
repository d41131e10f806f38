"""Which block of overlap-save is predicted to take the least time, and how much that is."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

from convolved_engine.machine import Machine
from convolved_engine.problem import Problem

from .mixing import FEW_INPUTS
from .transform_effort import fastest_length, sample_effort, spill_effort

__all__ = ["BlockChoice", "best_blocks", "held_bytes", "is_shared", "one_block"]

_BATCH_BYTES = 768 << 10
# Threads take turns at what is not transforming: so long each one waits for its turns in one batch
# of blocks. A batch of less than that effort, which is samples * log2(samples of a block) of
# float32, is not worth it.
_TURNS_SECONDS = 100e-6
_SHARED_EFFORT = 2e6
# Batches for each thread, lest the last one keep the others waiting.
_BATCHES_OF_A_THREAD = 2
# So many are worth timing where times are measured.
_FASTEST = 3


class BlockChoice(NamedTuple):
    """A block and what it costs; of two the one that sorts first is better.

    Attributes:
        seconds: of a run.
        preparing_seconds: of the spectra of the kernels.
        block: samples along each axis.
        batch: blocks along the last axis in one transform.
        together: groups in one transform.
        held_bytes: of the workspaces of all threads, and of the spectra.
    """

    seconds: float
    preparing_seconds: float
    block: tuple[int, ...]
    batch: int
    together: int
    held_bytes: int


def best_blocks(problem: Problem, machine: Machine) -> list[BlockChoice]:
    """The best of whole axes and of lengths of few factors above the kernel, in all mixtures.

    The fastest few come first. Each other one is sooner prepared than those before it, or is
    content with less memory.
    """
    common = [math.gcd(s, d) for s, d in zip(problem.stride, problem.dilation, strict=True)]
    strides = [s // c for s, c in zip(problem.stride, common, strict=True)]
    phases = [d // c for d, c in zip(problem.dilation, common, strict=True)]
    longest = [-(-out // p) for out, p in zip(problem.output_size, phases, strict=True)]
    lengths = (
        _candidates(problem, axis, (out - 1) * stride + problem.kernel[axis])
        for axis, (out, stride) in enumerate(zip(longest, strides, strict=True))
    )
    every = sorted(
        _predict(problem, machine, block, strides, longest, math.prod(phases))
        for block in itertools.product(*lengths)
    )
    found = every[:_FASTEST]
    for choice in every[_FASTEST:]:
        soonest = min(each.preparing_seconds for each in found)
        smallest = min(each.held_bytes for each in found)
        if choice.preparing_seconds < soonest or choice.held_bytes < smallest:
            found.append(choice)
    return found


def _candidates(problem: Problem, axis: int, needed: int) -> list[int]:
    """Lengths for an axis: the whole of it, and those of few factors, up to the first beyond it."""
    kernel, rank = problem.kernel[axis], problem.rank
    whole = fastest_length(needed, axis, rank, problem.dtype)
    least = 1 << max(5, (2 * kernel - 1).bit_length() - 1)
    # Lines of one axis alone also have fast transforms of three times a power of two.
    powers = (
        length
        for shift in range(8)
        for length in ((least << shift, (3 * least << shift) >> 1)[: 2 if rank == 1 else 1])
        if length >= kernel
    )
    found = [whole]
    for length in powers:
        if length != whole:
            found.append(length)
        if length >= needed:
            break
    return found


def one_block(
    problem: Problem,
    machine: Machine,
    block: tuple[int, ...],
    batch: int = 1,
    together: int = 1,
) -> tuple[float, float]:
    """Seconds of one line to its spectrum, and of one block of one group there and back.

    Args:
        problem: whose channels there are.
        machine: that transforms.
        block: samples along each axis.
        batch: blocks in one transform.
        together: groups in one transform.
    """
    inputs, outputs = problem.group_inputs, problem.group_outputs
    points, item = math.prod(block), problem.dtype.itemsize
    held = points * item * max(inputs, outputs)
    # In units of float32.
    scale = item // (2 if problem.is_complex else 1) / 4
    effort = sample_effort(block, problem.dtype)
    if 2 * held * batch * together > machine.cache_bytes:
        effort += spill_effort(len(block), problem.dtype)
    transform = effort * points / machine.fft_rate
    lines = (inputs + outputs) * math.prod(block[:-1])
    copies = 2 * item * points * (inputs + outputs) / machine.copy_rate
    copies += 8 * lines * machine.line_seconds
    bins = points if problem.is_complex else points / 2
    if inputs <= FEW_INPUTS:
        products = inputs * outputs * (1 if inputs == 1 else 2)
        mixing = scale * bins * products / machine.product_rate
    else:
        matrix = inputs * outputs / machine.mixing_rate + machine.matrix_seconds / batch
        mixing = scale * bins * matrix
        copies *= 3
    spectra = problem.out_channels * inputs * points * item
    if spectra > machine.cache_bytes:
        # They come from afar for each batch again.
        mixing += spectra / problem.groups / batch / machine.memory_rate
    each = transform + copies / (inputs + outputs)
    return each, (inputs + outputs) * transform + mixing + copies


def held_bytes(problem: Problem, block: tuple[int, ...], blocks: int) -> int:
    """Bytes of workspaces for so many blocks at a time, and of the spectra of the kernels."""
    inputs, outputs = problem.group_inputs, problem.group_outputs
    # Beside buffers and spectra, what mixing needs for itself.
    rows = 2 * (inputs + outputs)
    if inputs > FEW_INPUTS:
        rows += inputs + outputs
    elif inputs > 1:
        rows += 2 * outputs
    # Those of many channels are brought into another order once.
    kernels = problem.out_channels * inputs * (2 if inputs > FEW_INPUTS else 1)
    return (blocks * rows + kernels) * math.prod(block) * problem.dtype.itemsize


def is_shared(problem: Problem, block: tuple[int, ...], blocks: int) -> bool:
    """Whether batches of so many blocks of a group are worth dealing out to several threads."""
    points = math.prod(block)
    rows = blocks * (problem.group_inputs + problem.group_outputs)
    return rows * points * math.log2(points) * problem.dtype.itemsize / 4 >= _SHARED_EFFORT


def _predict(
    problem: Problem,
    machine: Machine,
    block: tuple[int, ...],
    strides: list[int],
    longest: list[int],
    phases: int,
) -> BlockChoice:
    """In batches as large as the cache holds, or as small as all threads have work."""
    counts = [
        -(-out // ((n - kernel) // stride + 1))
        for out, n, kernel, stride in zip(longest, block, problem.kernel, strides, strict=True)
    ]
    inputs, outputs = problem.group_inputs, problem.group_outputs
    points, item = math.prod(block), problem.dtype.itemsize
    held = points * item * max(inputs, outputs)
    lines = phases * math.prod(counts[:-1]) * problem.batch
    whole = max(1, _BATCH_BYTES // held)
    parts = _BATCHES_OF_A_THREAD * machine.threads
    most = {whole, max(1, min(whole, lines * counts[-1] * problem.groups // parts))}

    def in_batches(blocks: int) -> BlockChoice:
        batch = min(counts[-1], blocks)
        together = max(1, min(problem.groups, blocks // batch))
        each, one = one_block(problem, machine, block, batch, together)
        items = lines * -(-counts[-1] // batch) * -(-problem.groups // together)
        item_seconds = batch * together * one + machine.fft_chunk_seconds
        helping = 1
        if is_shared(problem, block, batch * together):
            helping = max(1, min(machine.threads, items))
            item_seconds += (helping > 1) * _TURNS_SECONDS
        return BlockChoice(
            # The last ones may leave a thread without work.
            seconds=4 * machine.call_seconds
            + (helping > 1) * machine.waking_seconds
            + -(-items // helping) * item_seconds,
            preparing_seconds=problem.groups * inputs * outputs * each,
            block=block,
            batch=batch,
            together=together,
            held_bytes=held_bytes(problem, block, helping * together * batch),
        )

    return min(map(in_batches, most if machine.threads > 1 else {whole}))
