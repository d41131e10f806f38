"""Kernels as spectra, and the sum over input channels done in the frequency domain.

The spectra are conjugate, so that products give cross-correlations, and scaled, so that the
transform back need not be. Many channels are mixed by one small matrix product for each
frequency, a few by plain products: matrices that small cost more in transposing.
"""

from __future__ import annotations

import contextlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convolved_engine import threads as pool
from convolved_engine import transforms
from convolved_engine.problem import Problem

__all__ = ["FEW_INPUTS", "Spectra"]

FEW_INPUTS = 4


class Spectra:
    """The spectra of a weight (out_channels, in_channels / groups, *kernel), not to be flipped.

    Args:
        problem: whose weight it is.
        weight: as it is read in cross-correlation, in the dtype of the problem.
        shape: of the workspaces; their rows are (together, inputs or outputs, batch).
        together: groups in one workspace.
    """

    def __init__(
        self, problem: Problem, weight: NDArray[Any], shape: transforms.Shape, together: int
    ) -> None:
        self._inputs, self._outputs = problem.group_inputs, problem.group_outputs
        self._together = together
        kernels = weight.reshape(-1, *problem.kernel)
        bins = math.prod(shape.spectrum_lengths)
        spectra = np.empty((len(kernels), bins), shape.spectrum_dtype)
        with transforms.lease(shape) as work:
            step = len(work.samples)
            within = (slice(None), *map(slice, problem.kernel))
            for first in range(0, len(kernels), step):
                some = kernels[first : first + step]
                work.samples[...] = 0
                np.conjugate(some, out=work.samples[: len(some)][within])
                work.forward()
                np.conjugate(
                    work.spectra.reshape(step, -1)[: len(some)], out=spectra[first : first + step]
                )
        spectra /= math.prod(shape.lengths)
        spectra = spectra.reshape(problem.groups, self._outputs, self._inputs, bins)
        if self._inputs > FEW_INPUTS:
            # One matrix (outputs, inputs) for each frequency.
            spectra = np.ascontiguousarray(spectra.transpose(0, 3, 1, 2))
        self._spectra, self._bins = spectra, bins
        self.nbytes = int(spectra.nbytes)

    def one_thread_each(self) -> contextlib.AbstractContextManager[None]:
        """To be held around all calls of `mix`, so that BLAS starts no threads beside ours."""
        if self._inputs > FEW_INPUTS:
            return pool.blas_on_one_thread()
        return contextlib.nullcontext()

    def mix(self, space: transforms.Workspace, groups: slice) -> None:
        """Replace the products of the workspace by sums over the spectra of each group."""
        count = groups.stop - groups.start
        samples = space.spectra.reshape(self._together, self._inputs, -1, self._bins)
        products = space.products.reshape(self._together, self._outputs, -1, self._bins)
        samples, products = samples[:count], products[:count]
        kernels = self._spectra[groups]
        if self._inputs == 1:
            np.multiply(samples, kernels, out=products)
        elif self._inputs <= FEW_INPUTS:
            _sum_of_products(samples, kernels, products)
        else:
            by_bin = np.ascontiguousarray(samples.transpose(0, 3, 1, 2))
            products[...] = np.matmul(kernels, by_bin).transpose(0, 2, 3, 1)


def _sum_of_products(samples: NDArray[Any], kernels: NDArray[Any], products: NDArray[Any]) -> None:
    # The products may be where the samples are, so that the sum has a place of its own.
    total = pool.scratch(products.size, products.dtype, "sum").reshape(products.shape)
    term = pool.scratch(products.size, products.dtype, "term").reshape(products.shape)
    np.multiply(samples[:, :1], kernels[:, :, 0, None], out=total)
    for channel in range(1, samples.shape[1]):
        np.multiply(samples[:, channel : channel + 1], kernels[:, :, channel, None], out=term)
        total += term
    products[...] = total
