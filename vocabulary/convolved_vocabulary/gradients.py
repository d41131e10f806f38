"""Gradients: what a loss gains per change of the input and of every parameter of a filter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dtypes import as_array
from .errors import InvalidArgument
from .filters import Filter
from .signals import Layout

__all__ = ["Gradients", "arrange_gradient", "check_gradient"]


@dataclass(frozen=True, eq=False)
class Gradients:
    """The gradients of a loss, each of the shape and dtype of what it belongs to.

    Complex ones follow PyTorch: dL/d(real) + i * dL/d(imaginary).

    Attributes:
        input: with respect to the input.
        layers: for each layer, in order, with respect to its tensors by name: `weight`, `bias`,
            `scale`, `shift`. Tensors of integers have none.
    """

    input: NDArray[Any]
    layers: tuple[Mapping[str, NDArray[Any]], ...]

    def laid_out(self, layout: Layout) -> Gradients:
        """The same, with the axes of `input` as the user's signal has them by its `layout`."""
        shape = layout.shape[2 - layout.has_batch - layout.has_channels :]
        return Gradients(self.input.reshape(shape), self.layers)


def arrange_gradient(
    grad_out: object, filter: Filter, layout: Layout, dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Return the gradient with respect to the output as (batch, out_channels, *spatial).

    Args:
        grad_out: laid out as the output is.
        filter: whose output it belongs to.
        layout: of the input.
        dtype: of the input.

    Raises:
        InvalidArgument: for a signal of integers, or if grad_out has another shape or dtype than
            the output.
    """
    array = as_array("grad_out", grad_out)
    check_gradient(array.shape, array.dtype, filter, layout, dtype)
    return array.reshape(filter.output_shape(layout.shape))


def check_gradient(
    shape: tuple[int, ...],
    grad_dtype: np.dtype[Any],
    filter: Filter,
    layout: Layout,
    dtype: np.dtype[Any],
) -> None:
    """Check what is known of a gradient before its elements are; see `arrange_gradient`."""
    if dtype.kind in "biu":
        raise InvalidArgument("x", f"dtype {dtype.name}", "a floating or complex signal")
    whole = filter.output_shape(layout.shape)
    dropped = not layout.has_channels and whole[1] == 1
    due = whole if layout.has_batch else whole[2 if dropped else 1 :]
    if shape != due:
        raise InvalidArgument("grad_out", f"shape {shape}", f"{due}, as the output has")
    wanted = filter.output_dtype(dtype)
    if grad_dtype != wanted:
        raise InvalidArgument(
            "grad_out", f"dtype {grad_dtype.name}", f"{wanted.name}, as the output has"
        )
