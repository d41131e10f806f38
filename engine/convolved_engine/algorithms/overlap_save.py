"""Convolution in the frequency domain, in overlapping blocks whose spoiled ends are discarded.

Overlap-save (A. Oppenheim, R. Schafer, Discrete-Time Signal Processing, section 8.7.3) with
blocks of `block` samples along each axis; a block may well span a whole axis. Several channels are
mixed in the frequency domain. A dilated problem falls into undilated phases; stuffing its kernel
with zeros would make longer transforms. Real signals along one axis have kernels of their own
(`right_angle`); all others are transformed here, and with a stride all outputs of a phase are
computed and every s-th is kept.

The error bound is that of `spectral`.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine import nonfinite, transforms
from convolved_engine import threads as pool
from convolved_engine.machine import Machine
from convolved_engine.problem import Problem
from convolved_engine.registry import Cost, Parameters, Runnable, register

from . import right_angle
from .block_choice import best_blocks, is_shared
from .blocks import BlockGrid, PhaseAxis, phases
from .mixing import Spectra
from .spectral import Spectral, directly, relative_error, worth_trying
from .weights import kernel_for_correlation

__all__ = ["OverlapSave"]


class OverlapSave(Spectral):
    """See the module.

    Its parameters: `block`, lengths joined by "x"; `batch`, blocks of one transform along the last
    axis; `groups`, groups of one transform; perhaps `backend`, "kernels" or one of
    `transforms.BACKENDS`; and perhaps `planning`, "measure" where FFTW may take its time. Those of
    the kernels are `block` and `backend` alone.
    """

    name = "overlap_save"
    has_grid = True

    def costs(self, problem: Problem, machine: Machine) -> tuple[Cost, ...]:
        """Other blocks are sooner prepared, or smaller."""
        return _costs(problem, machine)

    def prepare_finite(
        self,
        problem: Problem,
        weight: NDArray[Any],
        bias: NDArray[Any] | None,
        parameters: Parameters,
    ) -> Runnable:
        """See `Spectral`."""
        if parameters.get("backend") == right_angle.BACKEND:
            return right_angle.RightAngle(problem, weight, bias, int(parameters["block"]))
        return _OverlapSave(problem, weight, bias, parameters)


@functools.lru_cache(maxsize=1024)
def _costs(problem: Problem, machine: Machine) -> tuple[Cost, ...]:
    if right_angle.serves(problem):
        return worth_trying(right_angle.costs(problem, machine))
    return worth_trying(
        Cost(
            seconds=best.seconds,
            workspace_bytes=best.held_bytes,
            relative_error=relative_error(problem, math.prod(best.block)),
            parameters={
                "block": "x".join(map(str, best.block)),
                "batch": best.batch,
                "groups": best.together,
            },
            preparing_seconds=best.preparing_seconds,
            can_measure=True,
        )
        for best in best_blocks(problem, machine)
    )


class _OverlapSave(Runnable):
    def __init__(
        self,
        problem: Problem,
        weight: NDArray[Any],
        bias: NDArray[Any] | None,
        parameters: Parameters,
    ) -> None:
        super().__init__(problem, weight, bias)
        block = tuple(map(int, str(parameters["block"]).split("x")))
        batch = int(parameters.get("batch", 1))
        self._together = int(parameters.get("groups", 1))
        self._blocks = BlockGrid(problem, block, batch)
        self._shared = is_shared(problem, block, batch * self._together)
        self.grid = self._blocks.outputs
        self._shape = transforms.Shape(
            inputs=self._together * problem.group_inputs * batch,
            outputs=self._together * problem.group_outputs * batch,
            lengths=block,
            dtype=problem.dtype,
            backend=str(parameters.get("backend", transforms.default_backend())),
            aligned=True,
            measured=parameters.get("planning") == "measure",
        )
        self._weight = kernel_for_correlation(problem, weight)
        self._spectra = Spectra(problem, self._weight, self._shape, self._together)
        self._bias = None
        if bias is not None:
            self._bias = np.asarray(bias, problem.dtype).reshape(-1, *(1,) * (1 + problem.rank))
        self.nbytes = self._spectra.nbytes + self._weight.nbytes

    def compute(
        self, problem: Problem, x: NDArray[Any], out: NDArray[Any], threads: int | None
    ) -> None:
        """See `Runnable`."""
        runs = -(-problem.groups // self._together)
        jobs = [(phase, self._blocks.shape(phase)) for phase in phases(problem)]
        counts = [runs * problem.batch * math.prod(grid) for _, grid in jobs]
        ends = list(itertools.accumulate(counts))

        @np.errstate(all="ignore")
        def work(first: int, last: int) -> None:
            with transforms.lease(self._shape) as space:
                for item in range(first, last):
                    number = bisect.bisect_right(ends, item)
                    phase, grid = jobs[number]
                    rest, run = divmod(item - ends[number] + counts[number], runs)
                    signal, block = divmod(rest, math.prod(grid))
                    place = tuple(map(int, np.unravel_index(block, grid)))
                    begin = run * self._together
                    groups = slice(begin, min(problem.groups, begin + self._together))
                    self._blocks_at(place, phase, groups, space, x[signal], out[signal])

        if not self._shared:
            threads = 1
        with self._spectra.one_thread_each():
            pool.for_each_chunk(ends[-1], work, threads)

    def _blocks_at(
        self,
        place: tuple[int, ...],
        phase: tuple[PhaseAxis, ...],
        groups: slice,
        space: transforms.Workspace,
        x: NDArray[Any],
        out: NDArray[Any],
    ) -> None:
        """Compute one batch of blocks of some groups of one signal."""
        problem, rows = self.problem, (self._blocks.batch, *self._blocks.block)
        inputs = _channels(groups, problem.group_inputs)
        outputs = _channels(groups, problem.group_outputs)
        samples = space.samples.reshape(-1, *rows)
        results = space.results.reshape(-1, *rows)[: outputs.stop - outputs.start]
        self._blocks.gather(x[inputs], samples, phase, place)
        self._there_and_back(space, groups)
        if not nonfinite.looks_finite(results.reshape(-1, *rows[1:])):
            samples[...] = 0
            self._blocks.gather(x[inputs], samples, phase, place)
            results = self._repaired(space, samples, results, groups)
        if self._bias is not None:
            results += self._bias[outputs]
        self._blocks.scatter(results, out[outputs], phase, place)

    def _there_and_back(self, space: transforms.Workspace, groups: slice) -> None:
        space.forward()
        self._spectra.mix(space, groups)
        space.backward()

    def _repaired(
        self,
        space: transforms.Workspace,
        samples: NDArray[Any],
        results: NDArray[Any],
        groups: slice,
    ) -> NDArray[Any]:
        """The results of samples of which some are not finite, or so large that sums overflow."""
        count = groups.stop - groups.start
        weight = self._weight[_channels(groups, self.problem.group_outputs)]
        kept = samples[: count * self.problem.group_inputs].copy()
        places, values = nonfinite.take_out(samples)
        if len(values) and nonfinite.few(len(values), samples):
            self._there_and_back(space, groups)
            if nonfinite.looks_finite(results.reshape(-1, *self._blocks.block)):
                nonfinite.spread(results, places, values, weight, count)
                return results
        return directly(kept, weight, count)


def _channels(groups: slice, each: int) -> slice:
    return slice(groups.start * each, groups.stop * each)


register(OverlapSave())
