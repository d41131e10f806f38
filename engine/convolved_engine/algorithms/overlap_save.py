"""Convolution in the frequency domain, in overlapping blocks whose spoiled ends are discarded.

Overlap-save (A. Oppenheim, R. Schafer, Discrete-Time Signal Processing, section 8.7.3) with
blocks of `block` samples along each axis; a block may well span a whole axis. Several channels are
mixed in the frequency domain. A dilated problem falls into undilated phases; stuffing its kernel
with zeros would make longer transforms. With a stride all outputs of a phase are computed and
every s-th is kept.

Error bound: a transform of n points errs by about u * log2(n) relative to the root mean square of
its result (N. Higham, Accuracy and Stability of Numerical Algorithms, theorem 24.2). Three
transforms are involved, and rounding errors spread evenly over a block, so that
|error| <= 8 * u * (log2(n) + sqrt(channels)) * sum|w| * max|x| leaves a wide margin; it assumes,
as all such bounds of practical size do, that roundings are not all aligned. It is a bound on the
norm: small outputs beside large ones have no digits of their own.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import math
from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine import nonfinite, transforms
from convolved_engine import threads as pool
from convolved_engine.machine import Machine
from convolved_engine.problem import Problem
from convolved_engine.registry import Algorithm, Cost, Parameters, Runnable, register

from .block_choice import best_blocks
from .blocks import BlockGrid, PhaseAxis, phases
from .direct import Direct
from .mixing import Spectra
from .weights import kernel_for_correlation

__all__ = ["OverlapSave"]


class OverlapSave(Algorithm):
    """See the module.

    Its parameters: `block`, lengths joined by "x"; `batch`, blocks of one transform along the last
    axis; `groups`, groups of one transform; perhaps `backend`, one of `transforms.BACKENDS`; and
    perhaps `planning`, "measure" where FFTW may take its time.
    """

    name = "overlap_save"
    has_grid = True
    can_measure = True

    def supports(self, problem: Problem) -> str | None:
        """Floating dtypes with a bound on the norm only."""
        if problem.is_integer:
            return "a transform cannot keep integers exact"
        if problem.accuracy == "strict":
            return "a transform bounds no error by its own output's terms, as strict demands"
        return None

    def cost(self, problem: Problem, machine: Machine) -> Cost:
        """The fastest block by the time of its transforms, products and copies."""
        return _costs(problem, machine)[0]

    def costs(self, problem: Problem, machine: Machine) -> tuple[Cost, ...]:
        """Other blocks are sooner prepared, or smaller."""
        return _costs(problem, machine)

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


@functools.lru_cache(maxsize=1024)
def _costs(problem: Problem, machine: Machine) -> tuple[Cost, ...]:
    unit = float(np.finfo(problem.dtype).eps) / 2
    return tuple(
        Cost(
            seconds=best.seconds,
            workspace_bytes=best.held_bytes,
            relative_error=8
            * unit
            * (math.log2(math.prod(best.block)) + math.sqrt(problem.group_inputs)),
            parameters={
                "block": "x".join(map(str, best.block)),
                "batch": best.batch,
                "groups": best.together,
            },
            preparing_seconds=best.preparing_seconds,
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
        batch, self._together = int(parameters["batch"]), int(parameters["groups"])
        self._blocks = BlockGrid(problem, block, batch)
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
        return _directly(kept, weight, count)


def _channels(groups: slice, each: int) -> slice:
    return slice(groups.start * each, groups.stop * each)


def _directly(samples: NDArray[Any], weight: NDArray[Any], groups: int) -> NDArray[Any]:
    """The results of blocks (channels, batch, *block) by direct convolution."""
    x = np.ascontiguousarray(samples.swapaxes(0, 1))
    problem = Problem.of(x.shape, weight.shape, dtype=x.dtype, groups=groups)
    results = np.empty(problem.output_shape, x.dtype)
    Direct().prepare(problem, weight, None, {})(x, results, 1)
    return results.swapaxes(0, 1)


register(OverlapSave())
