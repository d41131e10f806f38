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

__all__ = ["Gradients", "arrange_gradient"]


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
    if dtype.kind in "biu":
        raise InvalidArgument("x", f"dtype {dtype.name}", "a floating or complex signal")
    array = as_array("grad_out", grad_out)
    whole = filter.output_shape(layout.shape)
    shape = layout.result(np.broadcast_to(np.float32(0), whole)).shape
    if array.shape != shape:
        raise InvalidArgument("grad_out", f"shape {array.shape}", f"{shape}, as the output has")
    wanted = filter.output_dtype(dtype)
    if array.dtype != wanted:
        raise InvalidArgument(
            "grad_out", f"dtype {array.dtype.name}", f"{wanted.name}, as the output has"
        )
    return array.reshape(whole)
